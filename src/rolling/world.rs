//! What one look found, put together by instance group.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::span;
use super::need::{self, Reason, Versions};
use super::strategy::{self, Strategy};
use crate::autoscaling::fleet::{Activity, Fleet, FleetGroup, FleetInstance, MachineState};
use crate::core::time::Time;
use crate::kubernetes::Look;
use crate::kubernetes::error::KubernetesError;
use crate::kubernetes::node::Node;
use crate::kubernetes::validation::{self, Expected, Failure, Joins};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::role::Role;

#[derive(Clone, Debug)]
pub(crate) struct World {
    /// By this machine's clock, by which the update waits.
    pub(crate) now: Time,
    /// By AWS' own, by which instances are as old as they are.
    pub(crate) aws_now: Time,
    /// In the order in which they are updated.
    pub(crate) groups: Vec<Group>,
    pub(crate) kubernetes: Sight,
    /// Instances that a rolling update detached from groups that are in no spec any more.
    pub(crate) orphans: Vec<FleetInstance>,
}

/// What is known of Kubernetes.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// It is not asked (`--cloudonly`).
    Not,
    /// It did not answer, or not what was asked.
    Lost(KubernetesError),
    Seen {
        look: Look,
        failures: Vec<Failure>,
    },
}

impl Sight {
    pub(crate) fn look(&self) -> Option<&Look> {
        match self {
            Self::Seen { look, .. } => Some(look),
            Self::Not | Self::Lost(_) => None,
        }
    }

    pub(crate) fn failures(&self) -> &[Failure] {
        match self {
            Self::Seen { failures, .. } => failures,
            Self::Not | Self::Lost(_) => &[],
        }
    }
}

/// How far this machine's clock may be from another before it is told, in seconds.
const CLOCKS: Time = 60;

impl World {
    /// By the clock of the Kubernetes API's server, by which nodes and pods are as old as they
    /// are.
    pub(super) fn cluster_now(&self) -> Option<Time> {
        self.kubernetes.look()?.time
    }

    /// Clocks that are far from this machine's.
    pub(crate) fn clocks(&self) -> Vec<String> {
        let clocks = [("AWS", Some(self.aws_now)), ("the Kubernetes API", self.cluster_now())];
        let told = |(name, time): (&str, Option<Time>)| {
            let behind = time? - self.now;
            let how = if behind > 0 { "behind" } else { "ahead of" };
            (behind.abs() > CLOCKS).then(|| {
                format!("this machine's clock is {} {how} that of {name}", span(behind.abs()))
            })
        };
        clocks.into_iter().filter_map(told).collect()
    }

    /// Nodes that do not tell which instance they are.
    pub(crate) fn nameless(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.kubernetes.look().map_or(&[][..], |look| &look.nodes);
        nodes.iter().filter(|node| !node.has_provider)
    }
}

/// A taint by its key and its effect.
pub(super) type Taint = (String, String);

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// The name of its Auto Scaling group.
    pub(crate) fleet_name: String,
    pub(crate) role: Role,
    pub(crate) strategy: Strategy,
    /// The launch template and version that alone tell what the group launches.
    pub(crate) template: Option<(String, String)>,
    pub(crate) min: usize,
    pub(crate) target: usize,
    pub(crate) max: usize,
    pub(crate) suspended: Vec<String>,
    /// The taints that its spec gives its nodes.
    pub(super) taints: BTreeSet<Taint>,
    pub(crate) members: Vec<Member>,
    pub(crate) activities: Vec<Activity>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) place: Place,
    pub(crate) life: Life,
    pub(crate) machine: FleetInstance,
    /// Why it must be replaced; empty if it need not.
    pub(crate) reasons: Vec<Reason>,
    pub(crate) node: Option<Node>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Attached,
    /// Taken out of the group to be replaced.
    Detached,
    /// Kept ready in the group's warm pool.
    Warm,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    Starting,
    InService,
    Leaving,
}

impl Member {
    pub(crate) fn is_live(&self) -> bool {
        self.life != Life::Leaving && self.place != Place::Warm
    }

    /// Whether a node has the address or the name that the instance would have.
    pub(crate) fn is_called(&self, node: &Node) -> bool {
        let names = [&self.machine.private_dns, &self.machine.private_ip];
        let is_its = |name: &&String| {
            !name.is_empty() && (node.name == **name || node.addresses.contains(name))
        };
        names.iter().any(is_its)
    }

    /// The instance with its node, as people are told of it.
    pub(crate) fn told(&self) -> String {
        match &self.node {
            Some(node) if node.name != self.id => format!("{} ({})", self.id, node.name),
            _ => self.id.clone(),
        }
    }
}

impl Group {
    pub(crate) fn is_in_kubernetes(&self) -> bool {
        self.role != Role::Bastion
    }

    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_live())
    }

    fn expected(&self) -> Expected<'_> {
        let counted = self.live().filter(|member| member.place == Place::Attached);
        Expected {
            group: &self.name,
            joins: match self.role {
                Role::Master => Joins::AsMaster,
                Role::Node | Role::ApiServer => Joins::AsNode,
                Role::Bastion => Joins::Never,
            },
            target: self.target,
            instances: counted.map(|member| member.id.as_str()).collect(),
        }
    }
}

/// What a look is put together from.
pub(super) struct Sources<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) groups: &'a [InstanceGroup],
    pub(super) fleet: &'a Fleet,
    pub(super) versions: &'a Versions,
}

/// Puts a look together. `kubernetes` is what it showed, or `None` where it was not asked.
pub(super) fn assemble(
    sources: &Sources<'_>,
    kubernetes: Option<Result<Look, KubernetesError>>,
    now: Time,
) -> World {
    let Sources { cluster, groups, fleet, .. } = sources;
    let look = kubernetes.as_ref().and_then(|answer| answer.as_ref().ok());
    let mut found: Vec<Group> = groups
        .iter()
        .filter_map(|spec| {
            let name = spec.aws_name(cluster.name());
            let live = fleet.groups.iter().find(|group| group.name == name)?;
            Some(group(sources, spec, live, look))
        })
        .collect();
    found.sort_by(|a, b| (order(a.role), &a.name).cmp(&(order(b.role), &b.name)));
    let is_known = |name: &String| found.iter().any(|group| group.fleet_name == *name);
    let orphans = fleet.instances.values().filter(|instance| {
        instance.state != MachineState::Gone
            && instance.detached_from.as_ref().is_some_and(|name| !is_known(name))
    });
    let orphans = orphans.cloned().collect();
    let kubernetes = match kubernetes {
        None => Sight::Not,
        Some(Err(error)) => Sight::Lost(error),
        Some(Ok(look)) => {
            let expected: Vec<Expected<'_>> = found.iter().map(Group::expected).collect();
            let failures = validation::validate(&expected, &look);
            Sight::Seen { look, failures }
        }
    };
    // Every answer carries its date; without one there is no better time than one's own.
    let aws_now = fleet.as_of.unwrap_or(now);
    World { now, aws_now, groups: found, kubernetes, orphans }
}

fn order(role: Role) -> u8 {
    match role {
        Role::Bastion => 0,
        Role::Master => 1,
        Role::ApiServer => 2,
        Role::Node => 3,
    }
}

fn group(
    sources: &Sources<'_>,
    spec: &InstanceGroup,
    live: &FleetGroup,
    look: Option<&Look>,
) -> Group {
    let Sources { cluster, fleet, versions, .. } = sources;
    let node = |id: &str| look.and_then(|look| look.node_of(id)).cloned();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for attached in &live.members {
        let machine = fleet.instances.get(&attached.id).cloned();
        let life = life(&attached.lifecycle, machine.as_ref());
        let place = match attached.lifecycle.as_str() {
            "Detaching" | "Detached" => Place::Detached,
            warm if warm.starts_with("Warmed") => Place::Warm,
            _ => Place::Attached,
        };
        let node = node(&attached.id);
        let mut reasons = need::reasons(live, attached, versions);
        if node.as_ref().is_some_and(|node| node.needs_update) {
            reasons.push(Reason::plain("its node is marked kops.k8s.io/needs-update"));
        }
        if place == Place::Detached {
            reasons.push(detached());
        }
        let machine = machine.unwrap_or_default();
        let member = Member { id: attached.id.clone(), place, life, machine, reasons, node };
        members.insert(attached.id.clone(), member);
    }
    for (id, machine) in &fleet.instances {
        if machine.detached_from.as_deref() != Some(&live.name) || members.contains_key(id) {
            continue;
        }
        let life = match machine.state {
            MachineState::Pending => Life::Starting,
            MachineState::Running => Life::InService,
            MachineState::Gone => Life::Leaving,
        };
        let member = Member {
            id: id.clone(),
            place: Place::Detached,
            life,
            machine: machine.clone(),
            reasons: vec![detached()],
            node: node(id),
        };
        members.insert(id.clone(), member);
    }
    let members: Vec<Member> = members.into_values().collect();
    Group {
        name: spec.name().to_owned(),
        fleet_name: live.name.clone(),
        role: spec.spec.role.unwrap_or(Role::Node),
        strategy: strategy::resolve(cluster, spec, live.desired),
        template: live.template.clone(),
        min: live.min,
        target: live.desired,
        max: live.max,
        suspended: live.suspended.clone(),
        taints: spec.spec.taints.iter().flatten().filter_map(|text| taint(text)).collect(),
        members,
        activities: live.activities.clone(),
    }
}

/// A taint as specs write it: `key=value:NoSchedule`, or without its value.
fn taint(text: &str) -> Option<Taint> {
    let (name, effect) = text.rsplit_once(':')?;
    Some((name.split('=').next()?.to_owned(), effect.to_owned()))
}

fn detached() -> Reason {
    Reason::plain("a rolling update detached it")
}

/// How far an instance of a group is (Auto Scaling User Guide, "Instance lifecycle").
fn life(lifecycle: &str, machine: Option<&FleetInstance>) -> Life {
    if machine.is_some_and(|machine| machine.state == MachineState::Gone) {
        return Life::Leaving;
    }
    match lifecycle {
        "InService" | "Detaching" | "Detached" => Life::InService,
        "Terminated" => Life::Leaving,
        leaving if leaving.starts_with("Terminating") => Life::Leaving,
        _ => Life::Starting,
    }
}
