//! `SSHKey`: the key pair with which people log in to instances.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::ResourceType;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::drift::Drift;
use crate::core::fields::{Changed, Changes as _, Found, Value, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::KEY_PAIR_NAME;

const DESCRIBE: &str = "ec2:DescribeKeyPairs";

const OTHER_KEY: &str = "It is another key. The pair is deleted, and the kept key imported under its \
                         name; instances that run keep the key that they were started with, until \
                         rolling-update --force replaces them.";

const MADE_BY_EC2: &str = "EC2 made this pair itself, and tells nothing by which its key can be \
                           compared. It is deleted, and the kept key imported under its name; \
                           instances that run keep the key that they were started with, until \
                           rolling-update --force replaces them.";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SshKey {
    pub(crate) name: String,
    /// That of EC2, of one that is there.
    pub(crate) id: Option<String>,
    /// The key in OpenSSH's form; `None` for a key pair of the user's own.
    pub(crate) public_key: Option<String>,
    /// That of the key, as EC2 tells it; `None` where the spec names the key pair, which may hold
    /// any key.
    pub(crate) fingerprint: Option<String>,
    pub(crate) tags: Tags,
}

fields! { SshKeyFields {
    fingerprint: Fingerprint = "fingerprint",
    tags: Tags = "tags",
} }

/// What EC2 tells of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fingerprint(String);

impl Fingerprint {
    /// Without what tools write before it or behind it, and others do not (EC2 user guide, "Verify
    /// the fingerprint of your key pair").
    fn bare(&self) -> &str {
        let text = self.0.strip_prefix("SHA256:").unwrap_or(&self.0);
        text.trim_end_matches('=')
    }

    /// Whether it is the SHA-1 of a private key, which EC2 tells of the RSA keys that it made
    /// itself: nothing of it is known by the public key.
    fn is_of_private_key(&self) -> bool {
        is_hexadecimal(&self.0, 20)
    }
}

impl Value for Fingerprint {
    fn tell(&self) -> String {
        self.0.clone()
    }

    fn is(&self, found: &Self) -> bool {
        self.bare() == found.bare()
    }
}

/// A key pair that was found.
#[derive(Clone, Debug)]
pub(crate) struct LiveKeyPair {
    /// That of EC2, which its tags need.
    pub(crate) id: String,
    pub(crate) name: Id<SshKey>,
    pub(crate) fingerprint: String,
    pub(crate) tags: Tags,
}

impl LiveKeyPair {
    /// kops did not always tag key pairs, but a name of its form is no one else's: the cluster's, and
    /// the sixteen bytes of the key's fingerprint.
    pub(crate) fn marks(&self, cluster: &str) -> Marks<'_> {
        let own = self.name.strip_prefix("kubernetes.").and_then(|own| own.strip_prefix(cluster));
        let fits =
            own.and_then(|own| own.strip_prefix('-')).is_some_and(|own| is_hexadecimal(own, 16));
        Marks::of(&self.name).or_id(&self.id).tags(&self.tags).fits(fits)
    }
}

/// Whether a text is so many bytes in hexadecimal digits, with colons between them.
fn is_hexadecimal(text: &str, count: usize) -> bool {
    let bytes: Vec<&str> = text.split(':').collect();
    let is_byte = |byte: &&str| byte.len() == 2 && byte.bytes().all(|b| b.is_ascii_hexdigit());
    bytes.len() == count && bytes.iter().all(is_byte)
}

/// The key pairs of these names, and all that bear a name of the cluster's.
#[derive(Debug)]
pub(crate) struct KeyPairs(Vec<String>);

impl Look for KeyPairs {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let own = format!("kubernetes.{}-*", asked.cluster());
        let wanted = asked.wanted::<SshKey>().iter().map(|key| key.name.clone());
        let names = std::iter::once(own).chain(wanted).collect();
        asked.looks_at(&[SshKey::KIND]).then_some(Self(names))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let named = async |names: &[String]| read(aws, names).await;
        let rows = batch::read(&self.0, batch::FILTER_VALUES, named).await;
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for SshKey {
    const LOOKS: &'static [Looking] = &[Looking::of::<KeyPairs>()];

    const IS_SOUGHT: bool = true;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let keys = around.seen.rows::<LiveKeyPair>().iter().map(|key| {
            let whose = around.owner.whose(Self::KIND, &key.marks(around.owner.cluster()));
            let deletion = KeyPairDeletion(key.name.clone());
            Belonging::new(ResourceId::new(Self::KIND, &key.name), whose, deletion)
        });
        keys.collect()
    }
}

async fn read(aws: &Aws, names: &[String]) -> Result<Vec<LiveKeyPair>, AwsError> {
    let call = aws.ec2.describe_key_pairs().filters(ec2::filter("key-name", names));
    let answer = call.send().await;
    let answer = answer.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let live = answer.key_pairs().iter().map(|key| {
        let name = Id::given(Answer::of(DESCRIBE, ""), "keyName", key.key_name())?;
        let answer = Answer::of(DESCRIBE, &name);
        Ok(LiveKeyPair {
            id: answer.text("keyPairId", key.key_pair_id())?,
            fingerprint: answer.text("keyFingerprint", key.key_fingerprint())?,
            tags: ec2::tags_from_sdk(key.tags()),
            name,
        })
    });
    live.collect()
}

impl Manage for SshKey {
    type Live = LiveKeyPair;
    type Fields = SshKeyFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(SshKey::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveKeyPair, _: View<'_>) -> bool {
        found.name == self.name
    }

    fn marks<'a>(&self, found: &'a LiveKeyPair, view: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks(view.owner.cluster())]
    }

    fn adopt(&self, found: &LiveKeyPair, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::Ec2(&found.id)))
    }

    fn aws_id(found: &LiveKeyPair) -> Id<Self> {
        found.name.clone()
    }

    fn wanted(&self, _: View<'_>) -> SshKeyFields<Wanted> {
        SshKeyFields {
            fingerprint: Want::if_told(self.fingerprint.clone().map(Fingerprint)),
            tags: match self.ownership() {
                Ownership::Ours => Want::Is(self.tags.clone()),
                Ownership::Shared | Ownership::Brought => Want::Any,
            },
        }
    }

    fn found(&self, found: &LiveKeyPair, _: View<'_>) -> SshKeyFields<Found> {
        SshKeyFields {
            fingerprint: Some(Fingerprint(found.fingerprint.clone())),
            tags: Some(found.tags.clone()),
        }
    }

    fn told(&self, changed: &SshKeyFields<Changed>) -> Drift {
        let before = changed.fingerprint.as_ref().and_then(|delta| delta.before.as_ref());
        let remark = before.map(|before| match before.is_of_private_key() {
            true => MADE_BY_EC2,
            false => OTHER_KEY,
        });
        Drift { remark, ..changed.drift() }
    }

    fn ownership(&self) -> Ownership {
        if self.public_key.is_none() { Ownership::Shared } else { Ownership::Ours }
    }

    fn facing(&self, found: &LiveKeyPair, _: View<'_>) -> Self {
        Self { id: Some(found.id.clone()), ..self.clone() }
    }

    fn obstacle(&self, _: View<'_>) -> Option<(String, String)> {
        self.public_key.is_none().then(|| {
            (
                "spec.sshKeyName names a key pair that does not exist in EC2".to_owned(),
                "correct the name, or keep a public key: kapstan create secret sshpublickey"
                    .to_owned(),
            )
        })
    }

    fn given(&self) -> Given<'_> {
        Given::name(&KEY_PAIR_NAME, &self.name).tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let Some(key) = &self.public_key else { return Ok(None) };
        let call = work.aws.ec2.import_key_pair().key_name(&self.name);
        let answer = call
            .public_key_material(Blob::new(key.trim()))
            .tag_specifications(ec2::specification(ResourceType::KeyPair, &self.tags))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("ec2:ImportKeyPair", &self.name, error)) {
            // There is one, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                match self.stands(&read(work.aws, std::slice::from_ref(&self.name)).await?) {
                    true => Ok(None),
                    false => Err(error),
                }
            }
            answer => answer.map(|_| None),
        }
    }

    /// EC2 changes no key: the pair goes, and the kept key is imported under its name.
    async fn update(
        &self,
        work: &Work<'_>,
        name: &Id<Self>,
        changed: &SshKeyFields<Changed>,
    ) -> Result<(), AwsError> {
        let SshKeyFields { fingerprint, tags } = changed;
        if fingerprint.is_some() {
            KeyPairDeletion(name.clone()).attempt(work.aws).await?;
            return self.create(work).await.map(|_| ());
        }
        match (tags, &self.id) {
            (Some(_), Some(id)) => ec2::tag(work.aws, id, &self.tags).await,
            _ => Ok(()),
        }
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, _: View<'_>) -> LiveKeyPair {
        let name = Id::imagined(&self.name);
        // Of one that the spec names, any will do.
        let fingerprint = self.fingerprint.clone().unwrap_or_else(|| "any".to_owned());
        LiveKeyPair { id: id.to_string(), name, fingerprint, tags: self.tags.clone() }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveKeyPair) -> Vec<(&'static str, LiveKeyPair)> {
        let other = LiveKeyPair { fingerprint: "other".to_owned(), ..live.clone() };
        let untagged = LiveKeyPair { tags: Self::lacking_one(&live.tags), ..live.clone() };
        // Of one that the spec names, neither is compared.
        let own = self.fingerprint.iter();
        own.flat_map(|_| [("fingerprint", other.clone()), ("tags", untagged.clone())]).collect()
    }
}

impl SshKey {
    /// Whether a key pair of this name with this key is among those that were found.
    fn stands(&self, found: &[LiveKeyPair]) -> bool {
        let is_it = |key: &LiveKeyPair| {
            let found = Fingerprint(key.fingerprint.clone());
            self.fingerprint.clone().is_none_or(|wanted| Fingerprint(wanted).is(&found))
        };
        found.iter().any(|key| key.name == self.name && is_it(key))
    }
}

/// Deletes a key pair, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyPairDeletion(pub(crate) Id<SshKey>);

impl Delete for KeyPairDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(name) = self;
        let call = aws.ec2.delete_key_pair().key_name(name);
        done("ec2:DeleteKeyPair", name, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for SshKey {
    /// Key pairs that earlier keys have left. What still starts instances with one holds it: those
    /// that run need none, but none starts from a version of a launch template that names one which
    /// is gone (EC2 API, `RunInstances`).
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let cluster = sweep.view().owner.cluster();
        for found in sweep.rows::<LiveKeyPair>(SshKey::KIND) {
            let id = ResourceId::new(SshKey::KIND, &found.name);
            let is_ours = sweep.whose(SshKey::KIND, &found.marks(cluster)).is_owned();
            if is_ours && !sweep.is_wanted(&id) {
                let place = Place::new(SshKey::KIND, &found.name);
                sweep.offer(Offer::new(id, place, KeyPairDeletion(found.name.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::whose::Owner;

    fn live(name: &str, fingerprint: &str) -> LiveKeyPair {
        LiveKeyPair {
            id: "key-1".to_owned(),
            name: Id::imagined(name),
            fingerprint: fingerprint.to_owned(),
            tags: Tags::new(),
        }
    }

    #[test]
    fn a_key_stands_under_its_name_by_its_fingerprint() {
        let key = |fingerprint: Option<&str>| SshKey {
            name: "admin".to_owned(),
            id: None,
            public_key: None,
            fingerprint: fingerprint.map(str::to_owned),
            tags: Tags::new(),
        };
        let ed25519 = "ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";
        for (wanted, name, found, expected) in [
            (Some("aa:bb"), "admin", "aa:bb", true),
            (Some("aa:bb"), "admin", "aa:bc", false),
            (Some("aa:bb"), "other", "aa:bb", false),
            (Some("aa:bb"), "admin", "", false),
            (Some(ed25519), "admin", &format!("{ed25519}="), true),
            (Some(&format!("{ed25519}=")), "admin", &format!("SHA256:{ed25519}"), true),
            (Some(ed25519), "admin", "SHA256:zkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA=", false),
            (None, "admin", "aa:bb", true),
        ] {
            let stands = key(wanted).stands(&[live(name, found)]);
            assert_eq!(stands, expected, "{wanted:?} {name} {found}");
        }
    }

    #[test]
    fn a_key_pair_is_the_cluster_s_by_the_whole_form_of_its_name() {
        const BYTES: &str = "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99";
        let owner = Owner::with_spec("a.com");
        for (name, expected) in [
            (format!("kubernetes.a.com-{BYTES}"), true),
            (format!("kubernetes.a.com-b-{BYTES}"), false),
            (format!("kubernetes.b.a.com-{BYTES}"), false),
            (format!("kubernetes.a.com-{BYTES}:00"), false),
            ("kubernetes.a.com-aa:bb".to_owned(), false),
            ("kubernetes.a.com-mine".to_owned(), false),
        ] {
            let key = live(&name, "any");
            let whose = owner.whose(SshKey::KIND, &key.marks("a.com"));
            assert_eq!(whose.is_owned(), expected, "{}", key.name);
        }
    }
}
