//! `LoadBalancer` of class `Network`: the load balancer before the API server, with the
//! target group that its instances join and the listener between the two.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, Listener, LoadBalancer as SdkBalancer,
    LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, ProtocolEnum, Tag,
    TargetTypeEnum,
};
use futures::future::{join, try_join};

use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, batch, done, ec2};
use crate::core::deletion::Delete;
use crate::core::holders::Holders;
use crate::core::kind::ResourceId;
use crate::core::manage::{Manage, View};
use crate::core::seen::Looked;
use crate::core::text::{TextChanged, TextFields};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::{Address, Work};
use crate::elb::load_balancer::{LoadBalancer, scheme};
use crate::elb::target_group::{self, LiveTargetGroup, TargetGroup, TargetGroupArn};
use crate::spec::arn::target_group_name;

const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
const DESCRIBE_LISTENERS: &str = "elasticloadbalancing:DescribeListeners";
const CREATE: &str = "elasticloadbalancing:CreateLoadBalancer";
const CREATE_TARGET_GROUP: &str = "elasticloadbalancing:CreateTargetGroup";
const CREATE_LISTENER: &str = "elasticloadbalancing:CreateListener";

const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetworkLoadBalancer {
    /// kops' name of it, `api.dev.example.com`.
    pub(crate) name: String,
    /// AWS' name, of at most 32 characters.
    pub(crate) aws_name: String,
    /// AWS' name of the target group.
    pub(crate) target_group: String,
    pub(crate) internal: bool,
    pub(crate) port: i32,
    /// The ARN of a certificate, for a listener that ends TLS.
    pub(crate) certificate: Option<String>,
    pub(crate) cross_zone: bool,
    pub(crate) vpc: ResourceId,
    pub(crate) subnets: Vec<ResourceId>,
    pub(crate) security_groups: Vec<ResourceId>,
    pub(crate) tags: Tags,
    /// What is there of it, filled in where that is changed.
    pub(crate) there: There,
}

/// The ARNs of what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct There {
    balancer: Option<String>,
    target_group: Option<String>,
    /// The listener on the port that is wanted.
    listener: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveNetworkLoadBalancer {
    /// Absent while only the target group was created.
    pub(crate) arn: Option<String>,
    pub(crate) name: String,
    pub(crate) address: Option<Address>,
    pub(crate) internal: bool,
    pub(crate) cross_zone: bool,
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) target_group: Option<LiveTargetGroup>,
    pub(crate) listeners: Vec<LiveListener>,
    pub(crate) tags: Tags,
}

impl LiveNetworkLoadBalancer {
    pub(crate) fn marks(&self) -> Marks<'_> {
        let arn = self.arn.as_deref().unwrap_or(&self.name);
        Marks::of(arn).or_id(&self.name).tags(&self.tags)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct LiveListener {
    pub(crate) arn: String,
    pub(crate) port: Option<i32>,
    /// What it does, as it is told.
    pub(crate) text: String,
}

/// A load balancer that the spec may no longer have.
#[derive(Clone, Debug)]
pub(crate) struct LeftBalancer(pub(crate) Tagged);

/// A target group that the spec may no longer have.
#[derive(Clone, Debug)]
pub(crate) struct LeftTargetGroup(pub(crate) Tagged);

/// The newer load balancers of a region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    /// That of the cluster.
    pub(crate) ours: Looked<LiveNetworkLoadBalancer>,
    /// The ARNs of all target groups.
    pub(crate) target_groups: Looked<TargetGroupArn>,
    /// Others that bear a name such as the cluster gives.
    pub(crate) left: Looked<LeftBalancer>,
    /// Likewise target groups, and those that stand behind such load balancers.
    pub(crate) left_groups: Looked<LeftTargetGroup>,
}

/// The beginnings of the names that clusters give (kops `pkg/model/awsmodel`); Kubernetes names
/// those of services otherwise.
const OWN_BEGINNINGS: [&str; 2] = ["api-", "bastion-"];
const OWN_GROUP_BEGINNINGS: [&str; 3] = ["tcp-", "tls-", "bastion-"];

/// What to look for among the newer load balancers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    /// AWS' names of a load balancer and its target group.
    pub(crate) wanted: Option<&'a (String, String)>,
    /// Whether others may be left that the spec no longer has.
    pub(crate) left: bool,
}

/// Reads the load balancers that are looked for, and all target groups.
pub(crate) async fn observe(aws: &Aws, look: Look<'_>) -> Result<Network, AwsError> {
    let balancers = async {
        match look.wanted.is_some() || look.left {
            true => all_balancers(aws).await,
            false => Ok(Vec::new()),
        }
    };
    let (groups, balancers) = join(all_target_groups(aws), balancers).await;
    let arns = |groups: &Vec<LiveTargetGroup>| {
        groups.iter().map(|group| TargetGroupArn(group.arn.clone())).collect::<Vec<_>>()
    };
    let target_groups = Looked::sort(groups.as_ref().map(arns).map_err(Clone::clone))?;
    let found = async { find(aws, look, groups?, balancers?).await };
    match found.await {
        Ok((ours, left, left_groups)) => Ok(Network { ours, target_groups, left, left_groups }),
        Err(error) if error.fault == Fault::Denied => {
            let (left, left_groups) =
                (Looked::Denied(error.clone()), Looked::Denied(error.clone()));
            let ours = look.wanted.map_or(Looked::Not, |_| Looked::Denied(error));
            Ok(Network { ours, target_groups, left, left_groups })
        }
        Err(error) => Err(error),
    }
}

async fn find(
    aws: &Aws,
    look: Look<'_>,
    groups: Vec<LiveTargetGroup>,
    balancers: Vec<SdkBalancer>,
) -> Result<
    (Looked<LiveNetworkLoadBalancer>, Looked<LeftBalancer>, Looked<LeftTargetGroup>),
    AwsError,
> {
    let (name, group_name) =
        look.wanted.map(|(name, group)| (name.as_str(), group.as_str())).unzip();
    let (mut left, mut left_groups) = (Vec::new(), Vec::new());
    if look.left {
        for lb in &balancers {
            let found = Tagged::from_sdk(lb)?;
            let is_network = lb.r#type() == Some(&LoadBalancerTypeEnum::Network);
            let is_named = OWN_BEGINNINGS.iter().any(|own| found.name.starts_with(own));
            if is_network && is_named && name != Some(&found.name) {
                left.push(found);
            }
        }
        let is_left = |group: &&LiveTargetGroup| {
            let is_named = OWN_GROUP_BEGINNINGS.iter().any(|own| group.name.starts_with(own));
            let is_behind = left.iter().any(|lb| group.balancers.contains(&lb.arn));
            (is_named || is_behind) && group_name != Some(&group.name)
        };
        left_groups.extend(groups.iter().filter(is_left).cloned().map(Tagged::from));
    }
    let group = groups.into_iter().find(|group| group_name == Some(&group.name));
    let balancer = balancers.iter().find(|lb| name.is_some() && lb.load_balancer_name() == name);
    let arn = balancer.and_then(|lb| lb.load_balancer_arn()).map(str::to_owned);
    let of_ours = arn.into_iter().chain(group.as_ref().map(|group| group.arn.clone()));
    let of_left = left.iter().chain(&left_groups).map(|one| one.arn.clone());
    let arns: Vec<String> = of_ours.chain(of_left).collect();
    let mut tags = tags(aws, &arns).await?;
    for one in left.iter_mut().chain(&mut left_groups) {
        one.tags = tags.remove(&one.arn).unwrap_or_default();
    }
    let ours = match (name, balancer, group) {
        (None, ..) => Looked::Not,
        (Some(_), None, None) => Looked::Found(Vec::new()),
        (Some(name), balancer, group) => {
            Looked::Found(vec![read(aws, name, balancer, group, tags).await?])
        }
    };
    let (left, left_groups) = match look.left {
        true => (
            Looked::Found(left.into_iter().map(LeftBalancer).collect()),
            Looked::Found(left_groups.into_iter().map(LeftTargetGroup).collect()),
        ),
        false => (Looked::Not, Looked::Not),
    };
    Ok((ours, left, left_groups))
}

async fn all_balancers(aws: &Aws) -> Result<Vec<SdkBalancer>, AwsError> {
    let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    all.map_err(|error| AwsError::new(DESCRIBE, "", error))
}

async fn all_target_groups(aws: &Aws) -> Result<Vec<LiveTargetGroup>, AwsError> {
    let pages = aws.elbv2.describe_target_groups().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await;
    let all = all.map_err(|error| AwsError::new(target_group::DESCRIBE, "", error))?;
    all.iter().map(LiveTargetGroup::from_sdk).collect()
}

/// Reads what only further calls tell.
async fn read(
    aws: &Aws,
    name: &str,
    balancer: Option<&SdkBalancer>,
    mut group: Option<LiveTargetGroup>,
    mut tags: BTreeMap<String, Tags>,
) -> Result<LiveNetworkLoadBalancer, AwsError> {
    let answer = Answer::of(DESCRIBE, name);
    let given = |lb: &SdkBalancer| answer.id("LoadBalancerArn", lb.load_balancer_arn());
    let arn = balancer.map(given).transpose()?;
    let (listeners, cross_zone) = match &arn {
        Some(arn) => try_join(listeners(aws, arn), cross_zone(aws, arn)).await?,
        None => (Vec::new(), false),
    };
    if let Some(group) = &mut group {
        group.tags = tags.remove(&group.arn).unwrap_or_default();
    }
    let zones = balancer.map(|lb| lb.availability_zones()).unwrap_or_default();
    Ok(LiveNetworkLoadBalancer {
        name: name.to_owned(),
        address: balancer.map(address).transpose()?,
        internal: balancer.and_then(|lb| lb.scheme()) == Some(&LoadBalancerSchemeEnum::Internal),
        cross_zone,
        subnets: zones
            .iter()
            .map(|zone| answer.id("SubnetId", zone.subnet_id()))
            .collect::<Result<_, _>>()?,
        security_groups: balancer.map(|lb| lb.security_groups().to_vec()).unwrap_or_default(),
        target_group: group,
        listeners,
        tags: arn.as_ref().and_then(|arn| tags.remove(arn)).unwrap_or_default(),
        arn,
    })
}

fn address(lb: &SdkBalancer) -> Result<Address, AwsError> {
    let answer = Answer::of(DESCRIBE, lb.load_balancer_name().unwrap_or_default());
    Ok(Address {
        dns_name: answer.id("DNSName", lb.dns_name())?,
        zone: answer.id("CanonicalHostedZoneId", lb.canonical_hosted_zone_id())?,
    })
}

async fn listeners(aws: &Aws, arn: &str) -> Result<Vec<LiveListener>, AwsError> {
    let call = aws.elbv2.describe_listeners().load_balancer_arn(arn);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE_LISTENERS, arn, error))?;
    let live = rows.iter().map(|listener: &Listener| {
        let certificate = listener.certificates().first().and_then(Certificate::certificate_arn);
        let target = listener.default_actions().first().and_then(Action::target_group_arn);
        Ok(LiveListener {
            arn: Answer::of(DESCRIBE_LISTENERS, arn).id("ListenerArn", listener.listener_arn())?,
            port: listener.port(),
            text: listener_text(
                listener.protocol().map_or("", ProtocolEnum::as_str),
                listener.port(),
                certificate,
                target.map_or("something else", target_group_name),
            ),
        })
    });
    live.collect()
}

async fn cross_zone(aws: &Aws, arn: &str) -> Result<bool, AwsError> {
    let call = aws.elbv2.describe_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.send().await.map_err(|error| {
        AwsError::new("elasticloadbalancing:DescribeLoadBalancerAttributes", arn, error)
    })?;
    let mut all = answer.attributes().iter();
    let value = all.find(|attribute| attribute.key() == Some(CROSS_ZONE));
    Ok(value.and_then(LoadBalancerAttribute::value) == Some("true"))
}

/// The tags of load balancers and target groups, by their ARNs.
async fn tags(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, AwsError> {
    const OPERATION: &str = "elasticloadbalancing:DescribeTags";
    let read = batch::read(arns, batch::TAGGED_BALANCERS, async |arns: &[String]| {
        let answer = aws.elbv2.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let described = answer.tag_descriptions().iter().map(|described| {
            let arn = Answer::of(OPERATION, "").id("ResourceArn", described.resource_arn())?;
            let tags = described.tags().iter().map(|tag| {
                let key = Answer::of(OPERATION, &arn).id("Key", tag.key())?;
                Ok((key, tag.value().unwrap_or_default().to_owned()))
            });
            let tags = tags.collect::<Result<Tags, AwsError>>()?;
            Ok((arn, tags))
        });
        described.collect()
    });
    Ok(read.await?.into_iter().collect())
}

fn listener_text(
    protocol: &str,
    port: Option<i32>,
    certificate: Option<&str>,
    target: &str,
) -> String {
    let port = port.map_or_else(|| "?".to_owned(), |port| port.to_string());
    let certificate = certificate.map(|arn| format!(" {arn}")).unwrap_or_default();
    format!("{protocol}:{port} → {target}{certificate}")
}

impl Manage for NetworkLoadBalancer {
    type Live = LiveNetworkLoadBalancer;
    type Fields = TextFields;

    fn id(&self) -> ResourceId {
        ResourceId::new(LoadBalancer::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let subnets = self.subnets.iter().chain(&self.security_groups);
        std::iter::once(&self.vpc).chain(subnets).cloned().collect()
    }

    fn is(&self, found: &LiveNetworkLoadBalancer, _: View<'_>) -> bool {
        found.name == self.aws_name
    }

    fn marks<'a>(&self, found: &'a LiveNetworkLoadBalancer, _: View<'a>) -> Vec<Marks<'a>> {
        let balancer = found.arn.iter().map(|_| found.marks());
        let group = found.target_group.iter();
        let group = group.map(|group| Marks::of(&group.arn).or_id(&group.name).tags(&group.tags));
        balancer.chain(group).collect()
    }

    fn adopt(&self, found: &LiveNetworkLoadBalancer, owner: &Owner) -> Option<String> {
        let group = found.target_group.iter().map(|group| &group.arn);
        let arns = found.arn.iter().chain(group).map(String::as_str);
        Some(owner.adopt(&Taggable::Balancer(arns.collect())))
    }

    /// The target group, since that is what Auto Scaling groups join; the load balancer, where
    /// there is none yet.
    fn aws_id(found: &LiveNetworkLoadBalancer) -> String {
        let group = found.target_group.as_ref().map(|group| &group.arn);
        group.or(found.arn.as_ref()).unwrap_or(&found.name).clone()
    }

    fn address(found: &LiveNetworkLoadBalancer) -> Option<Address> {
        found.address.clone()
    }

    fn wanted(&self, _: View<'_>) -> TextFields {
        let fields = TextFields::default()
            .with("class", "Network")
            .with("scheme", scheme(self.internal))
            .set("subnets", self.subnets.iter().map(|subnet| &subnet.name))
            .set("securityGroups", self.security_groups.iter().map(|group| &group.name))
            .with("targetGroup", &self.target_group);
        self.wanted_of_group(fields)
            .set("listeners", [self.listener()])
            .with("crossZoneLoadBalancing", self.cross_zone)
            .tags(&self.tags)
    }

    fn found(&self, found: &LiveNetworkLoadBalancer, view: View<'_>) -> TextFields {
        let ours = found.listeners.iter().filter(|listener| self.is_ours(listener));
        let fields = TextFields::default()
            .maybe("class", found.arn.as_ref().map(|_| "Network"))
            .with("scheme", scheme(found.internal))
            .set("subnets", found.subnets.iter().map(|id| view.name(id)))
            .set("securityGroups", found.security_groups.iter().map(|id| view.name(id)))
            .maybe("targetGroup", found.target_group.as_ref().map(|group| &group.name));
        let fields = match &found.target_group {
            Some(group) => {
                let fields = fields
                    .with("targetGroup.protocol", &group.protocol)
                    .maybe("targetGroup.port", group.port)
                    .maybe("targetGroup.vpc", group.vpc.as_deref().map(|id| view.name(id)))
                    .with("targetGroup.healthCheck", &group.health_check);
                let tag = |fields: TextFields, (key, value): (&String, &String)| {
                    fields.with(&group_tag(key), value)
                };
                group.tags.iter().fold(fields, tag)
            }
            // One that is missing is made as wanted.
            None => self.wanted_of_group(fields),
        };
        fields
            .set("listeners", ours.map(|listener| &listener.text))
            .with("crossZoneLoadBalancing", found.cross_zone)
            .tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &["targetGroup.protocol", "targetGroup.port", "targetGroup.vpc"]
    }

    fn instead(&self, _: &[crate::core::drift::FieldChange]) -> String {
        format!(
            "a target group {} that is not the cluster's must go or get another name; one that is \
             can be deleted with its listener, and the next update makes them anew",
            self.target_group
        )
    }

    fn left_because(
        &self,
        change: &crate::core::drift::FieldChange,
        found: &LiveNetworkLoadBalancer,
    ) -> Option<(String, String)> {
        let is_other = found.arn.is_some() && found.internal != self.internal;
        (is_other && ["scheme", "subnets"].contains(&change.field.as_str())).then(|| {
            let next = "set the type in the spec back, or delete the load balancer and run this \
                        again";
            let why = "a load balancer's scheme cannot be changed, and its subnets go with it";
            (why.to_owned(), next.to_owned())
        })
    }

    fn facing(&self, found: &LiveNetworkLoadBalancer, _: View<'_>) -> Self {
        let listener = found.listeners.iter().find(|listener| self.is_ours(listener));
        let there = There {
            balancer: found.arn.clone(),
            target_group: found.target_group.as_ref().map(|group| group.arn.clone()),
            listener: listener.map(|listener| listener.arn.clone()),
        };
        Self { there, ..self.clone() }
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let group = self.create_target_group(work).await?;
        let balancer = self.create_balancer(work).await?;
        self.create_listener(work, &balancer, &group).await?;
        Ok(Some(group))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _id: &str,
        changed: &TextChanged,
    ) -> Result<(), AwsError> {
        let group = match &self.there.target_group {
            Some(group) => {
                self.update_target_group(work, changed, group).await?;
                group.clone()
            }
            None => self.create_target_group(work).await?,
        };
        work.learn(self.id(), group.clone());
        let Some(balancer) = &self.there.balancer else {
            let balancer = self.create_balancer(work).await?;
            return self.create_listener(work, &balancer, &group).await;
        };
        if changed.touches("listeners") || changed.touches("targetGroup") {
            match &self.there.listener {
                Some(listener) => self.modify_listener(work, listener, &group).await?,
                None => self.create_listener(work, balancer, &group).await?,
            }
        }
        if changed.touches("subnets") {
            let subnets = Some(work.ids(&self.subnets)?);
            let call = work.aws.elbv2.set_subnets().load_balancer_arn(balancer);
            call.set_subnets(subnets).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSubnets", &self.name, error)
            })?;
        }
        if changed.touches("securityGroups") {
            let groups = Some(work.ids(&self.security_groups)?);
            let call = work.aws.elbv2.set_security_groups().load_balancer_arn(balancer);
            call.set_security_groups(groups).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSecurityGroups", &self.name, error)
            })?;
        }
        if changed.touches("crossZoneLoadBalancing") {
            self.set_cross_zone(work, balancer).await?;
        }
        if changed.touches_tags() {
            self.tag(work, balancer).await?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &str, view: View<'_>) -> LiveNetworkLoadBalancer {
        let arn =
            |what: &str| format!("arn:aws:elasticloadbalancing:us-west-2:123456789012:{what}/{id}");
        let dns_name = format!("{}-1.elb.us-west-2.amazonaws.com", self.aws_name);
        let balancer = arn("loadbalancer/net");
        LiveNetworkLoadBalancer {
            arn: Some(balancer.clone()),
            name: self.aws_name.clone(),
            address: Some(Address { dns_name, zone: "ZELB".to_owned() }),
            internal: self.internal,
            cross_zone: self.cross_zone,
            subnets: self.subnets.iter().map(|subnet| view.id_of(subnet)).collect(),
            security_groups: self.security_groups.iter().map(|one| view.id_of(one)).collect(),
            target_group: Some(LiveTargetGroup {
                arn: arn("targetgroup"),
                name: self.target_group.clone(),
                protocol: self.protocol().as_str().to_owned(),
                port: Some(self.port),
                vpc: Some(view.id_of(&self.vpc)),
                health_check: target_group::wanted_health(),
                balancers: vec![balancer],
                tags: self.tags.clone(),
            }),
            listeners: vec![LiveListener {
                arn: arn("listener"),
                port: Some(self.port),
                text: self.listener(),
            }],
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(
        &self,
        live: &LiveNetworkLoadBalancer,
    ) -> Vec<(&'static str, LiveNetworkLoadBalancer)> {
        type Live = LiveNetworkLoadBalancer;
        let other = || vec!["other".to_owned()];
        let with = |edit: fn(&mut LiveTargetGroup)| {
            let mut target_group = live.target_group.clone();
            target_group.iter_mut().for_each(edit);
            Live { target_group, ..live.clone() }
        };
        let mut listeners = live.listeners.clone();
        listeners.iter_mut().for_each(|one| one.text = "TCP:443 → other".to_owned());
        vec![
            ("class", Live { arn: None, ..live.clone() }),
            ("scheme", Live { internal: !live.internal, ..live.clone() }),
            ("subnets", Live { subnets: other(), ..live.clone() }),
            ("securityGroups", Live { security_groups: other(), ..live.clone() }),
            ("targetGroup", Live { target_group: None, ..live.clone() }),
            ("targetGroup.protocol", with(|group| group.protocol = "UDP".to_owned())),
            ("targetGroup.port", with(|group| group.port = Some(1))),
            ("targetGroup.vpc", with(|group| group.vpc = Some("vpc-other".to_owned()))),
            ("targetGroup.healthCheck", with(|group| group.health_check = "other".to_owned())),
            ("targetGroup.tags", with(|group| group.tags = Self::lacking_one(&group.tags))),
            ("listeners", Live { listeners, ..live.clone() }),
            ("crossZoneLoadBalancing", Live { cross_zone: !live.cross_zone, ..live.clone() }),
            ("tags", Live { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

/// How a tag of the target group is told.
fn group_tag(key: &str) -> String {
    format!("targetGroup.tags[{key:?}]")
}

impl NetworkLoadBalancer {
    fn protocol(&self) -> ProtocolEnum {
        if self.certificate.is_some() { ProtocolEnum::Tls } else { ProtocolEnum::Tcp }
    }

    /// Whether a listener is that of the cluster: others may be on other ports.
    pub(crate) fn is_ours(&self, listener: &LiveListener) -> bool {
        listener.port == Some(self.port)
    }

    fn listener(&self) -> String {
        let certificate = self.certificate.as_deref();
        listener_text(self.protocol().as_str(), Some(self.port), certificate, &self.target_group)
    }

    fn wanted_of_group(&self, fields: TextFields) -> TextFields {
        let fields = fields
            .with("targetGroup.protocol", self.protocol().as_str())
            .with("targetGroup.port", self.port)
            .with("targetGroup.vpc", &self.vpc.name)
            .with("targetGroup.healthCheck", target_group::wanted_health());
        let tag = |fields: TextFields, (key, value): (&String, &String)| {
            fields.with(&group_tag(key), value)
        };
        self.tags.iter().fold(fields, tag)
    }

    fn sdk_tags(&self) -> Vec<Tag> {
        let tag = |(key, value)| Tag::builder().key(key).value(value).build();
        self.tags.iter().map(tag).collect()
    }

    async fn tag(&self, work: &Work<'_>, arn: &str) -> Result<(), AwsError> {
        let call = work.aws.elbv2.add_tags().resource_arns(arn).set_tags(Some(self.sdk_tags()));
        let answer = call.send().await;
        let answer = answer.map(drop);
        work.unless_lacking(
            answer.map_err(|error| AwsError::new("elasticloadbalancing:AddTags", arn, error)),
        )
    }

    async fn create_target_group(&self, work: &Work<'_>) -> Result<String, AwsError> {
        let vpc = work.id(&self.vpc)?;
        let call = work.aws.elbv2.create_target_group().name(&self.target_group);
        let answer = call
            .protocol(self.protocol())
            .port(self.port)
            .vpc_id(&vpc)
            .target_type(TargetTypeEnum::Instance)
            .health_check_protocol(ProtocolEnum::Tcp)
            .health_check_interval_seconds(target_group::INTERVAL_SECONDS)
            .healthy_threshold_count(target_group::HEALTHY_AFTER)
            .unhealthy_threshold_count(target_group::UNHEALTHY_AFTER)
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE_TARGET_GROUP, &self.target_group, error));
        match answer {
            Ok(answer) => {
                let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
                Answer::of(CREATE_TARGET_GROUP, &self.target_group).id("TargetGroupArn", arn)
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let all = all_target_groups(work.aws).await?;
                let is_as_wanted = |group: &LiveTargetGroup| {
                    group.name == self.target_group
                        && group.vpc.as_ref() == Some(&vpc)
                        && group.port == Some(self.port)
                        && group.protocol == self.protocol().as_str()
                };
                let found = all.into_iter().find(is_as_wanted).ok_or(error.clone())?;
                self.only_ours(work.aws, found.arn, error).await
            }
            Err(error) => Err(error),
        }
    }

    /// What was found where a name was taken, if it carries the cluster's tags.
    async fn only_ours(&self, aws: &Aws, arn: String, error: AwsError) -> Result<String, AwsError> {
        let found = tags(aws, std::slice::from_ref(&arn)).await?;
        let is_ours = found.get(&arn).is_some_and(|tags| ec2::is_identified(tags, &self.tags));
        if is_ours { Ok(arn) } else { Err(error) }
    }

    async fn update_target_group(
        &self,
        work: &Work<'_>,
        changed: &TextChanged,
        arn: &str,
    ) -> Result<(), AwsError> {
        if changed.touches("targetGroup.healthCheck") {
            let call = work.aws.elbv2.modify_target_group().target_group_arn(arn);
            call.health_check_protocol(ProtocolEnum::Tcp)
                .health_check_interval_seconds(target_group::INTERVAL_SECONDS)
                .healthy_threshold_count(target_group::HEALTHY_AFTER)
                .unhealthy_threshold_count(target_group::UNHEALTHY_AFTER)
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("elasticloadbalancing:ModifyTargetGroup", arn, error)
                })?;
        }
        if self.tags.keys().any(|key| changed.touches(&group_tag(key))) {
            self.tag(work, arn).await?;
        }
        Ok(())
    }

    async fn create_balancer(&self, work: &Work<'_>) -> Result<String, AwsError> {
        let scheme = match self.internal {
            true => LoadBalancerSchemeEnum::Internal,
            false => LoadBalancerSchemeEnum::InternetFacing,
        };
        let call = work.aws.elbv2.create_load_balancer().name(&self.aws_name);
        let answer = call
            .r#type(LoadBalancerTypeEnum::Network)
            .scheme(scheme.clone())
            .set_subnets(Some(work.ids(&self.subnets)?))
            .set_security_groups(Some(work.ids(&self.security_groups)?))
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await
            .map_err(|error| AwsError::new(CREATE, &self.aws_name, error));
        let made = match answer {
            Ok(answer) => {
                let made = answer.load_balancers().first().cloned();
                Answer::of(CREATE, &self.aws_name).part("LoadBalancers", made)?
            }
            // The name is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let all = all_balancers(work.aws).await?;
                let is_as_wanted = |lb: &SdkBalancer| {
                    lb.load_balancer_name() == Some(&self.aws_name)
                        && lb.r#type() == Some(&LoadBalancerTypeEnum::Network)
                        && lb.scheme() == Some(&scheme)
                };
                let found = all.into_iter().find(is_as_wanted).ok_or(error.clone())?;
                let arn = Answer::of(DESCRIBE, &self.aws_name)
                    .id("LoadBalancerArn", found.load_balancer_arn())?;
                self.only_ours(work.aws, arn, error).await?;
                found
            }
            Err(error) => return Err(error),
        };
        work.learn_address(self.id(), address(&made)?);
        let arn =
            Answer::of(CREATE, &self.aws_name).id("LoadBalancerArn", made.load_balancer_arn())?;
        if self.cross_zone {
            self.set_cross_zone(work, &arn).await?;
        }
        Ok(arn)
    }

    fn forward(&self, group: &str) -> Action {
        Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group).build()
    }

    fn certificates(&self) -> Option<Vec<Certificate>> {
        let certificate = |arn| Certificate::builder().certificate_arn(arn).build();
        self.certificate.as_ref().map(|arn| vec![certificate(arn)])
    }

    async fn create_listener(
        &self,
        work: &Work<'_>,
        balancer: &str,
        group: &str,
    ) -> Result<(), AwsError> {
        let call = work.aws.elbv2.create_listener().load_balancer_arn(balancer);
        let answer = call
            .protocol(self.protocol())
            .port(self.port)
            .set_certificates(self.certificates())
            .default_actions(self.forward(group))
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new(CREATE_LISTENER, &self.aws_name, error)) {
            // The port is taken, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let found = listeners(work.aws, balancer).await?;
                let is_there = found.iter().any(|listener| listener.text == self.listener());
                if is_there { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }

    /// Changes a listener in place, so that the API server stays reachable.
    async fn modify_listener(
        &self,
        work: &Work<'_>,
        listener: &str,
        group: &str,
    ) -> Result<(), AwsError> {
        let call = work.aws.elbv2.modify_listener().listener_arn(listener);
        call.protocol(self.protocol())
            .port(self.port)
            .set_certificates(self.certificates())
            .default_actions(self.forward(group))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("elasticloadbalancing:ModifyListener", &self.aws_name, error)
            })?;
        Ok(())
    }

    async fn set_cross_zone(&self, work: &Work<'_>, balancer: &str) -> Result<(), AwsError> {
        let attribute =
            LoadBalancerAttribute::builder().key(CROSS_ZONE).value(self.cross_zone.to_string());
        let call = work.aws.elbv2.modify_load_balancer_attributes().load_balancer_arn(balancer);
        call.attributes(attribute.build()).send().await.map_err(|error| {
            let operation = "elasticloadbalancing:ModifyLoadBalancerAttributes";
            AwsError::new(operation, &self.aws_name, error)
        })?;
        Ok(())
    }
}

/// A load balancer or a target group that may have to go.
#[derive(Clone, Debug)]
pub(crate) struct Tagged {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// Empty for a target group.
    pub(crate) dns_name: String,
    /// The load balancers before a target group.
    pub(crate) balancers: Vec<String>,
    pub(crate) tags: Tags,
}

impl From<LiveTargetGroup> for Tagged {
    fn from(group: LiveTargetGroup) -> Self {
        Self {
            arn: group.arn,
            name: group.name,
            dns_name: String::new(),
            balancers: group.balancers,
            tags: group.tags,
        }
    }
}

impl Tagged {
    /// What the answer tells; tags are told by another call.
    fn from_sdk(lb: &SdkBalancer) -> Result<Self, AwsError> {
        let arn = Answer::of(DESCRIBE, "").id("LoadBalancerArn", lb.load_balancer_arn())?;
        Ok(Self {
            name: Answer::of(DESCRIBE, &arn).id("LoadBalancerName", lb.load_balancer_name())?,
            dns_name: lb.dns_name().unwrap_or_default().to_owned(),
            balancers: Vec::new(),
            tags: Tags::new(),
            arn,
        })
    }

    /// A load balancer's, which goes the way of those of these target groups that the spec names
    /// and that stand behind it.
    pub(crate) fn marks_before<'a>(
        &'a self,
        groups: impl Iterator<Item = &'a Self>,
        owner: &Owner,
    ) -> Marks<'a> {
        let named = |group: &&Self| owner.names(TargetGroup::KIND, &group.marks());
        let mut behind = groups.filter(|group| group.balancers.contains(&self.arn));
        match behind.find(named) {
            Some(group) => {
                let whose = owner.whose(TargetGroup::KIND, &group.marks());
                self.marks().hangs_on(format!("before TargetGroup/{}", group.name), whose)
            }
            None => self.marks(),
        }
    }

    pub(crate) fn marks(&self) -> Marks<'_> {
        Marks::of(&self.arn).or_id(&self.name).tags(&self.tags)
    }
}

/// All network load balancers, and all target groups.
pub(crate) async fn observe_all(aws: &Aws) -> Result<(Vec<Tagged>, Vec<Tagged>), AwsError> {
    let balancers = async {
        let all = all_balancers(aws).await?;
        with_tags(aws, all.iter().map(Tagged::from_sdk).collect::<Result<_, AwsError>>()?).await
    };
    let groups = async {
        let all = all_target_groups(aws).await?;
        with_tags(aws, all.into_iter().map(Tagged::from).collect()).await
    };
    try_join(balancers, groups).await
}

async fn with_tags(aws: &Aws, mut all: Vec<Tagged>) -> Result<Vec<Tagged>, AwsError> {
    let arns: Vec<String> = all.iter().map(|one| one.arn.clone()).collect();
    let mut tags = tags(aws, &arns).await?;
    for one in &mut all {
        one.tags = tags.remove(&one.arn).unwrap_or_default();
    }
    Ok(all)
}

/// Deletes a network load balancer, by its ARN.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetworkLoadBalancerDeletion(pub(crate) String);

impl Delete for NetworkLoadBalancerDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(arn) = self;
        let call = aws.elbv2.delete_load_balancer().load_balancer_arn(arn);
        done("elasticloadbalancing:DeleteLoadBalancer", arn, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, holders: &mut Holders) -> Result<(), AwsError> {
        // AWS names in its message what uses one.
        holders.add(false, "what AWS names".to_owned());
        Ok(())
    }
}
