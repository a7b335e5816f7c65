//! `NetworkLoadBalancerListener`: a port of a network load balancer, and where it leads.

use std::fmt;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, Listener as SdkListener, ProtocolEnum,
};
use futures::future::try_join_all;

use super::network::NetworkBalancers;
use super::network_load_balancer::{LiveNetworkLoadBalancer, NetworkLoadBalancer};
use super::tags;
use super::target_group::{self, TargetGroup};
use crate::aws::tags::Tags;
use crate::aws::{Answer, Aws, AwsError, Fault, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::{Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;

const DESCRIBE: &str = "elasticloadbalancing:DescribeListeners";
const CREATE: &str = "elasticloadbalancing:CreateListener";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    pub(crate) balancer: Ref<NetworkLoadBalancer>,
    pub(crate) port: i32,
    /// The ARN of a certificate, for a listener that ends TLS.
    pub(crate) certificate: Option<String>,
    /// Which ciphers such a listener takes.
    pub(crate) ssl_policy: Option<String>,
    pub(crate) target_group: Ref<TargetGroup>,
    pub(crate) tags: Tags,
}

fields! { ListenerFields {
    port: i32 = "port",
    protocol: String = "protocol",
    certificate: String = "certificate",
    ssl_policy: String = "sslPolicy",
    target_group: String = "targetGroup",
    tags: Tags = "tags",
} }

#[derive(Clone, Debug)]
pub(crate) struct LiveListener {
    arn: Id<Listener>,
    pub(crate) balancer: Id<NetworkLoadBalancer>,
    port: Option<i32>,
    protocol: String,
    certificate: Option<String>,
    ssl_policy: Option<String>,
    /// The target group that it leads to, if that is what it does.
    target_group: Option<Id<TargetGroup>>,
}

impl LiveListener {
    fn from_sdk(
        balancer: &Id<NetworkLoadBalancer>,
        listener: &SdkListener,
    ) -> Result<Self, AwsError> {
        let answer = Answer::of(DESCRIBE, balancer);
        let certificate = listener.certificates().first().and_then(Certificate::certificate_arn);
        let target = listener.default_actions().first().and_then(Action::target_group_arn);
        let target = target.map(|arn| Id::given(answer, "TargetGroupArn", Some(arn)));
        Ok(Self {
            arn: Id::given(answer, "ListenerArn", listener.listener_arn())?,
            balancer: balancer.clone(),
            port: listener.port(),
            protocol: listener.protocol().map_or("", ProtocolEnum::as_str).to_owned(),
            certificate: certificate.map(str::to_owned),
            // A listener that ends no TLS takes no ciphers.
            ssl_policy: listener.ssl_policy().filter(|_| certificate.is_some()).map(str::to_owned),
            target_group: target.transpose()?,
        })
    }

    fn target(&self) -> &str {
        let named = self.target_group.as_deref().and_then(target_group::name_of);
        named.unwrap_or("something else")
    }
}

impl fmt::Display for LiveListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port.map_or_else(|| "?".to_owned(), |port| port.to_string());
        write!(f, "{}:{port} → {}", self.protocol, self.target())?;
        self.certificate.iter().try_for_each(|arn| write!(f, " {arn}"))
    }
}

/// The listeners of the load balancers that the spec has.
#[derive(Debug)]
pub(crate) struct Listeners(Result<Vec<Id<NetworkLoadBalancer>>, AwsError>);

impl Look for Listeners {
    const AFTER: &'static [Looking] = &[Looking::of::<NetworkBalancers>()];

    fn ask(asked: &Asked, seen: &Seen) -> Option<Self> {
        if !asked.looks_at(&[Listener::KIND]) || asked.everything() {
            return None;
        }
        let balancers = seen.of::<LiveNetworkLoadBalancer>();
        let wanted = asked.wanted::<NetworkLoadBalancer>();
        let is_wanted = |row: &&LiveNetworkLoadBalancer| {
            let is_called = |one: &NetworkLoadBalancer| {
                one.aws_name == row.name || ec2::is_named(&row.tags, &one.name)
            };
            row.is_network && wanted.iter().any(is_called)
        };
        let ours = balancers.rows().iter().filter(is_wanted).map(|row| row.arn.clone());
        Some(Self(balancers.known().map(|()| ours.collect())))
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        let rows = match self.0 {
            Ok(balancers) => try_join_all(balancers.iter().map(|arn| read(aws, arn))).await,
            Err(error) => Err(error),
        };
        Ok(Seen::default().with(Looked::sort(rows.map(|rows| rows.concat()))?))
    }
}

impl Presence for Listener {
    const LOOKS: &'static [Looking] = &[Looking::of::<Listeners>()];

    const IS_SOUGHT: bool = false;

    /// They go with their load balancer.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

async fn read(
    aws: &Aws,
    balancer: &Id<NetworkLoadBalancer>,
) -> Result<Vec<LiveListener>, AwsError> {
    let call = aws.elbv2.describe_listeners().load_balancer_arn(balancer);
    let rows = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let rows = rows.map_err(|error| AwsError::new(DESCRIBE, balancer, error))?;
    rows.iter().map(|listener| LiveListener::from_sdk(balancer, listener)).collect()
}

impl Manage for Listener {
    type Live = LiveListener;
    type Fields = ListenerFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(Listener::KIND, self.name())
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.balancer.resource(), self.target_group.resource()]
    }

    fn is(&self, found: &LiveListener, view: View<'_>) -> bool {
        found.port == Some(self.port) && view.is(&self.balancer, &found.balancer)
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a LiveListener, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveListener) -> Id<Self> {
        found.arn.clone()
    }

    fn wanted(&self, _: View<'_>) -> ListenerFields<Wanted> {
        ListenerFields {
            port: Want::Is(self.port),
            protocol: Want::Is(self.protocol().as_str().to_owned()),
            certificate: Want::maybe(self.certificate.clone()),
            ssl_policy: Want::maybe(self.ssl_policy.clone()),
            target_group: Want::Is(self.target_group.name.clone()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    /// Tags are set where one is made, and not looked at: its load balancer tells whose it is.
    fn wanted_over(&self, _: &LiveListener, view: View<'_>) -> ListenerFields<Wanted> {
        ListenerFields { tags: Want::Any, ..self.wanted(view) }
    }

    fn found(&self, found: &LiveListener, view: View<'_>) -> ListenerFields<Found> {
        let leads = found.target_group.as_ref().is_some_and(|to| view.is(&self.target_group, to));
        let target = if leads { &self.target_group.name } else { found.target() };
        ListenerFields {
            port: found.port,
            protocol: Some(found.protocol.clone()),
            certificate: found.certificate.clone(),
            ssl_policy: found.ssl_policy.clone(),
            target_group: Some(target.to_owned()),
            tags: None,
        }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing().plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (balancer, group) = (work.id(&self.balancer)?, work.id(&self.target_group)?);
        let call = work.aws.elbv2.create_listener().load_balancer_arn(&balancer);
        let answer = call
            .protocol(self.protocol())
            .port(self.port)
            .set_certificates(self.certificates())
            .set_ssl_policy(self.ssl_policy.clone())
            .default_actions(forward(&group))
            .set_tags(Some(tags::to_sdk(&self.tags)))
            .send()
            .await;
        match answer.map_err(|error| AwsError::new(CREATE, self.name(), error)) {
            Ok(answer) => {
                let arn = answer.listeners().first().and_then(|made| made.listener_arn());
                Id::given(Answer::of(CREATE, &self.name()), "ListenerArn", arn).map(Some)
            }
            // The port is taken, perhaps by a call of ours whose answer was lost.
            Err(taken) if taken.fault == Fault::Conflict => {
                let is_as_wanted = |found: &LiveListener| {
                    found.port == Some(self.port)
                        && found.protocol == self.protocol().as_str()
                        && found.certificate == self.certificate
                        && found.ssl_policy == self.ssl_policy
                        && found.target_group.as_ref() == Some(&group)
                };
                let found = read(work.aws, &balancer).await?.into_iter().find(is_as_wanted);
                found.map(|found| Some(found.arn)).ok_or(taken)
            }
            Err(error) => Err(error),
        }
    }

    /// Changes it in place, so that the API server stays reachable.
    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &ListenerFields<Changed>,
    ) -> Result<(), AwsError> {
        let ListenerFields { port: _, protocol, certificate, ssl_policy, target_group, tags: _ } =
            changed;
        let is_same = protocol.is_none() && certificate.is_none() && ssl_policy.is_none();
        if is_same && target_group.is_none() {
            return Ok(());
        }
        let group = work.id(&self.target_group)?;
        let call = work.aws.elbv2.modify_listener().listener_arn(id).port(self.port);
        let answer = call
            .protocol(self.protocol())
            .set_certificates(self.certificates())
            .set_ssl_policy(self.ssl_policy.clone())
            .default_actions(forward(&group))
            .send()
            .await;
        answer.map(drop).map_err(|error| {
            AwsError::new("elasticloadbalancing:ModifyListener", self.name(), error)
        })
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveListener {
        LiveListener {
            arn: Id::imagined(format!("{}/{id}", view.id_of(&self.balancer))),
            balancer: view.id_of(&self.balancer),
            port: Some(self.port),
            protocol: self.protocol().as_str().to_owned(),
            certificate: self.certificate.clone(),
            ssl_policy: self.ssl_policy.clone(),
            target_group: Some(view.id_of(&self.target_group)),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveListener) -> Vec<(&'static str, LiveListener)> {
        type Live = LiveListener;
        let certificate = Some("arn:aws:acm:us-west-2:123456789012:certificate/1".to_owned());
        vec![
            ("protocol", Live { protocol: "UDP".to_owned(), ..live.clone() }),
            ("certificate", Live { certificate, ..live.clone() }),
            ("sslPolicy", Live { ssl_policy: Some("other".to_owned()), ..live.clone() }),
            ("targetGroup", Live { target_group: None, ..live.clone() }),
        ]
    }
}

impl Listener {
    /// kops' name of it (`pkg/model/context.go`, `NLBListenerName`).
    fn name(&self) -> String {
        format!("{}-{}", self.balancer.name, self.port)
    }

    fn protocol(&self) -> ProtocolEnum {
        if self.certificate.is_some() { ProtocolEnum::Tls } else { ProtocolEnum::Tcp }
    }

    fn certificates(&self) -> Option<Vec<Certificate>> {
        let certificate = |arn| Certificate::builder().certificate_arn(arn).build();
        self.certificate.as_ref().map(|arn| vec![certificate(arn)])
    }
}

fn forward(group: &Id<TargetGroup>) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group).build()
}

impl Unclaimed for Listener {
    /// Listeners on other ports than the cluster's own are told, and left.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        if !sweep.looks_at(Listener::KIND) {
            return;
        }
        let view = sweep.view();
        let wanted = sweep.wishes::<Listener>();
        for found in view.seen.rows::<LiveListener>() {
            let beside = wanted.iter().find(|one| view.is(&one.balancer, &found.balancer));
            if let (Some(one), false) = (beside, wanted.iter().any(|one| one.is(found, view))) {
                let name = format!("{}: {found}", one.balancer.name);
                sweep.leave(ResourceId::new(Listener::KIND, name));
            }
        }
    }
}
