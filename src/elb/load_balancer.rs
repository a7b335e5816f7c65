//! `LoadBalancer`: a classic load balancer, before the API server or the bastions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancing::types::{
    ConnectionSettings, CrossZoneLoadBalancing, HealthCheck, Listener, LoadBalancerAttributes,
    LoadBalancerDescription, Tag,
};
use futures::future::try_join_all;

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, ec2};
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, View};
use crate::core::seen::Looked;
use crate::core::text::{TextChanged, TextFields};
use crate::core::whose::{Marks, Owner, Taggable, speak_of};
use crate::core::work::{Address, Work};

const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
const CREATE: &str = "elasticloadbalancing:CreateLoadBalancer";

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
    /// What is there of it, filled in where that is changed.
    pub(crate) there: There,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct There {
    /// The ids of its subnets.
    subnets: Vec<String>,
    /// Whether there is a listener on its port.
    listens: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveLoadBalancer {
    pub(crate) name: String,
    pub(crate) address: Option<Address>,
    pub(crate) internal: bool,
    pub(crate) listeners: Vec<(i32, String)>,
    pub(crate) health_check: String,
    pub(crate) idle_timeout_seconds: Option<i32>,
    pub(crate) cross_zone: bool,
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) tags: Tags,
}

impl LiveLoadBalancer {
    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.name).tags(&self.tags)
    }
}

/// The classic load balancers of a region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classic {
    /// Those of the cluster.
    pub(crate) ours: Looked<LiveLoadBalancer>,
    pub(crate) names: Looked<ClassicName>,
}

/// The name of a load balancer, whosever it is.
#[derive(Clone, Debug)]
pub(crate) struct ClassicName(pub(crate) String);

/// Reads all load balancers (classic ones cannot be filtered), then tags and attributes of
/// those that may be the cluster's.
pub(crate) async fn observe(
    aws: &Aws,
    cluster: &str,
    own_names: &BTreeSet<String>,
) -> Result<Classic, AwsError> {
    let all = match Looked::sort(all_by_name(aws).await)? {
        Looked::Found(all) => all,
        Looked::Denied(error) => {
            return Ok(Classic {
                ours: Looked::Denied(error.clone()),
                names: Looked::Denied(error),
            });
        }
        Looked::Not => return Ok(Classic::default()),
    };
    // Old versions of kops named them otherwise, but never without these beginnings.
    let may_be_ours = |name: &str| {
        own_names.contains(name) || name.starts_with("api-") || name.starts_with("bastion-")
    };
    let candidates: Vec<String> =
        all.iter().map(|(name, _)| name.clone()).filter(|name| may_be_ours(name)).collect();
    let tags = tags_of(aws, &candidates).await?;
    let ours = all.iter().filter_map(|(name, lb)| {
        let tags = tags.get(name)?;
        (speak_of(tags, cluster) || own_names.contains(name)).then_some((name, lb, tags))
    });
    let ours = try_join_all(ours.map(async |(name, lb, tags)| {
        let call = aws.elb.describe_load_balancer_attributes();
        let answer = call.load_balancer_name(name).send().await.map_err(|error| {
            let operation = "elasticloadbalancing:DescribeLoadBalancerAttributes";
            AwsError::new(operation, name, error)
        })?;
        from_sdk(name, lb, answer.load_balancer_attributes(), tags)
    }))
    .await?;
    let names = all.into_iter().map(|(name, _)| ClassicName(name)).collect();
    Ok(Classic { ours: Looked::Found(ours), names: Looked::Found(names) })
}

async fn all_by_name(aws: &Aws) -> Result<Vec<(String, LoadBalancerDescription)>, AwsError> {
    let pages = aws.elb.describe_load_balancers().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    let all = all.map_err(|error| AwsError::new(DESCRIBE, "", error))?;
    let named = |lb: LoadBalancerDescription| {
        let name = Answer::of(DESCRIBE, "").id("LoadBalancerName", lb.load_balancer_name())?;
        Ok((name, lb))
    };
    all.into_iter().map(named).collect()
}

async fn tags_of(aws: &Aws, names: &[String]) -> Result<BTreeMap<String, Tags>, AwsError> {
    const OPERATION: &str = "elasticloadbalancing:DescribeTags";
    let read = batch::read(names, batch::TAGGED_BALANCERS, async |names: &[String]| {
        let call = aws.elb.describe_tags().set_load_balancer_names(Some(names.to_vec()));
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let tags = answer.tag_descriptions().iter().map(|described| {
            let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().unwrap_or("").to_owned());
            let name = described.load_balancer_name();
            let name = Answer::of(OPERATION, "").id("LoadBalancerName", name)?;
            Ok((name, described.tags().iter().map(pair).collect()))
        });
        tags.collect()
    });
    Ok(read.await?.into_iter().collect())
}

fn address(name: &str, lb: &LoadBalancerDescription) -> Result<Address, AwsError> {
    let answer = Answer::of(DESCRIBE, name);
    Ok(Address {
        dns_name: answer.id("DNSName", lb.dns_name())?,
        zone: answer.id("CanonicalHostedZoneNameID", lb.canonical_hosted_zone_name_id())?,
    })
}

fn from_sdk(
    name: &str,
    lb: &LoadBalancerDescription,
    attributes: Option<&LoadBalancerAttributes>,
    tags: &Tags,
) -> Result<LiveLoadBalancer, AwsError> {
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
    Ok(LiveLoadBalancer {
        name: name.to_owned(),
        address: Some(address(name, lb)?),
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
    })
}

fn health_text(target: &str, healthy: i32, unhealthy: i32, interval: i32, timeout: i32) -> String {
    format!("{target} every {interval}s for {timeout}s, {healthy} up, {unhealthy} down")
}

fn listener_text(listener: &Listener) -> String {
    told(
        listener.protocol(),
        listener.load_balancer_port(),
        listener.instance_protocol().unwrap_or(listener.protocol()),
        listener.instance_port(),
        listener.ssl_certificate_id(),
    )
}

fn told(
    protocol: &str,
    port: i32,
    instance_protocol: &str,
    instance_port: i32,
    certificate: Option<&str>,
) -> String {
    let certificate = certificate.map(|arn| format!(" {arn}")).unwrap_or_default();
    format!("{protocol}:{port} → {instance_protocol}:{instance_port}{certificate}")
}

impl Manage for LoadBalancer {
    type Live = LiveLoadBalancer;
    type Fields = TextFields;

    fn id(&self) -> ResourceId {
        ResourceId::new(LoadBalancer::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        self.subnets.iter().chain(&self.security_groups).cloned().collect()
    }

    fn is(&self, found: &LiveLoadBalancer, view: View<'_>) -> bool {
        found.name == self.aws_name
            || ec2::is_named(&found.tags, &self.name)
                && view.owns(LoadBalancer::KIND, &found.marks())
    }

    fn marks<'a>(&self, found: &'a LiveLoadBalancer, _: View<'a>) -> Vec<Marks<'a>> {
        vec![found.marks()]
    }

    fn adopt(&self, found: &LiveLoadBalancer, owner: &Owner) -> Option<String> {
        Some(owner.adopt(&Taggable::ClassicBalancer(&found.name)))
    }

    fn aws_id(found: &LiveLoadBalancer) -> String {
        found.name.clone()
    }

    fn address(found: &LiveLoadBalancer) -> Option<Address> {
        found.address.clone()
    }

    fn wanted(&self, _: View<'_>) -> TextFields {
        let fields = TextFields::default()
            .with("scheme", scheme(self.internal))
            .set("subnets", self.subnets.iter().map(|subnet| &subnet.name))
            .set("securityGroups", self.security_groups.iter().map(|group| &group.name))
            .set("listeners", [self.listener_told()])
            .with("healthCheck", health_text(&self.health_target, 2, 2, 10, 5))
            .with("idleTimeoutSeconds", self.idle_timeout_seconds);
        match self.cross_zone {
            Some(cross_zone) => fields.with("crossZoneLoadBalancing", cross_zone),
            None => fields,
        }
        .tags(&self.tags)
    }

    fn found(&self, found: &LiveLoadBalancer, view: View<'_>) -> TextFields {
        let ours = found.listeners.iter().filter(|(port, _)| self.is_ours(*port));
        TextFields::default()
            .with("scheme", scheme(found.internal))
            .set("subnets", found.subnets.iter().map(|id| view.name(id)))
            .set("securityGroups", found.security_groups.iter().map(|id| view.name(id)))
            .set("listeners", ours.map(|(_, text)| text))
            .with("healthCheck", &found.health_check)
            .maybe("idleTimeoutSeconds", found.idle_timeout_seconds)
            .with("crossZoneLoadBalancing", found.cross_zone)
            .tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["scheme"]
    }

    fn facing(&self, found: &LiveLoadBalancer, _: View<'_>) -> Self {
        let there = There {
            subnets: found.subnets.clone(),
            listens: found.listeners.iter().any(|(port, _)| self.is_ours(*port)),
        };
        Self { there, ..self.clone() }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let object = &self.aws_name;
        let scheme = self.internal.then(|| "internal".to_owned());
        let call = work.aws.elb.create_load_balancer().load_balancer_name(object);
        let answer = call
            .set_scheme(scheme)
            .set_subnets(Some(work.ids(&self.subnets)?))
            .set_security_groups(Some(work.ids(&self.security_groups)?))
            .listeners(self.listener(CREATE)?)
            .set_tags(Some(self.sdk_tags(CREATE)?))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new(CREATE, object, error)) {
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict && self.stands(work).await? => {}
            answer => drop(answer?),
        }
        self.check_health(work, object).await?;
        self.set_attributes(work, object).await?;
        // The answer to the creation does not tell the zone of its name.
        let all = all_by_name(work.aws).await?;
        let made = all.iter().find(|(name, _)| name == object).map(|(_, lb)| lb);
        let made = made.ok_or_else(|| AwsError {
            operation: DESCRIBE,
            object: object.clone(),
            fault: Fault::Missing,
            message: "it is not to be seen yet".to_owned(),
        })?;
        work.learn_address(self.id(), address(object, made)?);
        Ok(Some(object.clone()))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &str,
        changed: &TextChanged,
    ) -> Result<(), AwsError> {
        let object = id;
        if changed.touches("securityGroups") {
            let call = work.aws.elb.apply_security_groups_to_load_balancer();
            let groups = Some(work.ids(&self.security_groups)?);
            let answer = call.load_balancer_name(object).set_security_groups(groups).send().await;
            answer.map_err(|error| {
                let operation = "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer";
                AwsError::new(operation, object, error)
            })?;
        }
        if changed.touches("subnets") {
            self.move_subnets(work, object).await?;
        }
        if changed.touches("listeners") {
            self.replace_listener(work, object).await?;
        }
        if changed.touches("healthCheck") {
            self.check_health(work, object).await?;
        }
        if changed.touches("idleTimeoutSeconds") || changed.touches("crossZoneLoadBalancing") {
            self.set_attributes(work, object).await?;
        }
        if changed.touches_tags() {
            const OPERATION: &str = "elasticloadbalancing:AddTags";
            let call = work.aws.elb.add_tags().load_balancer_names(object);
            let answer = call.set_tags(Some(self.sdk_tags(OPERATION)?)).send().await;
            let answer = answer.map(drop);
            let answer = answer.map_err(|error| AwsError::new(OPERATION, object, error));
            work.unless_lacking(answer)?;
        }
        Ok(())
    }
}

impl LoadBalancer {
    /// Whether a listener is that of the cluster, by its port: others may be on other ports.
    pub(crate) fn is_ours(&self, port: i32) -> bool {
        port == self.port
    }

    fn protocol(&self) -> &'static str {
        if self.certificate.is_some() { "SSL" } else { "TCP" }
    }

    fn listener(&self, operation: &'static str) -> Result<Listener, AwsError> {
        Listener::builder()
            .load_balancer_port(self.port)
            .instance_port(self.port)
            .protocol(self.protocol())
            .instance_protocol(self.protocol())
            .set_ssl_certificate_id(self.certificate.clone())
            .build()
            .map_err(|error| AwsError::unbuilt(operation, &self.aws_name, error))
    }

    fn listener_told(&self) -> String {
        let (protocol, port) = (self.protocol(), self.port);
        told(protocol, port, protocol, port, self.certificate.as_deref())
    }

    fn sdk_tags(&self, operation: &'static str) -> Result<Vec<Tag>, AwsError> {
        let tags =
            self.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<_, _>>();
        tags.map_err(|error| AwsError::unbuilt(operation, &self.aws_name, error))
    }

    /// Whether there is one of its name that is the cluster's and as wanted.
    async fn stands(&self, work: &Work<'_>) -> Result<bool, AwsError> {
        let all = all_by_name(work.aws).await?;
        let Some((name, lb)) = all.iter().find(|(name, _)| *name == self.aws_name) else {
            return Ok(false);
        };
        let tags = tags_of(work.aws, std::slice::from_ref(name)).await?;
        let is_ours = tags.get(name).is_some_and(|tags| ec2::is_identified(tags, &self.tags));
        let subnets: BTreeSet<&String> = lb.subnets().iter().collect();
        let wanted = work.ids(&self.subnets)?;
        let listeners = lb.listener_descriptions().iter().filter_map(|one| one.listener());
        Ok(is_ours
            && (lb.scheme() == Some("internal")) == self.internal
            && subnets == wanted.iter().collect()
            && listeners.map(listener_text).any(|text| text == self.listener_told()))
    }

    async fn check_health(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "elasticloadbalancing:ConfigureHealthCheck";
        let check = HealthCheck::builder()
            .target(&self.health_target)
            .healthy_threshold(2)
            .unhealthy_threshold(2)
            .interval(10)
            .timeout(5)
            .build()
            .map_err(|error| AwsError::unbuilt(OPERATION, object, error))?;
        let call = work.aws.elb.configure_health_check().load_balancer_name(object);
        let answer = call.health_check(check).send().await;
        answer.map(drop).map_err(|error| AwsError::new(OPERATION, object, error))
    }

    async fn set_attributes(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "elasticloadbalancing:ModifyLoadBalancerAttributes";
        let idle = ConnectionSettings::builder().idle_timeout(self.idle_timeout_seconds).build();
        let idle = idle.map_err(|error| AwsError::unbuilt(OPERATION, object, error))?;
        let cross_zone = |enabled| CrossZoneLoadBalancing::builder().enabled(enabled).build();
        let attributes = LoadBalancerAttributes::builder()
            .connection_settings(idle)
            .set_cross_zone_load_balancing(self.cross_zone.map(cross_zone))
            .build();
        let call = work.aws.elb.modify_load_balancer_attributes().load_balancer_name(object);
        let answer = call.load_balancer_attributes(attributes).send().await;
        answer.map(drop).map_err(|error| AwsError::new(OPERATION, object, error))
    }

    async fn move_subnets(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        let wanted = work.ids(&self.subnets)?;
        let new: Vec<String> =
            wanted.iter().filter(|id| !self.there.subnets.contains(id)).cloned().collect();
        if !new.is_empty() {
            let call = work.aws.elb.attach_load_balancer_to_subnets().load_balancer_name(object);
            call.set_subnets(Some(new)).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:AttachLoadBalancerToSubnets", object, error)
            })?;
        }
        let old: Vec<String> =
            self.there.subnets.iter().filter(|id| !wanted.contains(id)).cloned().collect();
        if !old.is_empty() {
            let call = work.aws.elb.detach_load_balancer_from_subnets().load_balancer_name(object);
            call.set_subnets(Some(old)).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:DetachLoadBalancerFromSubnets", object, error)
            })?;
        }
        Ok(())
    }

    /// A classic load balancer's listener cannot be changed but for its certificate: the one on
    /// our port is made anew, others are left.
    async fn replace_listener(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "elasticloadbalancing:CreateLoadBalancerListeners";
        let listener = self.listener(OPERATION)?;
        if self.there.listens {
            let call = work.aws.elb.delete_load_balancer_listeners().load_balancer_name(object);
            call.load_balancer_ports(self.port).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:DeleteLoadBalancerListeners", object, error)
            })?;
        }
        let call = work.aws.elb.create_load_balancer_listeners().load_balancer_name(object);
        let answer = call.listeners(listener).send().await;
        match answer.map_err(|error| AwsError::new(OPERATION, object, error)) {
            // The port is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict && self.stands(work).await? => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// All classic load balancers, those of the cluster's services included.
pub(crate) async fn observe_all(aws: &Aws) -> Result<Vec<LiveLoadBalancer>, AwsError> {
    let all = all_by_name(aws).await?;
    let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let tags = tags_of(aws, &names).await?;
    let none = Tags::new();
    let live =
        all.iter().map(|(name, lb)| from_sdk(name, lb, None, tags.get(name).unwrap_or(&none)));
    live.collect()
}

pub(crate) fn scheme(internal: bool) -> &'static str {
    if internal { "internal" } else { "internet-facing" }
}
