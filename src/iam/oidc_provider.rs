//! `IAMOIDCProvider`: by which AWS trusts the issuer of a cluster's service accounts.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, done};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::{Delete, gone_or};
use crate::core::fields::{Changed, Delta, Found, Value as _, Want, Wanted, fields, set};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::home;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::iam::look::Sought;
use crate::iam::role::{tags_from_sdk, tags_to_sdk};
use crate::limits::partition::Partition;
use crate::policy::v1_36::{host, provider_arn};

const LIST: &str = "iam:ListOpenIDConnectProviders";
const GET: &str = "iam:GetOpenIDConnectProvider";
const CREATE: &str = "iam:CreateOpenIDConnectProvider";
const TAG: &str = "iam:TagOpenIDConnectProvider";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IamOidcProvider {
    /// The issuer's address.
    pub(crate) url: String,
    pub(crate) partition: Partition,
    /// Whom tokens may be for.
    pub(crate) client_ids: Vec<String>,
    /// Of the certificates that the issuer's may hang on.
    pub(crate) thumbprints: Vec<String>,
    pub(crate) tags: Tags,
}

fields! { IamOidcProviderFields {
    client_ids: BTreeSet<String> = "clientIds",
    thumbprints: BTreeSet<String> = "thumbprints",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveOidcProvider {
    pub(crate) arn: Id<IamOidcProvider>,
    /// The issuer's address without how it is spoken to.
    pub(crate) host: String,
    pub(crate) client_ids: Vec<String>,
    pub(crate) thumbprints: Vec<String>,
    pub(crate) tags: Tags,
}

/// An issuer that may have a provider, though the spec has none.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) partition: Partition,
}

/// Providers. AWS tells of each by its ARN alone, so that all are looked at only where any may be
/// the cluster's.
#[derive(Debug)]
pub(crate) struct Providers {
    named: Vec<Issuer>,
    all: bool,
}

impl Look for Providers {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let is_looked = asked.looks_at(&[IamOidcProvider::KIND]);
        let all = asked.everything() || asked.wanted().contains(&Sought::All);
        let wanted = asked.wanted::<IamOidcProvider>().iter().map(IamOidcProvider::issuer);
        let named: Vec<Issuer> = wanted.chain(asked.wanted::<Issuer>().iter().cloned()).collect();
        (is_looked && (all || !named.is_empty())).then_some(Self { named, all })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(Seen::default().with(Looked::sort(self.providers(aws).await)?))
    }
}

impl Providers {
    async fn providers(&self, aws: &Aws) -> Result<Vec<LiveOidcProvider>, AwsError> {
        let named = self
            .named
            .iter()
            .map(|issuer| provider_arn(issuer.partition, aws.account(), host(&issuer.url)));
        let mut arns: BTreeSet<String> = named.collect();
        if self.all {
            let answer = aws.iam.list_open_id_connect_providers().send().await;
            let answer = answer.map_err(|error| AwsError::new(LIST, "", error))?;
            for row in answer.open_id_connect_provider_list() {
                arns.insert(Answer::of(LIST, "").text("Arn", row.arn())?);
            }
        }
        let found = try_join_all(arns.iter().map(|arn| observe(aws, arn))).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

async fn observe(aws: &Aws, arn: &str) -> Result<Option<LiveOidcProvider>, AwsError> {
    let call = aws.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn);
    let answer = match call.send().await.map_err(|error| AwsError::new(GET, arn, error)) {
        Err(error) if error.fault == Fault::Missing => return Ok(None),
        answer => answer?,
    };
    let told = Answer::of(GET, arn);
    Ok(Some(LiveOidcProvider {
        arn: Id::given(told, "Arn", Some(arn))?,
        host: host(&told.text("Url", answer.url())?).to_owned(),
        client_ids: answer.client_id_list().to_vec(),
        thumbprints: answer.thumbprint_list().iter().map(|one| one.to_lowercase()).collect(),
        tags: tags_from_sdk(answer.tags()),
    }))
}

impl LiveOidcProvider {
    fn id(&self) -> ResourceId {
        ResourceId::new(IamOidcProvider::KIND, &self.host)
    }

    fn marks(&self) -> Marks<'_> {
        Marks::of(&self.arn).tags(&self.tags)
    }
}

impl Presence for IamOidcProvider {
    const LOOKS: &'static [Looking] = &[Looking::of::<Providers>()];

    const IS_SOUGHT: bool = false;

    /// Nothing refers to one.
    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let providers = around.seen.rows::<LiveOidcProvider>().iter();
        let providers = providers.filter_map(|found| {
            let deletion = OidcProviderDeletion(found.arn.clone());
            around.one(&found.host, found.id(), &found.marks(), deletion)
        });
        providers.collect()
    }
}

impl Manage for IamOidcProvider {
    type Live = LiveOidcProvider;
    type Fields = IamOidcProviderFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(IamOidcProvider::KIND, host(&self.url))
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveOidcProvider, _: View<'_>) -> bool {
        found.host == host(&self.url)
    }

    fn marks<'a>(&self, found: &'a LiveOidcProvider, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveOidcProvider, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::OidcProvider(&found.arn)))
    }

    fn aws_id(found: &LiveOidcProvider) -> Id<Self> {
        found.arn.clone()
    }

    fn wanted(&self, _: View<'_>) -> IamOidcProviderFields<Wanted> {
        IamOidcProviderFields {
            client_ids: Want::maybe(set(self.client_ids.clone())),
            thumbprints: Want::maybe(set(self.thumbprints.clone())),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn wanted_over(
        &self,
        found: &LiveOidcProvider,
        view: View<'_>,
    ) -> IamOidcProviderFields<Wanted> {
        let tags = home::without_late_marks(&self.tags, &found.tags);
        IamOidcProviderFields { tags: Want::Is(tags), ..self.wanted(view) }
    }

    fn found(&self, found: &LiveOidcProvider, _: View<'_>) -> IamOidcProviderFields<Found> {
        IamOidcProviderFields {
            client_ids: set(found.client_ids.clone()),
            thumbprints: set(found.thumbprints.clone()),
            tags: Some(found.tags.clone()),
        }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (aws, url) = (work.aws, &self.url);
        let call = aws.iam.create_open_id_connect_provider().url(url);
        let call = call.set_client_id_list(Some(self.client_ids.clone()));
        let call = call.set_thumbprint_list(Some(self.thumbprints.clone()));
        let answer = call.set_tags(tags_to_sdk(CREATE, url, &self.tags)?).send().await;
        match answer.map_err(|error| AwsError::new(CREATE, url, error)) {
            // There is one, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let arn = provider_arn(self.partition, aws.account(), host(url));
                let found = observe(aws, &arn).await?;
                match found {
                    Some(found) if self.is_as_wanted(&found) => Ok(None),
                    _ => Err(error),
                }
            }
            answer => answer.map(|_| None),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        arn: &Id<Self>,
        changed: &IamOidcProviderFields<Changed>,
    ) -> Result<(), AwsError> {
        let IamOidcProviderFields { client_ids, thumbprints, tags } = changed;
        let iam = &work.aws.iam;
        if let Some(delta) = client_ids {
            change_client_ids(work.aws, arn, delta).await?;
        }
        if thumbprints.is_some() {
            let call = iam.update_open_id_connect_provider_thumbprint();
            let call = call.open_id_connect_provider_arn(arn);
            let answer = call.set_thumbprint_list(Some(self.thumbprints.clone())).send().await;
            done("iam:UpdateOpenIDConnectProviderThumbprint", arn, answer)?;
        }
        if tags.is_some() {
            let call = iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn);
            let answer = call.set_tags(tags_to_sdk(TAG, arn, &self.tags)?).send().await;
            work.unless_lacking(done(TAG, arn, answer))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveOidcProvider {
        LiveOidcProvider {
            arn: Id::imagined(provider_arn(self.partition, view.account, host(&self.url))),
            host: host(&self.url).to_owned(),
            client_ids: self.client_ids.clone(),
            thumbprints: self.thumbprints.clone(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveOidcProvider) -> Vec<(&'static str, LiveOidcProvider)> {
        let other = || vec!["other".to_owned()];
        vec![
            ("clientIds", LiveOidcProvider { client_ids: other(), ..live.clone() }),
            ("thumbprints", LiveOidcProvider { thumbprints: other(), ..live.clone() }),
            ("tags", LiveOidcProvider { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl IamOidcProvider {
    fn issuer(&self) -> Issuer {
        Issuer { url: self.url.clone(), partition: self.partition }
    }

    fn is_as_wanted(&self, found: &LiveOidcProvider) -> bool {
        set(self.client_ids.clone()) == set(found.client_ids.clone())
            && set(self.thumbprints.clone()) == set(found.thumbprints.clone())
            && self.tags.is(&found.tags)
    }
}

/// Adds what is wanted before it takes away what is not: AWS keeps at least one.
async fn change_client_ids(
    aws: &Aws,
    arn: &str,
    delta: &Delta<BTreeSet<String>>,
) -> Result<(), AwsError> {
    let none = BTreeSet::new();
    let (before, after) =
        (delta.before.as_ref().unwrap_or(&none), delta.after.as_ref().unwrap_or(&none));
    for id in after.difference(before) {
        let call = aws.iam.add_client_id_to_open_id_connect_provider();
        let answer = call.open_id_connect_provider_arn(arn).client_id(id).send().await;
        done("iam:AddClientIDToOpenIDConnectProvider", arn, answer)?;
    }
    for id in before.difference(after) {
        let call = aws.iam.remove_client_id_from_open_id_connect_provider();
        let answer = call.open_id_connect_provider_arn(arn).client_id(id).send().await;
        gone_or(done("iam:RemoveClientIDFromOpenIDConnectProvider", arn, answer))?;
    }
    Ok(())
}

/// Deletes a provider: whoever trusts it trusts nobody then.
#[derive(Clone, Debug, PartialEq)]
struct OidcProviderDeletion(Id<IamOidcProvider>);

impl Delete for OidcProviderDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let call = aws.iam.delete_open_id_connect_provider();
        let answer = call.open_id_connect_provider_arn(&*self.0).send().await;
        done("iam:DeleteOpenIDConnectProvider", &self.0, answer)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for IamOidcProvider {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        for found in sweep.rows::<LiveOidcProvider>(Self::KIND) {
            let id = found.id();
            if sweep.is_wanted(&id) || !sweep.is_ours(&id, &found.marks()) {
                continue;
            }
            let place = Place::new(Self::KIND, &found.arn);
            sweep.offer(Offer::new(id, place, OidcProviderDeletion(found.arn.clone())));
        }
    }
}
