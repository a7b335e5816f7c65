//! `DHCPOptions`: the domain and name servers that instances learn.

use aws_sdk_ec2::operation::create_dhcp_options::CreateDhcpOptionsError;
use aws_sdk_ec2::types::{Filter, NewDhcpConfiguration, ResourceType};

use crate::aws::tags::{CLUSTER_TAG, OWNER_TAG, Tags};
use crate::aws::{Answer, Aws, AwsError, done, ec2, sent_once};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::creation::{Creation, Standing};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Found, Stuck, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;

const DESCRIBE: &str = "ec2:DescribeDhcpOptions";
const CREATE: &str = "ec2:CreateDhcpOptions";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DhcpOptions {
    pub(crate) name: String,
    pub(crate) domain_name: String,
    pub(crate) domain_name_servers: String,
    pub(crate) tags: Tags,
}

fields! { DhcpOptionsFields {
    domain_name: String = "domainName",
    domain_name_servers: String = "domainNameServers",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveDhcpOptions {
    pub(crate) id: Id<DhcpOptions>,
    pub(crate) domain_name: String,
    pub(crate) domain_name_servers: String,
    pub(crate) tags: Tags,
}

/// The options of a cluster.
#[derive(Debug)]
pub(crate) struct AllDhcpOptions {
    cluster: String,
    by_name_too: bool,
}

impl Look for AllDhcpOptions {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let (cluster, by_name_too) = (asked.cluster().to_owned(), asked.everything());
        asked.looks_at(&[DhcpOptions::KIND]).then_some(Self { cluster, by_name_too })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let Self { cluster, by_name_too } = &self;
        let rows = match by_name_too {
            true => {
                ec2::marked_or_named(
                    cluster,
                    |options: &LiveDhcpOptions| &options.id,
                    |chosen| read(aws, chosen),
                )
                .await
            }
            false => read(aws, vec![ec2::marked(cluster)]).await,
        };
        Ok(Seen::default().with(Looked::sort(rows)?))
    }
}

impl Presence for DhcpOptions {
    const LOOKS: &'static [Looking] = &[Looking::of::<AllDhcpOptions>()];

    const IS_SOUGHT: bool = false;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let options = around.seen.rows::<LiveDhcpOptions>().iter().filter_map(|options| {
            let marks = Marks::of(&options.id).tags(&options.tags);
            around.by_id(Self::KIND, &marks, DhcpOptionsDeletion(options.id.clone()))
        });
        options.map(Belonging::around_instances).collect()
    }
}

async fn read(aws: &Aws, chosen: Vec<Filter>) -> Result<Vec<LiveDhcpOptions>, AwsError> {
    let call = aws.ec2.describe_dhcp_options().set_filters(Some(chosen));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let live = rows.iter().map(|options| {
        let values = |key: &str| {
            let mut all = options.dhcp_configurations().iter();
            let one = all.find(|configuration| configuration.key() == Some(key));
            let values = one.map(|one| one.values()).unwrap_or_default();
            let values: Vec<&str> = values.iter().filter_map(|value| value.value()).collect();
            values.join(",")
        };
        Ok(LiveDhcpOptions {
            id: Id::given(Answer::of(DESCRIBE, ""), "dhcpOptionsId", options.dhcp_options_id())?,
            domain_name: values("domain-name"),
            domain_name_servers: values("domain-name-servers"),
            tags: ec2::tags_from_sdk(options.tags()),
        })
    });
    live.collect()
}

impl Manage for DhcpOptions {
    type Live = LiveDhcpOptions;
    type Fields = DhcpOptionsFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(DhcpOptions::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn is(&self, found: &LiveDhcpOptions, _: View<'_>) -> bool {
        ec2::is_named(&found.tags, &self.name)
    }

    /// A cluster has one set.
    fn may_be(&self, _: &LiveDhcpOptions, _: View<'_>) -> bool {
        true
    }

    fn marks<'a>(&self, found: &'a LiveDhcpOptions, _: View<'a>) -> Vec<Marks<'a>> {
        vec![Marks::of(&found.id).tags(&found.tags)]
    }

    fn aws_id(found: &LiveDhcpOptions) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> DhcpOptionsFields<Wanted> {
        DhcpOptionsFields {
            domain_name: Want::Is(self.domain_name.clone()),
            domain_name_servers: Want::Is(self.domain_name_servers.clone()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveDhcpOptions, _: View<'_>) -> DhcpOptionsFields<Found> {
        DhcpOptionsFields {
            domain_name: Some(found.domain_name.clone()),
            domain_name_servers: Some(found.domain_name_servers.clone()),
            tags: Some(found.tags.clone()),
        }
    }

    /// Options are not deleted while a VPC uses them (EC2 API, `DeleteDhcpOptions`): others take
    /// their place first.
    fn judge(
        &self,
        changed: &mut DhcpOptionsFields<Changed>,
        found: &LiveDhcpOptions,
    ) -> Vec<Stuck> {
        let fixed = DhcpOptionsFields {
            domain_name: changed.domain_name.take(),
            domain_name_servers: changed.domain_name_servers.take(),
            tags: None,
        };
        let id = &found.id;
        let tells = |key: &&String| *key == CLUSTER_TAG || key.starts_with(OWNER_TAG);
        let keys = self.tags.keys().filter(tells).map(|key| format!("Key={key}"));
        let keys = keys.collect::<Vec<_>>().join(" ");
        let instead = format!(
            "take the cluster's tags off it, and the next update makes others that the VPC then \
             uses: aws ec2 delete-tags --resources {id} --tags {keys}; after that it can go: aws \
             ec2 delete-dhcp-options --dhcp-options-id {id}"
        );
        Stuck::fixed(&fixed, id, instead).into_iter().collect()
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let creation = Creation { work, resource: &self.id(), operation: CREATE };
        let create = || self.create_one(work.aws);
        creation.without_token(create, || self.standing(work.aws)).await.map(Some)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &DhcpOptionsFields<Changed>,
    ) -> Result<(), AwsError> {
        let DhcpOptionsFields { domain_name: _, domain_name_servers: _, tags } = changed;
        match tags {
            Some(_) => ec2::tag(work.aws, id, &self.tags).await,
            None => Ok(()),
        }
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, _: View<'_>) -> LiveDhcpOptions {
        LiveDhcpOptions {
            id: id.clone(),
            domain_name: self.domain_name.clone(),
            domain_name_servers: self.domain_name_servers.clone(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveDhcpOptions) -> Vec<(&'static str, LiveDhcpOptions)> {
        let other = || "example.com".to_owned();
        vec![
            ("domainName", LiveDhcpOptions { domain_name: other(), ..live.clone() }),
            ("domainNameServers", LiveDhcpOptions { domain_name_servers: other(), ..live.clone() }),
            ("tags", LiveDhcpOptions { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl DhcpOptions {
    async fn create_one(&self, aws: &Aws) -> Result<Id<Self>, AwsError> {
        let configuration =
            |key: &str, value: &str| NewDhcpConfiguration::builder().key(key).values(value).build();
        let answer = aws
            .ec2
            .create_dhcp_options()
            .dhcp_configurations(configuration("domain-name", &self.domain_name))
            .dhcp_configurations(configuration("domain-name-servers", &self.domain_name_servers))
            .tag_specifications(ec2::specification(ResourceType::DhcpOptions, &self.tags))
            .customize()
            .config_override(sent_once::<CreateDhcpOptionsError>())
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.name, error))?;
        let id = answer.dhcp_options().and_then(|options| options.dhcp_options_id());
        Id::given(Answer::of(CREATE, &self.name), "dhcpOptionsId", id)
    }

    async fn standing(&self, aws: &Aws) -> Result<Vec<Standing<Id<Self>>>, AwsError> {
        let rows = read(aws, ec2::identity(&self.tags)).await?;
        let ours = rows.into_iter().filter(|row| ec2::is_identified(&row.tags, &self.tags));
        Ok(ours.map(|row| Standing { id: row.id, is_gone: false }).collect())
    }
}

/// Deletes DHCP options, by their id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DhcpOptionsDeletion(pub(crate) Id<DhcpOptions>);

impl Delete for DhcpOptionsDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(id) = self;
        let call = aws.ec2.delete_dhcp_options().dhcp_options_id(id);
        done("ec2:DeleteDhcpOptions", id, call.send().await)
    }

    async fn holders(&self, work: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        of_options(work.aws, &self.0, holders).await
    }
}

async fn of_options(aws: &Aws, id: &str, holders: &mut Holders) -> Result<(), AwsError> {
    let call = aws.ec2.describe_vpcs().filters(ec2::filter("dhcp-options-id", [id]));
    let answer = call.send().await.map_err(|error| AwsError::new("ec2:DescribeVpcs", id, error))?;
    for vpc in answer.vpcs() {
        holders.add(false, format!("VPC {}", vpc.vpc_id().unwrap_or_default()));
    }
    Ok(())
}

impl Unclaimed for DhcpOptions {
    /// They go with their cluster only.
    fn unclaimed(_: &mut Sweep<'_>) {}
}
