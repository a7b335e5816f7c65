//! Looking at a cluster: AWS and Kubernetes at once, and whether what is found can be worked with.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail};
use futures::future::join;

use super::clock::Clock;
use super::need::Versions;
use super::world::{Group, Member, Sight, Sources, World, assemble};
use crate::autoscaling::fleet;
use crate::aws::{Aws, AwsError};
use crate::core::time::Time;
use crate::core::whose::Owner;
use crate::ec2::launch_template;
use crate::kubernetes::client::Kubernetes;
use crate::kubernetes::node::Node;
use crate::kubernetes::rights::Right;
use crate::kubernetes::{Look, drain};
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;

/// Who looks: at which cluster, through what.
pub(crate) struct Observer {
    pub(crate) aws: Aws,
    /// `None` with `--cloudonly`.
    pub(crate) kubernetes: Option<Kubernetes>,
    pub(crate) cluster: Cluster,
    pub(crate) groups: Vec<InstanceGroup>,
    /// Whose instances are looked at.
    owner: Owner,
    pub(crate) clock: Clock,
    versions: Versions,
}

impl Observer {
    pub(crate) fn new(
        aws: Aws,
        kubernetes: Option<Kubernetes>,
        cluster: Cluster,
        groups: Vec<InstanceGroup>,
        owner: Owner,
    ) -> Self {
        let clock = Clock::from_environment();
        Self { aws, kubernetes, cluster, groups, owner, clock, versions: Versions::default() }
    }

    /// Reads AWS and Kubernetes at once. That Kubernetes does not answer is part of the look.
    pub(crate) async fn look(&mut self, now: Time) -> Result<World, AwsError> {
        let of_kubernetes = async {
            match &self.kubernetes {
                Some(kubernetes) => Some(kubernetes.look().await),
                None => None,
            }
        };
        let of_aws = fleet::observe(&self.aws, &self.owner);
        let (fleet, kubernetes) = join(of_aws, of_kubernetes).await;
        let fleet = fleet?;
        let unknown = self.versions.unknown(&fleet);
        if !unknown.is_empty() {
            let found = launch_template::observe_versions(&self.aws, &unknown).await?;
            self.versions.learn(&unknown, found);
        }
        let sources = Sources {
            cluster: &self.cluster,
            groups: &self.groups,
            fleet: &fleet,
            versions: &self.versions,
        };
        Ok(assemble(&sources, kubernetes, now))
    }

    /// The first look, which must find Kubernetes, and in it the instances that are meant: one
    /// that is taken to be no node would be terminated with all its pods.
    pub(crate) async fn first_look(
        &mut self,
        is_meant: impl Fn(&Member) -> bool,
    ) -> anyhow::Result<World> {
        let now = self.clock.now().await?;
        let world = self.look(now).await?;
        let Some(kubernetes) = &self.kubernetes else { return Ok(world) };
        match &world.kubernetes {
            Sight::Lost(error) => bail!(
                "the Kubernetes API at {} cannot be used: {error}\n{}",
                kubernetes.address,
                error.remedy()
            ),
            Sight::Seen { look, .. } => check_nodes(&world, look, &kubernetes.address, is_meant)?,
            Sight::Not => {}
        }
        Ok(world)
    }

    /// The rights in Kubernetes that replacing instances of these groups takes and that the user
    /// does not have.
    pub(crate) async fn missing_rights(
        &self,
        world: &World,
        groups: &BTreeSet<String>,
    ) -> anyhow::Result<Vec<Right>> {
        let (Some(kubernetes), Some(look)) = (&self.kubernetes, world.kubernetes.look()) else {
            return Ok(Vec::new());
        };
        let meant = world.groups.iter().filter(|group| groups.contains(&group.name));
        let members = meant.filter(|group| group.is_in_kubernetes()).flat_map(Group::live);
        let nodes: Vec<&Node> = members.filter_map(|member| member.node.as_ref()).collect();
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        let pods = nodes.into_iter().flat_map(|node| drain::leaving(look, node));
        let namespaces: BTreeSet<&str> = pods.map(|pod| pod.namespace.as_str()).collect();
        let answer = kubernetes.missing_rights(&namespaces).await;
        answer.map_err(|error| anyhow!("{error}\n{}", error.remedy()))
    }
}

pub(super) fn check_nodes(
    world: &World,
    look: &Look,
    address: &str,
    is_meant: impl Fn(&Member) -> bool,
) -> anyhow::Result<()> {
    let joining = world.groups.iter().filter(|group| group.is_in_kubernetes());
    let members: Vec<&Member> = joining.flat_map(Group::live).collect();
    let loose: Vec<&&Member> = members.iter().filter(|member| member.node.is_none()).collect();
    for node in world.nameless() {
        let own: Vec<&&Member> = members.iter().filter(|member| member.is_called(node)).collect();
        let may_be = |member: &&&&Member| match own.is_empty() {
            true => node.has_role,
            false => own.iter().any(|one| one.id == member.id),
        };
        if let Some(member) = loose.iter().filter(|member| is_meant(member)).find(may_be) {
            bail!(
                "node {} has no spec.providerID, so that it cannot be told which instance it is; \
                 it may be {}, whose pods would not be asked to leave. Wait until the cloud \
                 provider has set it, or set it: kubectl patch node {0} -p \
                 '{{\"spec\":{{\"providerID\":\"aws:///{}/{1}\"}}}}'",
                node.name,
                member.id,
                member.machine.zone
            );
        }
    }
    if !loose.is_empty() && loose.len() == members.len() && !look.nodes.is_empty() {
        bail!(
            "none of the {} instances is a node of the cluster at {address}; is that another \
             cluster's kubeconfig? Where no node ever joined, use --cloudonly",
            loose.len()
        );
    }
    Ok(())
}
