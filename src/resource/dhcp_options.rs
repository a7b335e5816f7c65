//! `DHCPOptions`: the domain and name servers that instances learn.

use aws_sdk_ec2::types::{NewDhcpConfiguration, ResourceType};

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DhcpOptions {
    pub(crate) name: String,
    pub(crate) domain_name: String,
    pub(crate) domain_name_servers: String,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveDhcpOptions {
    pub(crate) id: String,
    pub(crate) domain_name: String,
    pub(crate) domain_name_servers: String,
    pub(crate) tags: Tags,
}

pub(super) async fn observe(aws: &Aws, cluster: &str) -> Result<Looked<LiveDhcpOptions>, AwsError> {
    let call = aws.ec2.describe_dhcp_options().filters(ec2::of_cluster(cluster));
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new("ec2:DescribeDhcpOptions", "", error));
    Looked::sort(rows.map(|rows| {
        let live = rows.iter().map(|options| {
            let values = |key: &str| {
                let mut all = options.dhcp_configurations().iter();
                let one = all.find(|configuration| configuration.key() == Some(key));
                let values = one.map(|one| one.values()).unwrap_or_default();
                let values: Vec<&str> = values.iter().filter_map(|value| value.value()).collect();
                values.join(",")
            };
            LiveDhcpOptions {
                id: options.dhcp_options_id().unwrap_or_default().to_owned(),
                domain_name: values("domain-name"),
                domain_name_servers: values("domain-name-servers"),
                tags: ec2::tags_from_sdk(options.tags()),
            }
        });
        live.collect()
    }))
}

impl Manage for DhcpOptions {
    type Live = LiveDhcpOptions;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::DhcpOptions, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn looked(live: &Live) -> &Looked<LiveDhcpOptions> {
        &live.dhcp_options
    }

    fn is(&self, found: &LiveDhcpOptions, _: View<'_>) -> bool {
        ec2::is_named(&found.tags, &self.name)
    }

    fn aws_id(found: &LiveDhcpOptions) -> String {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default()
            .with("domainName", &self.domain_name)
            .with("domainNameServers", &self.domain_name_servers)
            .tags(&self.tags)
    }

    fn found(&self, found: &LiveDhcpOptions, _: View<'_>) -> Fields {
        Fields::default()
            .with("domainName", &found.domain_name)
            .with("domainNameServers", &found.domain_name_servers)
            .tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["domainName", "domainNameServers"]
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let configuration =
            |key: &str, value: &str| NewDhcpConfiguration::builder().key(key).values(value).build();
        let call = work.aws.ec2.create_dhcp_options();
        let answer = call
            .dhcp_configurations(configuration("domain-name", &self.domain_name))
            .dhcp_configurations(configuration("domain-name-servers", &self.domain_name_servers))
            .tag_specifications(ec2::specification(ResourceType::DhcpOptions, &self.tags))
            .send()
            .await
            .map_err(|error| AwsError::new("ec2:CreateDhcpOptions", &self.name, error))?;
        Ok(answer.dhcp_options.and_then(|options| options.dhcp_options_id))
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        ec2::tag(work.aws, &update.id, &self.tags).await
    }
}
