//! `LoadBalancer` of class `Network`: the load balancer before the API server, with the
//! target group that its instances join and the listener between the two.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, Listener, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerTypeEnum, ProtocolEnum, Tag, TargetTypeEnum,
};
use futures::future::{try_join, try_join_all, try_join3};

use super::ids::Work;
use super::live::Live;
use super::load_balancer::scheme;
use super::managed::{Fields, Looked, Manage, Update, View};
use super::{Kind, ResourceId, Tags, ec2};
use crate::aws::{Aws, AwsError};

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
}

#[derive(Clone, Debug)]
pub(crate) struct LiveNetworkLoadBalancer {
    /// Absent while only the target group was created.
    pub(crate) arn: Option<String>,
    pub(crate) name: String,
    pub(crate) dns_name: String,
    pub(crate) internal: bool,
    pub(crate) cross_zone: bool,
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) target_group: Option<String>,
    pub(crate) listeners: Vec<(String, String)>,
    pub(crate) tags: Tags,
}

/// The newer load balancers of a region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    /// That of the cluster.
    pub(crate) ours: Looked<LiveNetworkLoadBalancer>,
    /// The ARNs of all target groups.
    pub(crate) target_groups: Looked<String>,
}

/// Reads the load balancer of a name, if one is wanted, and all target groups.
pub(super) async fn observe(
    aws: &Aws,
    wanted: Option<&(String, String)>,
) -> Result<Network, AwsError> {
    let groups = async {
        let pages = aws.elbv2.describe_target_groups().into_paginator().items().send();
        let groups = pages.collect::<Result<Vec<_>, _>>().await;
        groups
            .map_err(|error| AwsError::new("elasticloadbalancing:DescribeTargetGroups", "", error))
    };
    let balancers = async {
        if wanted.is_none() {
            return Ok(Vec::new());
        }
        let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
        pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| AwsError::new("elasticloadbalancing:DescribeLoadBalancers", "", error))
    };
    let (groups, balancers) = match try_join(groups, balancers).await {
        Ok(found) => found,
        Err(error) => {
            let denied: Looked<String> = Looked::sort(Err(error.clone()))?;
            return Ok(Network { ours: Looked::sort(Err(error))?, target_groups: denied });
        }
    };
    let arns = groups.iter().filter_map(|group| group.target_group_arn().map(str::to_owned));
    let target_groups = Looked::Found(arns.collect());
    let Some((name, group_name)) = wanted else {
        return Ok(Network { ours: Looked::Not, target_groups });
    };
    let group = groups.iter().find(|group| group.target_group_name() == Some(group_name));
    let group = group.and_then(|group| group.target_group_arn().map(str::to_owned));
    let balancer = balancers.iter().find(|lb| lb.load_balancer_name() == Some(name));
    let mut found = LiveNetworkLoadBalancer {
        arn: balancer.and_then(|lb| lb.load_balancer_arn().map(str::to_owned)),
        name: name.clone(),
        dns_name: balancer.and_then(|lb| lb.dns_name()).unwrap_or_default().to_owned(),
        internal: balancer.and_then(|lb| lb.scheme()) == Some(&LoadBalancerSchemeEnum::Internal),
        cross_zone: false,
        subnets: balancer
            .map(|lb| lb.availability_zones())
            .unwrap_or_default()
            .iter()
            .filter_map(|zone| zone.subnet_id().map(str::to_owned))
            .collect(),
        security_groups: balancer.map(|lb| lb.security_groups().to_vec()).unwrap_or_default(),
        target_group: group.clone(),
        listeners: Vec::new(),
        tags: Tags::new(),
    };
    if let Some(arn) = found.arn.clone() {
        let (listeners, cross_zone, tags) =
            try_join3(listeners(aws, &arn), cross_zone(aws, &arn), tags(aws, &arn)).await?;
        found.listeners = listeners;
        found.cross_zone = cross_zone;
        found.tags = tags;
    }
    let exists = found.arn.is_some() || found.target_group.is_some();
    Ok(Network {
        ours: Looked::Found(if exists { vec![found] } else { Vec::new() }),
        target_groups,
    })
}

/// The listeners of a load balancer: their ARNs, and what they do.
async fn listeners(aws: &Aws, arn: &str) -> Result<Vec<(String, String)>, AwsError> {
    let call = aws.elbv2.describe_listeners().load_balancer_arn(arn);
    let answer = call.send().await;
    let answer = answer
        .map_err(|error| AwsError::new("elasticloadbalancing:DescribeListeners", arn, error))?;
    let text = |listener: &Listener| {
        let certificate = listener.certificates().first().and_then(Certificate::certificate_arn);
        let target = listener.default_actions().first().and_then(Action::target_group_arn);
        listener_text(
            listener.protocol().map_or("", ProtocolEnum::as_str),
            listener.port().unwrap_or_default(),
            certificate,
            target.map(target_group_name).unwrap_or_default(),
        )
    };
    let arn = |listener: &Listener| listener.listener_arn().unwrap_or_default().to_owned();
    Ok(answer.listeners().iter().map(|listener| (arn(listener), text(listener))).collect())
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

async fn tags(aws: &Aws, arn: &str) -> Result<Tags, AwsError> {
    let answer = aws.elbv2.describe_tags().resource_arns(arn).send().await;
    let answer =
        answer.map_err(|error| AwsError::new("elasticloadbalancing:DescribeTags", arn, error))?;
    let tags = answer.tag_descriptions().iter().flat_map(|described| described.tags());
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or("").to_owned()));
    Ok(tags.filter_map(pair).collect())
}

/// The name in `arn:…:targetgroup/NAME/ID`.
fn target_group_name(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}

fn listener_text(protocol: &str, port: i32, certificate: Option<&str>, target: &str) -> String {
    let certificate = certificate.map(|arn| format!(" {arn}")).unwrap_or_default();
    format!("{protocol}:{port} → {target}{certificate}")
}

impl Manage for NetworkLoadBalancer {
    type Live = LiveNetworkLoadBalancer;

    fn id(&self) -> ResourceId {
        ResourceId::new(Kind::LoadBalancer, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let subnets = self.subnets.iter().chain(&self.security_groups);
        std::iter::once(&self.vpc).chain(subnets).cloned().collect()
    }

    fn looked(live: &Live) -> &Looked<LiveNetworkLoadBalancer> {
        &live.network.ours
    }

    fn is(&self, found: &LiveNetworkLoadBalancer, _: View<'_>) -> bool {
        found.name == self.aws_name
    }

    /// The target group, since that is what Auto Scaling groups join.
    fn aws_id(found: &LiveNetworkLoadBalancer) -> String {
        found.target_group.clone().unwrap_or_default()
    }

    fn wanted(&self, _: View<'_>) -> Fields {
        Fields::default()
            .with("class", "Network")
            .with("scheme", scheme(self.internal))
            .set("subnets", self.subnets.iter().map(|subnet| &subnet.name))
            .set("securityGroups", self.security_groups.iter().map(|group| &group.name))
            .with("targetGroup", &self.target_group)
            .set("listeners", [self.listener()])
            .with("crossZoneLoadBalancing", self.cross_zone)
            .tags(&self.tags)
    }

    fn found(&self, found: &LiveNetworkLoadBalancer, view: View<'_>) -> Fields {
        Fields::default()
            .maybe("class", found.arn.as_ref().map(|_| "Network"))
            .with("scheme", scheme(found.internal))
            .set("subnets", found.subnets.iter().map(|id| view.name(id)))
            .set("securityGroups", found.security_groups.iter().map(|id| view.name(id)))
            .maybe("targetGroup", found.target_group.as_deref().map(target_group_name))
            .set("listeners", found.listeners.iter().map(|(_, text)| text))
            .with("crossZoneLoadBalancing", found.cross_zone)
            .tags(&found.tags)
    }

    fn fixed(&self) -> &'static [&'static str] {
        &[]
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<String>, AwsError> {
        let group = self.create_target_group(work).await?;
        let balancer = self.create_balancer(work).await?;
        self.create_listener(work, &balancer, &group).await?;
        Ok(Some(group))
    }

    async fn update(&self, work: &Work<'_>, update: &Update) -> Result<(), AwsError> {
        let group = match update.touches("targetGroup") {
            true => self.create_target_group(work).await?,
            false => update.id.clone(),
        };
        work.learn(self.id(), group.clone());
        if update.touches("class") {
            let balancer = self.create_balancer(work).await?;
            return self.create_listener(work, &balancer, &group).await;
        }
        let balancer = self.balancer_arn(work).await?;
        if update.touches("listeners") {
            for (arn, _) in listeners(work.aws, &balancer).await? {
                work.aws.elbv2.delete_listener().listener_arn(&arn).send().await.map_err(
                    |error| AwsError::new("elasticloadbalancing:DeleteListener", arn, error),
                )?;
            }
            self.create_listener(work, &balancer, &group).await?;
        }
        if update.touches("subnets") {
            let subnets = Some(work.ids(&self.subnets)?);
            let call = work.aws.elbv2.set_subnets().load_balancer_arn(&balancer);
            call.set_subnets(subnets).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSubnets", &self.name, error)
            })?;
        }
        if update.touches("securityGroups") {
            let groups = Some(work.ids(&self.security_groups)?);
            let call = work.aws.elbv2.set_security_groups().load_balancer_arn(&balancer);
            call.set_security_groups(groups).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:SetSecurityGroups", &self.name, error)
            })?;
        }
        if update.touches("crossZoneLoadBalancing") {
            self.set_cross_zone(work, &balancer).await?;
        }
        if update.touches_tags() {
            let call = work.aws.elbv2.add_tags().resource_arns(&balancer).resource_arns(group);
            call.set_tags(Some(self.sdk_tags())).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:AddTags", &self.name, error)
            })?;
        }
        Ok(())
    }

    fn left_because(&self, change: &super::FieldChange) -> Option<String> {
        (change.field == "scheme").then(|| {
            "a load balancer's scheme cannot be changed; delete it and run this again".to_owned()
        })
    }
}

impl NetworkLoadBalancer {
    fn protocol(&self) -> ProtocolEnum {
        if self.certificate.is_some() { ProtocolEnum::Tls } else { ProtocolEnum::Tcp }
    }

    fn listener(&self) -> String {
        let certificate = self.certificate.as_deref();
        listener_text(self.protocol().as_str(), self.port, certificate, &self.target_group)
    }

    fn sdk_tags(&self) -> Vec<Tag> {
        let tag = |(key, value)| Tag::builder().key(key).value(value).build();
        self.tags.iter().map(tag).collect()
    }

    async fn balancer_arn(&self, work: &Work<'_>) -> Result<String, AwsError> {
        let answer = work.aws.elbv2.describe_load_balancers().names(&self.aws_name).send().await;
        let answer = answer.map_err(|error| {
            AwsError::new("elasticloadbalancing:DescribeLoadBalancers", &self.aws_name, error)
        })?;
        let arn = answer.load_balancers().first().and_then(|lb| lb.load_balancer_arn());
        Ok(arn.unwrap_or_default().to_owned())
    }

    async fn create_target_group(&self, work: &Work<'_>) -> Result<String, AwsError> {
        let call = work.aws.elbv2.create_target_group().name(&self.target_group);
        let answer = call
            .protocol(self.protocol())
            .port(self.port)
            .vpc_id(work.id(&self.vpc)?)
            .target_type(TargetTypeEnum::Instance)
            .health_check_protocol(ProtocolEnum::Tcp)
            .health_check_interval_seconds(10)
            .healthy_threshold_count(2)
            .unhealthy_threshold_count(2)
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await
            .map_err(|error| {
                let operation = "elasticloadbalancing:CreateTargetGroup";
                AwsError::new(operation, &self.target_group, error)
            })?;
        let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
        Ok(arn.unwrap_or_default().to_owned())
    }

    async fn create_balancer(&self, work: &Work<'_>) -> Result<String, AwsError> {
        let scheme = match self.internal {
            true => LoadBalancerSchemeEnum::Internal,
            false => LoadBalancerSchemeEnum::InternetFacing,
        };
        let call = work.aws.elbv2.create_load_balancer().name(&self.aws_name);
        let answer = call
            .r#type(LoadBalancerTypeEnum::Network)
            .scheme(scheme)
            .set_subnets(Some(work.ids(&self.subnets)?))
            .set_security_groups(Some(work.ids(&self.security_groups)?))
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("elasticloadbalancing:CreateLoadBalancer", &self.aws_name, error)
            })?;
        let arn = answer.load_balancers().first().and_then(|lb| lb.load_balancer_arn());
        let arn = arn.unwrap_or_default().to_owned();
        if self.cross_zone {
            self.set_cross_zone(work, &arn).await?;
        }
        Ok(arn)
    }

    async fn create_listener(
        &self,
        work: &Work<'_>,
        balancer: &str,
        group: &str,
    ) -> Result<(), AwsError> {
        let forward = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group);
        let certificate = self
            .certificate
            .as_ref()
            .map(|arn| vec![Certificate::builder().certificate_arn(arn).build()]);
        let call = work.aws.elbv2.create_listener().load_balancer_arn(balancer);
        call.protocol(self.protocol())
            .port(self.port)
            .set_certificates(certificate)
            .default_actions(forward.build())
            .set_tags(Some(self.sdk_tags()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("elasticloadbalancing:CreateListener", &self.aws_name, error)
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

/// Network load balancers and target groups that carry a cluster's tag, for its deletion.
pub(super) async fn observe_owned(
    aws: &Aws,
    cluster: &str,
) -> Result<(Vec<(String, String)>, Vec<(String, String)>), AwsError> {
    let balancers = async {
        let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| {
            AwsError::new("elasticloadbalancing:DescribeLoadBalancers", "", error)
        })?;
        let named = |lb: aws_sdk_elasticloadbalancingv2::types::LoadBalancer| {
            Some((lb.load_balancer_arn?, lb.load_balancer_name.unwrap_or_default()))
        };
        owned(aws, cluster, all.into_iter().filter_map(named).collect()).await
    };
    let groups = async {
        let pages = aws.elbv2.describe_target_groups().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| {
            AwsError::new("elasticloadbalancing:DescribeTargetGroups", "", error)
        })?;
        let named = |group: aws_sdk_elasticloadbalancingv2::types::TargetGroup| {
            Some((group.target_group_arn?, group.target_group_name.unwrap_or_default()))
        };
        owned(aws, cluster, all.into_iter().filter_map(named).collect()).await
    };
    try_join(balancers, groups).await
}

async fn owned(
    aws: &Aws,
    cluster: &str,
    all: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, AwsError> {
    let own = format!("kubernetes.io/cluster/{cluster}");
    let own = own.as_str();
    let batches = all.chunks(20).map(async |batch| {
        let arns = batch.iter().map(|(arn, _)| arn.clone()).collect();
        let answer = aws.elbv2.describe_tags().set_resource_arns(Some(arns)).send().await;
        let answer = answer
            .map_err(|error| AwsError::new("elasticloadbalancing:DescribeTags", "", error))?;
        let described = answer.tag_descriptions().iter().filter(|described| {
            let is_ours = |tag: &Tag| {
                tag.key() == Some(ec2::CLUSTER_TAG) && tag.value() == Some(cluster)
                    || tag.key() == Some(own) && tag.value() == Some("owned")
            };
            described.tags().iter().any(is_ours)
        });
        let arns: Vec<String> =
            described.filter_map(|described| described.resource_arn().map(str::to_owned)).collect();
        Ok::<_, AwsError>(arns)
    });
    let ours = try_join_all(batches).await?.concat();
    Ok(all.into_iter().filter(|(arn, _)| ours.contains(arn)).collect())
}
