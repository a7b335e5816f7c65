//! `ClassicLoadBalancer`: a load balancer of class `Classic`, before the API server.

mod fields;
mod live;
mod wanted;

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancing::types::{
    AccessLog as SdkAccessLog, ConnectionDraining, ConnectionSettings, CrossZoneLoadBalancing,
    Listener as SdkListener, LoadBalancerAttributes, Tag,
};

#[cfg(test)]
use super::access_log::AccessLog;

use crate::aws::{Aws, AwsError, Fault, done, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Delete;
use crate::core::fields::{Changed, Changes as _, Found, Stuck, Want, Wanted, set};
use crate::core::given::Given;
use crate::core::holders::Holders;
use crate::core::id::{Address, Id, Ref};
use crate::core::kind::ResourceId;
use crate::core::look::{Asked, Look, Looking};
use crate::core::manage::{self, Manage, View};
use crate::core::seen::{Looked, Seen};
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed};
use crate::core::whose::{Marks, Owner, Taggable};
use crate::core::work::Work;
use crate::limits::LOAD_BALANCER_NAME;
use crate::vpc::subnet::Subnet;
use fields::{HealthCheck, Listener, LoadBalancerFields, Subnets};
pub(crate) use live::{ClassicName, LiveLoadBalancer};
use live::{DESCRIBE, address, all_by_name, tags_of};
pub(crate) use wanted::LoadBalancer;

const CREATE: &str = "elasticloadbalancing:CreateLoadBalancer";

/// How long connections may go on to an instance that leaves (kops
/// `pkg/model/awsmodel/api_loadbalancer.go`).
const DRAINING_SECONDS: i32 = 300;

/// The classic load balancers of the cluster, and the names of all.
#[derive(Debug)]
pub(crate) enum ClassicBalancers {
    OfCluster {
        cluster: String,
        /// AWS' names of those that the spec wants.
        wanted: BTreeSet<String>,
    },
    /// Those of others too.
    All,
}

impl Look for ClassicBalancers {
    const AFTER: &'static [Looking] = &[];

    fn ask(asked: &Asked, _: &Seen) -> Option<Self> {
        let wanted = asked.wanted::<LoadBalancer>().iter().map(|one| one.aws_name.clone());
        asked.looks_at(&[LoadBalancer::KIND]).then(|| match asked.everything() {
            true => Self::All,
            false => {
                let cluster = asked.cluster().to_owned();
                Self::OfCluster { cluster, wanted: wanted.collect() }
            }
        })
    }

    async fn read(self, aws: &Aws) -> Result<Seen, AwsError> {
        Ok(match self {
            Self::All => Seen::default().with(Looked::sort(live::observe_all(aws).await)?),
            Self::OfCluster { cluster, wanted } => {
                let classic = live::observe(aws, &cluster, &wanted).await?;
                Seen::default().with(classic.ours).with(classic.names)
            }
        })
    }
}

impl Presence for LoadBalancer {
    const LOOKS: &'static [Looking] = &[Looking::of::<ClassicBalancers>()];

    const IS_SOUGHT: bool = true;

    fn belongings(around: &Around<'_>) -> Vec<Belonging> {
        let balancers = around.seen.rows::<LiveLoadBalancer>().iter().filter_map(|found| {
            let deletion = LoadBalancerDeletion(found.name.clone());
            around.by_name(Self::KIND, &found.name, &found.marks(), deletion)
        });
        balancers.collect()
    }
}

impl Manage for LoadBalancer {
    type Live = LiveLoadBalancer;
    type Fields = LoadBalancerFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(LoadBalancer::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        let subnets = self.subnets.iter().map(Ref::resource);
        subnets.chain(self.security_groups.iter().map(Ref::resource)).collect()
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

    fn aws_id(found: &LiveLoadBalancer) -> Id<Self> {
        found.name.clone()
    }

    fn address(found: &LiveLoadBalancer) -> Option<Address> {
        found.address.clone()
    }

    fn wanted(&self, _: View<'_>) -> LoadBalancerFields<Wanted> {
        let subnets = set(self.subnets.iter().map(|subnet| &subnet.name));
        let groups = self.security_groups.iter().map(|group| &group.name);
        LoadBalancerFields {
            scheme: Want::Is(scheme(self.internal).to_owned()),
            subnets: Want::maybe(subnets.map(|names| Subnets { names, ids: Vec::new() })),
            security_groups: Want::maybe(set(groups)),
            listener: Want::Is(self.listener()),
            health_check: Want::Is(self.health_check()),
            idle_timeout_seconds: Want::Is(self.idle_timeout_seconds),
            draining_seconds: Want::Is(DRAINING_SECONDS),
            cross_zone: Want::Is(self.cross_zone),
            access_log: Want::maybe(self.access_log.clone()),
            tags: Want::Is(self.tags.clone()),
        }
    }

    fn found(&self, found: &LiveLoadBalancer, view: View<'_>) -> LoadBalancerFields<Found> {
        let subnets = set(found.subnets.iter().map(|id| view.name(id)));
        LoadBalancerFields {
            scheme: Some(scheme(found.internal).to_owned()),
            subnets: subnets.map(|names| Subnets { names, ids: found.subnets.clone() }),
            security_groups: set(found.security_groups.iter().map(|id| view.name(id))),
            listener: found.listeners.iter().find(|listener| self.is_ours(listener)).cloned(),
            health_check: found.health_check.clone(),
            idle_timeout_seconds: found.idle_timeout_seconds,
            draining_seconds: found.draining_seconds,
            cross_zone: Some(found.cross_zone),
            access_log: found.access_log.clone(),
            tags: Some(found.tags.clone()),
        }
    }

    fn judge(
        &self,
        changed: &mut LoadBalancerFields<Changed>,
        found: &LiveLoadBalancer,
    ) -> Vec<Stuck> {
        let fixed =
            LoadBalancerFields { scheme: changed.scheme.take(), ..LoadBalancerFields::none() };
        Stuck::fixed(&fixed, &found.name, manage::instead(self)).into_iter().collect()
    }

    fn given(&self) -> Given<'_> {
        Given::name(&LOAD_BALANCER_NAME, &self.aws_name).plain_tags(&self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let object = &self.aws_name;
        let scheme = self.internal.then(|| "internal".to_owned());
        let call = work.aws.elb.create_load_balancer().load_balancer_name(object);
        let answer = call
            .set_scheme(scheme)
            .set_subnets(Some(Id::texts(&work.ids(&self.subnets)?)))
            .set_security_groups(Some(Id::texts(&work.ids(&self.security_groups)?)))
            .listeners(self.sdk_listener(CREATE)?)
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
        let made = all.into_iter().find(|(name, _)| name == object);
        let (name, made) = made.ok_or_else(|| AwsError {
            operation: DESCRIBE,
            object: object.clone(),
            fault: Fault::Missing,
            message: "it is not to be seen yet".to_owned(),
        })?;
        work.learn_address(self.id(), address(object, &made)?);
        Ok(Some(name))
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &LoadBalancerFields<Changed>,
    ) -> Result<(), AwsError> {
        let LoadBalancerFields {
            scheme: _,
            subnets,
            security_groups,
            listener,
            health_check,
            idle_timeout_seconds,
            draining_seconds,
            cross_zone,
            access_log,
            tags,
        } = changed;
        let has_times = idle_timeout_seconds.is_some() || draining_seconds.is_some();
        let object = id;
        if security_groups.is_some() {
            let call = work.aws.elb.apply_security_groups_to_load_balancer();
            let groups = Some(Id::texts(&work.ids(&self.security_groups)?));
            let answer = call.load_balancer_name(object).set_security_groups(groups).send().await;
            answer.map_err(|error| {
                let operation = "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer";
                AwsError::new(operation, object, error)
            })?;
        }
        if let Some(delta) = subnets {
            let there = delta.before.as_ref().map(|before| before.ids.as_slice());
            self.move_subnets(work, object, there.unwrap_or_default()).await?;
        }
        if let Some(delta) = listener {
            self.replace_listener(work, object, delta.before.as_ref()).await?;
        }
        if health_check.is_some() {
            self.check_health(work, object).await?;
        }
        if has_times || cross_zone.is_some() || access_log.is_some() {
            self.set_attributes(work, object).await?;
        }
        if tags.is_some() {
            const OPERATION: &str = "elasticloadbalancing:AddTags";
            let call = work.aws.elb.add_tags().load_balancer_names(object);
            let answer = call.set_tags(Some(self.sdk_tags(OPERATION)?)).send().await;
            let answer = answer.map(drop);
            let answer = answer.map_err(|error| AwsError::new(OPERATION, object, error));
            work.unless_lacking(answer)?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, _: &Id<Self>, view: View<'_>) -> LiveLoadBalancer {
        let dns_name = format!("{}-1.us-west-2.elb.amazonaws.com", self.aws_name);
        LiveLoadBalancer {
            name: Id::imagined(&self.aws_name),
            address: Some(Address { dns_name, zone: "ZELB".to_owned() }),
            internal: self.internal,
            listeners: vec![self.listener()],
            health_check: Some(self.health_check()),
            idle_timeout_seconds: Some(self.idle_timeout_seconds),
            draining_seconds: Some(DRAINING_SECONDS),
            cross_zone: self.cross_zone,
            access_log: self.access_log.clone(),
            subnets: self.subnets.iter().map(|subnet| view.id_of(subnet)).collect(),
            security_groups: self.security_groups.iter().map(|one| view.id_of(one)).collect(),
            tags: self.tags.clone(),
        }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveLoadBalancer) -> Vec<(&'static str, LiveLoadBalancer)> {
        let listeners = vec![Listener { instance_port: 1, ..self.listener() }];
        let health_check = Some(HealthCheck { up: 9, ..self.health_check() });
        let idle = Some(1);
        let bucket = "other".to_owned();
        let access_log = Some(AccessLog { bucket, prefix: String::new(), interval: None });
        vec![
            ("scheme", LiveLoadBalancer { internal: !live.internal, ..live.clone() }),
            ("subnets", LiveLoadBalancer { subnets: vec![Id::imagined("other")], ..live.clone() }),
            (
                "securityGroups",
                LiveLoadBalancer { security_groups: vec![Id::imagined("other")], ..live.clone() },
            ),
            ("listeners", LiveLoadBalancer { listeners, ..live.clone() }),
            ("healthCheck", LiveLoadBalancer { health_check, ..live.clone() }),
            ("idleTimeoutSeconds", LiveLoadBalancer { idle_timeout_seconds: idle, ..live.clone() }),
            (
                "connectionDrainingSeconds",
                LiveLoadBalancer { draining_seconds: None, ..live.clone() },
            ),
            (
                "crossZoneLoadBalancing",
                LiveLoadBalancer { cross_zone: !live.cross_zone, ..live.clone() },
            ),
            ("accessLog", LiveLoadBalancer { access_log, ..live.clone() }),
            ("tags", LiveLoadBalancer { tags: Self::lacking_one(&live.tags), ..live.clone() }),
        ]
    }
}

impl LoadBalancer {
    /// Whether a listener is that of the cluster, by its port: others may be on other ports.
    pub(crate) fn is_ours(&self, listener: &Listener) -> bool {
        listener.port == self.port
    }

    fn listener(&self) -> Listener {
        let protocol = if self.certificate.is_some() { "SSL" } else { "TCP" };
        Listener {
            protocol: protocol.to_owned(),
            port: self.port,
            instance_protocol: protocol.to_owned(),
            instance_port: self.port,
            certificate: self.certificate.clone(),
        }
    }

    fn sdk_listener(&self, operation: &'static str) -> Result<SdkListener, AwsError> {
        let listener = self.listener().to_sdk();
        listener.map_err(|error| AwsError::unbuilt(operation, &self.aws_name, error))
    }

    fn health_check(&self) -> HealthCheck {
        HealthCheck {
            target: self.health_target.clone(),
            up: 2,
            down: 2,
            interval_seconds: 10,
            timeout_seconds: 5,
        }
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
        let subnets: BTreeSet<&str> = lb.subnets().iter().map(String::as_str).collect();
        let wanted = work.ids(&self.subnets)?;
        let listeners = lb.listener_descriptions().iter().filter_map(|one| one.listener());
        Ok(is_ours
            && (lb.scheme() == Some("internal")) == self.internal
            && subnets == wanted.iter().map(Id::as_str).collect()
            && listeners.map(Listener::from_sdk).any(|one| one == self.listener()))
    }

    async fn check_health(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "elasticloadbalancing:ConfigureHealthCheck";
        let check = self.health_check().to_sdk();
        let check = check.map_err(|error| AwsError::unbuilt(OPERATION, object, error))?;
        let call = work.aws.elb.configure_health_check().load_balancer_name(object);
        let answer = call.health_check(check).send().await;
        answer.map(drop).map_err(|error| AwsError::new(OPERATION, object, error))
    }

    async fn set_attributes(&self, work: &Work<'_>, object: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "elasticloadbalancing:ModifyLoadBalancerAttributes";
        let idle = ConnectionSettings::builder().idle_timeout(self.idle_timeout_seconds).build();
        let idle = idle.map_err(|error| AwsError::unbuilt(OPERATION, object, error))?;
        let log = self.access_log.as_ref();
        let log = SdkAccessLog::builder()
            .enabled(log.is_some())
            .set_s3_bucket_name(log.map(|log| log.bucket.clone()))
            .set_s3_bucket_prefix(log.map(|log| log.prefix.clone()))
            .set_emit_interval(log.and_then(|log| log.interval))
            .build();
        let draining =
            ConnectionDraining::builder().enabled(true).timeout(DRAINING_SECONDS).build();
        let cross_zone = CrossZoneLoadBalancing::builder().enabled(self.cross_zone).build();
        let attributes = LoadBalancerAttributes::builder()
            .connection_settings(idle)
            .connection_draining(draining)
            .cross_zone_load_balancing(cross_zone)
            .access_log(log)
            .build();
        let call = work.aws.elb.modify_load_balancer_attributes().load_balancer_name(object);
        let answer = call.load_balancer_attributes(attributes).send().await;
        answer.map(drop).map_err(|error| AwsError::new(OPERATION, object, error))
    }

    async fn move_subnets(
        &self,
        work: &Work<'_>,
        object: &str,
        there: &[Id<Subnet>],
    ) -> Result<(), AwsError> {
        let wanted = work.ids(&self.subnets)?;
        let new: Vec<String> =
            wanted.iter().filter(|id| !there.contains(id)).map(String::from).collect();
        if !new.is_empty() {
            let call = work.aws.elb.attach_load_balancer_to_subnets().load_balancer_name(object);
            call.set_subnets(Some(new)).send().await.map_err(|error| {
                AwsError::new("elasticloadbalancing:AttachLoadBalancerToSubnets", object, error)
            })?;
        }
        let old: Vec<String> =
            there.iter().filter(|id| !wanted.contains(id)).map(String::from).collect();
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
    async fn replace_listener(
        &self,
        work: &Work<'_>,
        object: &str,
        before: Option<&Listener>,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "elasticloadbalancing:CreateLoadBalancerListeners";
        let listener = self.sdk_listener(OPERATION)?;
        if let Some(before) = before {
            let call = work.aws.elb.delete_load_balancer_listeners().load_balancer_name(object);
            call.load_balancer_ports(before.port).send().await.map_err(|error| {
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

pub(crate) fn scheme(internal: bool) -> &'static str {
    if internal { "internal" } else { "internet-facing" }
}

/// Deletes a classic load balancer, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadBalancerDeletion(pub(crate) Id<LoadBalancer>);

impl Delete for LoadBalancerDeletion {
    async fn attempt(&self, aws: &Aws) -> Result<(), AwsError> {
        let Self(name) = self;
        let call = aws.elb.delete_load_balancer().load_balancer_name(name);
        done("elasticloadbalancing:DeleteLoadBalancer", name, call.send().await)
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Unclaimed for LoadBalancer {
    /// Those of API and bastions; Kubernetes marks those of services with the same tags, and names
    /// them otherwise.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        leave_listeners(sweep);
        for found in sweep.rows::<LiveLoadBalancer>(LoadBalancer::KIND) {
            let place = Place::new(LoadBalancer::KIND, &found.name);
            if sweep.is_found(&place) {
                continue;
            }
            let id = ResourceId::new(LoadBalancer::KIND, &found.name);
            let whose = sweep.whose(LoadBalancer::KIND, &found.marks());
            let offer = Offer::new(id, place, LoadBalancerDeletion(found.name.clone()));
            sweep.offer(offer.if_owned(whose));
        }
    }
}

/// Listeners on other ports than the cluster's own are told, and left.
fn leave_listeners(sweep: &mut Sweep<'_>) {
    if !sweep.looks_at(LoadBalancer::KIND) {
        return;
    }
    let view = sweep.view();
    for balancer in sweep.wishes::<LoadBalancer>() {
        let mut rows = view.seen.rows::<LiveLoadBalancer>().iter();
        let found = rows.find(|row| balancer.is(row, view));
        let listeners = found.map(|row| row.listeners.as_slice()).unwrap_or_default();
        for listener in listeners.iter().filter(|listener| !balancer.is_ours(listener)) {
            let name = format!("{}: listener {listener}", balancer.name);
            sweep.leave(ResourceId::new(LoadBalancer::KIND, name));
        }
    }
}
