//! `LoadBalancer`: a classic load balancer, before the API server or the bastions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancing::types::{
    ConnectionSettings, CrossZoneLoadBalancing, HealthCheck, Listener, LoadBalancerAttributes,
    LoadBalancerDescription, Tag,
};
use futures::future::try_join_all;

use super::ids::Work;
use super::live::Live;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadBalancer {
    /// kops' name of it, `api.dev.example.com`.
    pub(crate) name: String,
    /// AWS' name, of at most 32 characters.
    pub(crate) aws_name: String,
    pub(crate) internal: bool,
    /// Of the load balancer and of the instances behind it.
    pub(crate) port: i32,
    /// The ARN of a certificate, for a listener that ends TLS.
    pub(crate) certificate: Option<String>,
    /// What the health check asks, `SSL:443`.
    pub(crate) health_target: String,
    pub(crate) idle_timeout_seconds: i32,
    /// `None` leaves it as it is.
    pub(crate) cross_zone: Option<bool>,
    pub(crate) subnets: Vec<ResourceId>,
    pub(crate) security_groups: Vec<ResourceId>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveLoadBalancer {
    pub(crate) name: String,
    pub(crate) dns_name: String,
    pub(crate) internal: bool,
    pub(crate) listeners: Vec<(i32, String)>,
    pub(crate) health_check: String,
    pub(crate) idle_timeout_seconds: Option<i32>,
    pub(crate) cross_zone: bool,
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) tags: Tags,
}

/// The classic load balancers of a region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classic {
    /// Those of the cluster.
    pub(crate) ours: Looked<LiveLoadBalancer>,
    pub(crate) names: Looked<String>,
}

/// Reads all load balancers (classic ones cannot be filtered), then tags and attributes of
/// those that may be the cluster's.
pub(super) async fn observe(
    aws: &Aws,
    cluster: &str,
    own_names: &BTreeSet<String>,
) -> Result<Classic, AwsError> {
    let pages = aws.elb.describe_load_balancers().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    let all =
        match Looked::sort(all.map_err(|error| {
            AwsError::new("elasticloadbalancing:DescribeLoadBalancers", "", error)
        }))? {
            Looked::Found(all) => all,
            Looked::Denied(error) => {
                return Ok(Classic {
                    ours: Looked::Denied(error.clone()),
                    names: Looked::Denied(error),
                });
            }
            Looked::Not => return Ok(Classic::default()),
        };
    let name = |lb: &LoadBalancerDescription| lb.load_balancer_name().unwrap_or("").to_owned();
    // Old versions of kops named them otherwise, but never without these beginnings.
    let may_be_ours = |lb: &&LoadBalancerDescription| {
        let name = name(lb);
        own_names.contains(&name) || name.starts_with("api-") || name.starts_with("bastion-")
    };
    let candidates: Vec<&LoadBalancerDescription> = all.iter().filter(may_be_ours).collect();
    let batches: Vec<Vec<String>> =
        candidates.chunks(20).map(|batch| batch.iter().map(|lb| name(lb)).collect()).collect();
    let tags = try_join_all(batches.into_iter().map(|batch| tags_of(aws, batch))).await?;
    let tags: BTreeMap<String, Tags> = tags.into_iter().flatten().collect();
    let ours = candidates.into_iter().filter_map(|lb| {
        let tags = tags.get(&name(lb))?;
        let is_ours = tags.get(ec2::CLUSTER_TAG).is_some_and(|tag| tag == cluster);
        (is_ours || own_names.contains(&name(lb))).then_some((lb, tags))
    });
    let ours = try_join_all(ours.map(async |(lb, tags)| {
        let call = aws.elb.describe_load_balancer_attributes();
        let answer = call.load_balancer_name(name(lb)).send().await.map_err(|error| {
            let operation = "elasticloadbalancing:DescribeLoadBalancerAttributes";
            AwsError::new(operation, name(lb), error)
        })?;
        Ok::<_, AwsError>(from_sdk(lb, answer.load_balancer_attributes(), tags))
    }))
    .await?;
    Ok(Classic { ours: Looked::Found(ours), names: Looked::Found(all.iter().map(name).collect()) })
}

async fn tags_of(aws: &Aws, names: Vec<String>) -> Result<Vec<(String, Tags)>, AwsError> {
    let call = aws.elb.describe_tags().set_load_balancer_names(Some(names));
    let answer = call.send().await;
    let answer =
        answer.map_err(|error| AwsError::new("elasticloadbalancing:DescribeTags", "", error))?;
    let tags = answer.tag_descriptions().iter().map(|described| {
        let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().unwrap_or("").to_owned());
        let name = described.load_balancer_name().unwrap_or_default().to_owned();
        (name, described.tags().iter().map(pair).collect())
    });
    Ok(tags.collect())
}

fn from_sdk(
    lb: &LoadBalancerDescription,
    attributes: Option<&LoadBalancerAttributes>,
    tags: &Tags,
) -> LiveLoadBalancer {
    let listeners = lb.listener_descriptions().iter().filter_map(|described| described.listener());
    let health = lb.health_check().map(|check| {
        health_text(
            check.target(),
            check.healthy_threshold(),
            check.unhealthy_threshold(),
            check.interval(),
            check.timeout(),
        )
    });
    let attributes = attributes.cloned();
    LiveLoadBalancer {
        name: lb.load_balancer_name().unwrap_or_default().to_owned(),
        dns_name: lb.dns_name().unwrap_or_default().to_owned(),
        internal: lb.scheme() == Some("internal"),
        listeners: listeners.map(|l| (l.load_balancer_port(), listener_text(l))).collect(),
        health_check: health.unwrap_or_default(),
        idle_timeout_seconds: attributes
            .as_ref()
            .and_then(|all| Some(all.connection_settings()?.idle_timeout())),
        cross_zone: attributes
            .as_ref()
            .and_then(|all| all.cross_zone_load_balancing())
            .is_some_and(|cross| cross.enabled()),
        subnets: lb.subnets().to_vec(),
        security_groups: lb.security_groups().to_vec(),
        tags: tags.clone(),
    }
}

fn health_text(target: &str, healthy: i32, unhealthy: i32, interval: i32, timeout: i32) -> String {
    format!("{target} every {interval}s for {timeout}s, {healthy} up, {unhealthy} down")
}

fn listener_text(listener: &Listener) -> String {
    let certificate = listener.ssl_certificate_id().map(|arn| format!(" {arn}"));
    format!(
        "{}:{} → {}:{}{}",
        listener.protocol(),
        listener.load_balancer_port(),
        listener.instance_protocol().unwrap_or(listener.protocol()),
        listener.instance_port(),
        certificate.unwrap_or_default()
    )
}

impl Manage for LoadBalancer {
    type Live = LiveLoadBalancer;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::LoadBalancer, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        self.subnets.iter().chain(&self.security_groups).cloned().collect()
    }

    fn looked(live: &Live) -> &Looked<LiveLoadBalancer> {
        &live.classic.ours
    }

    fn is(&self, found: &LiveLoadBalancer, _: View<'_>) -> bool {
        found.name == self.aws_name || ec2::is_named(&found.tags, &self.name)
    }

    fn aws_id(found: &LiveLoadBalancer) -> String {
        found.name.clone()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        let fields = Fields::default()
            .with("scheme", scheme(self.internal))
            .set("subnets", self.subnets.iter().map(|subnet| &subnet.name))
            .set("securityGroups", self.security_groups.iter().map(|group| &group.name))
            .set("listeners", self.listener().iter().map(listener_text))
            .with("healthCheck", health_text(&self.health_target, 2, 2, 10, 5))
            .with("idleTimeoutSeconds", self.idle_timeout_seconds);
        match self.cross_zone {
            Some(cross_zone) => fields.with("crossZoneLoadBalancing", cross_zone),
            None => fields,
        }
        .tags(&self.tags)
    }

    fn found(&self, found: &LiveLoadBalancer, view: View<'_>) -> Fields {
        Fields::default()
            .with("scheme", scheme(found.internal))
            .set("subnets", found.subnets.iter().map(|id| view.name(id)))
            .set("securityGroups", found.security_groups.iter().map(|id| view.name(id)))
            .set("listeners", found.listeners.iter().map(|(_, text)| text))
            .with("healthCheck", &found.health_check)
            .maybe("idleTimeoutSeconds", found.idle_timeout_seconds)
            .with("crossZoneLoadBalancing", found.cross_zone)
            .tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["scheme"]
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let object = &self.aws_name;
        let scheme = self.internal.then(|| "internal".to_owned());
        let call = work.aws.elb.create_load_balancer().load_balancer_name(object);
        call.set_scheme(scheme)
            .set_subnets(Some(work.ids(&self.subnets)?))
            .set_security_groups(Some(work.ids(&self.security_groups)?))
            .set_listeners(Some(self.listener().into_iter().collect()))
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("elasticloadbalancing:CreateLoadBalancer", object, error)
            })?;
        self.check_health(work, object).await?;
        self.set_attributes(work, object).await?;
        Ok(Some(object.clone()))
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        let object = &update.id;
        let before = |field: &str| {
            let change = update.fields.iter().find(|change| change.field == field);
            let text = change.and_then(|change| change.before.as_deref()).unwrap_or_default();
            text.split(", ").map(str::to_owned).collect::<BTreeSet<String>>()
        };
        if update.touches("securityGroups") {
            let call = work.aws.elb.apply_security_groups_to_load_balancer();
            let groups = Some(work.ids(&self.security_groups)?);
            let answer = call.load_balancer_name(object).set_security_groups(groups).send().await;
            answer.map_err(|error| {
                let operation = "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer";
                AwsError::new(operation, object, error)
            })?;
        }
        if update.touches("subnets") {
            self.move_subnets(work, object, &before("subnets")).await?;
        }
        if update.touches("listeners") {
            self.replace_listeners(work, object, &before("listeners")).await?;
        }
        if update.touches("healthCheck") {
            self.check_health(work, object).await?;
        }
        if update.touches("idleTimeoutSeconds") || update.touches("crossZoneLoadBalancing") {
            self.set_attributes(work, object).await?;
        }
        if update.touches_tags() {
            let call = work.aws.elb.add_tags().load_balancer_names(object);
            call.set_tags(Some(self.sdk_tags()))
                .send()
                .await
                .map_err(|error| AwsError::new("elasticloadbalancing:AddTags", object, error))?;
        }
        Ok(())
    }
}

impl LoadBalancer {
    fn listener(&self) -> Option<Listener> {
        let protocol = if self.certificate.is_some() { "SSL" } else { "TCP" };
        let listener = Listener::builder().load_balancer_port(self.port).instance_port(self.port);
        listener
            .protocol(protocol)
            .instance_protocol(protocol)
            .set_ssl_certificate_id(self.certificate.clone())
            .build()
            .ok()
    }

    fn sdk_tags(&self) -> Vec<Tag> {
        let tag = |(key, value)| Tag::builder().key(key).value(value).build().ok();
        self.tags.iter().filter_map(tag).collect()
    }

    async fn check_health(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        let check = HealthCheck::builder()
            .target(&self.health_target)
            .healthy_threshold(2)
            .unhealthy_threshold(2)
            .interval(10)
            .timeout(5)
            .build()
            .ok();
        let call = work.aws.elb.configure_health_check().load_balancer_name(object);
        call.set_health_check(check).send().await.map_err(|error| {
            AwsError::new("elasticloadbalancing:ConfigureHealthCheck", object, error)
        })?;
        Ok(())
    }

    async fn set_attributes(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        let idle = ConnectionSettings::builder().idle_timeout(self.idle_timeout_seconds).build();
        let cross_zone = |enabled| CrossZoneLoadBalancing::builder().enabled(enabled).build();
        let attributes = LoadBalancerAttributes::builder()
            .set_connection_settings(idle.ok())
            .set_cross_zone_load_balancing(self.cross_zone.map(cross_zone))
            .build();
        let call = work.aws.elb.modify_load_balancer_attributes().load_balancer_name(object);
        call.load_balancer_attributes(attributes).send().await.map_err(|error| {
            AwsError::new("elasticloadbalancing:ModifyLoadBalancerAttributes", object, error)
        })?;
        Ok(())
    }

    async fn move_subnets(
        &self,
        work: &Work<'_>,
        object: &str,
        before: &BTreeSet<String>,
    ) -> Result<(), AwsError> {
        let wanted: BTreeSet<&String> = self.subnets.iter().map(|subnet| &subnet.name).collect();
        let new = self.subnets.iter().filter(|subnet| !before.contains(&subnet.name));
        let new = work.ids(new)?;
        if !new.is_empty() {
            let call = work.aws.elb.attach_load_balancer_to_subnets().load_balancer_name(object);
            call.set_subnets(Some(new)).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:AttachLoadBalancerToSubnets", object, error)
            })?;
        }
        let old: Vec<String> = before
            .iter()
            .filter(|name| !wanted.contains(name) && !name.is_empty())
            .map(|name| {
                let known = work.id(&ResourceId::new(Kind::Subnet, name.as_str()));
                known.unwrap_or_else(|_| name.clone())
            })
            .collect();
        if !old.is_empty() {
            let call = work.aws.elb.detach_load_balancer_from_subnets().load_balancer_name(object);
            call.set_subnets(Some(old)).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:DetachLoadBalancerFromSubnets", object, error)
            })?;
        }
        Ok(())
    }

    async fn replace_listeners(
        &self,
        work: &Work<'_>,
        object: &str,
        before: &BTreeSet<String>,
    ) -> Result<(), AwsError> {
        let wanted = self.listener();
        let text = wanted.as_ref().map(listener_text);
        let ports: Vec<i32> = before
            .iter()
            .filter(|old| Some(*old) != text.as_ref())
            .filter_map(|old| old.split([':', ' ']).nth(1)?.parse().ok())
            .collect();
        if !ports.is_empty() {
            let call = work.aws.elb.delete_load_balancer_listeners().load_balancer_name(object);
            call.set_load_balancer_ports(Some(ports)).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:DeleteLoadBalancerListeners", object, error)
            })?;
        }
        if text.is_none_or(|text| !before.contains(&text)) {
            let call = work.aws.elb.create_load_balancer_listeners().load_balancer_name(object);
            call.set_listeners(Some(wanted.into_iter().collect())).send().await.map_err(
                |error| {
                    AwsError::new("elasticloadbalancing:CreateLoadBalancerListeners", object, error)
                },
            )?;
        }
        Ok(())
    }
}

/// The names of load balancers that carry a cluster's tag, those of its services included.
pub(super) async fn observe_owned(aws: &Aws, cluster: &str) -> Result<Vec<String>, AwsError> {
    let pages = aws.elb.describe_load_balancers().into_paginator().items().send();
    let all = pages
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(|error| AwsError::new("elasticloadbalancing:DescribeLoadBalancers", "", error))?;
    let names: Vec<String> =
        all.iter().filter_map(|lb| lb.load_balancer_name().map(str::to_owned)).collect();
    let batches = names.chunks(20).map(|batch| tags_of(aws, batch.to_vec()));
    let tags = try_join_all(batches).await?.concat();
    let own = format!("kubernetes.io/cluster/{cluster}");
    let ours = tags.into_iter().filter(|(_, tags)| {
        tags.get(ec2::CLUSTER_TAG).is_some_and(|tag| tag == cluster)
            || tags.get(&own).is_some_and(|tag| tag == "owned")
    });
    Ok(ours.map(|(name, _)| name).collect())
}

pub(super) fn scheme(internal: bool) -> &'static str {
    if internal { "internal" } else { "internet-facing" }
}
