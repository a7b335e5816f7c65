//! What a cluster has in AWS, whatever its spec says: all that carries its tags or bears its
//! names, each with whose it is.

mod instances;
mod network;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, VolumeState};
use futures::future::{try_join, try_join_all, try_join3, try_join4, try_join5};

use crate::autoscaling::autoscaling_group::AutoscalingGroupDeletion;
use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::aws::{Aws, AwsError, ec2};
use crate::core::deletion::Deletion;
use crate::core::in_use::{Hold, Thing, User};
use crate::core::kind::{Kind, ResourceId};
use crate::core::whose::{self, Marks, Owner, Whose};
use crate::ec2::in_use;
use crate::ec2::instance::InstancesDeletion;
use crate::ec2::key_pair::{self, KeyPairDeletion, SshKey};
use crate::ec2::launch_template::LaunchTemplateDeletion;
use crate::ec2::volume::{EbsVolume, VolumeDeletion};
use crate::elb::load_balancer::{self, LoadBalancer, LoadBalancerDeletion};
use crate::elb::network as network_balancers;
use crate::elb::network_load_balancer::{NetworkLoadBalancer, NetworkLoadBalancerDeletion};
use crate::elb::target_group::{TargetGroup, TargetGroupDeletion};
use crate::iam::instance_profile::{self, IamInstanceProfile, InstanceProfileDeletion};
use crate::iam::look::{Look as RoleLook, name_role_of};
use crate::iam::role::{self, IamRole, RoleDeletion};
use crate::iam::role_policy;
use crate::policy::document::Document;
use crate::route53::hosted_zone::HostedZone;
use crate::spec::role::Role;
use crate::vpc::dhcp_options::DhcpOptions;
use crate::vpc::internet_gateway::InternetGateway;
use crate::vpc::route_table::RouteTable;
use crate::vpc::security_group::{self, SecurityGroup, SecurityGroupDeletion};
use crate::vpc::vpc::Vpc;

/// Something that was found.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: ResourceId,
    pub(crate) whose: Whose,
    /// What deletes it, if it is the cluster's.
    pub(crate) deletion: Deletion,
    /// The tags on it that an update has set, if it is not the cluster's and the spec names it.
    pub(crate) marks_of_ours: Option<(String, Tags)>,
    /// What keeps it, though it is the cluster's.
    pub(crate) held: Option<Hold>,
}

/// For whom to look, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) owner: Owner,
    pub(crate) zone: HostedZone,
    /// AWS' names of the cluster's load balancers and target groups.
    pub(crate) balancers: Vec<String>,
    /// The names of the cluster's security groups.
    pub(crate) security_groups: Vec<String>,
    /// The trust policy of the cluster's roles.
    pub(crate) trust: Document,
}

impl Look {
    /// What was found, if it concerns the cluster at all.
    fn row(
        &self,
        kind: Kind,
        name: &str,
        told: String,
        marks: &Marks<'_>,
        deletion: Deletion,
    ) -> Option<Row> {
        let whose = self.owner.whose(kind, marks);
        let tags = marks.known_tags();
        (whose.is_owned() || self.concerns(name, tags)).then(|| Row {
            id: ResourceId::new(kind, told),
            whose,
            deletion,
            marks_of_ours: self.marks_of_ours(kind, marks),
            held: None,
        })
    }

    fn concerns(&self, name: &str, tags: &Tags) -> bool {
        self.owner.is_marked(tags) || self.is_own_name(name, tags)
    }

    /// One that AWS knows by id, called by its name.
    fn by_id(&self, kind: Kind, marks: &Marks<'_>, deletion: Deletion) -> Option<Row> {
        let id = marks.id();
        let name = marks.known_tags().get("Name").map(String::as_str).unwrap_or_default();
        let told = if name.is_empty() { id.to_owned() } else { format!("{name} ({id})") };
        self.row(kind, name, told, marks, deletion)
    }

    /// One that AWS knows by its name.
    fn by_name(
        &self,
        kind: Kind,
        name: &str,
        marks: &Marks<'_>,
        deletion: Deletion,
    ) -> Option<Row> {
        self.row(kind, name, name.to_owned(), marks, deletion)
    }

    /// Whether a name is such as the cluster gives, and not as another one does that has the
    /// thing: `nodes.a.example.com` is no name of `example.com`.
    fn is_own_name(&self, name: &str, tags: &Tags) -> bool {
        let cluster = self.owner.cluster();
        let is_of = |cluster: &str| {
            name.strip_suffix(cluster).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let other = whose::other_owner(tags, cluster);
        let other = other.or(tags.get(CLUSTER_TAG).map(String::as_str));
        let is_others = other.is_some_and(|other| other != cluster && is_of(other));
        self.balancers.iter().any(|own| own == name) || is_of(cluster) && !is_others
    }

    fn marks_of_ours(&self, kind: Kind, marks: &Marks<'_>) -> Option<(String, Tags)> {
        let set = marks.ids().find_map(|id| self.owner.tags_on(kind, id))?;
        let found = marks.known_tags();
        let shared = self.owner.tag();
        // Without it, no update has been here.
        if found.get(&shared) != set.get(&shared) {
            return None;
        }
        // What tells Kubernetes of a subnet's use, other clusters read too.
        let others = whose::is_used_by_others(found, self.owner.cluster());
        let goes = |key: &str| !others || key == shared || key == CLUSTER_TAG;
        let tags = set.iter().filter(|(key, value)| found.get(*key) == Some(*value) && goes(key));
        let tags: Tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
        (!tags.is_empty()).then(|| (marks.id().to_owned(), tags))
    }
}

/// Chooses what bears the cluster's name, or one below it.
fn named(cluster: &str) -> Filter {
    ec2::filter("tag:Name", [cluster.to_owned(), format!("*.{cluster}")])
}

/// What carries the cluster's tags, and what bears its names, each once.
async fn marked_or_named<T, F>(
    look: &Look,
    id: impl Fn(&T) -> Option<&str>,
    read: impl Fn(Filter) -> F,
) -> Result<Vec<T>, AwsError>
where
    F: Future<Output = Result<Vec<T>, AwsError>>,
{
    let cluster = look.owner.cluster();
    let (mut rows, more) = try_join(read(ec2::marked(cluster)), read(named(cluster))).await?;
    let known: BTreeSet<String> = rows.iter().filter_map(&id).map(str::to_owned).collect();
    rows.extend(more.into_iter().filter(|row| id(row).is_none_or(|id| !known.contains(id))));
    Ok(rows)
}

/// Reads all that carries the cluster's tags or bears its names.
pub(crate) async fn observe(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let mut look = look.clone();
    name_roles(aws, &mut look.owner).await?;
    let look = &look;
    let (instances, balancers, network, others, iam) = try_join5(
        instances::observe(aws, look),
        balancers(aws, look),
        network::observe(aws, look),
        try_join3(volumes(aws, look), keys(aws, look), groups(aws, look)),
        iam(aws, look),
    )
    .await?;
    let (instances, addresses) = instances;
    let (balancers, by_dns_name) = balancers;
    let records = records::observe(aws, look, by_dns_name, addresses).await?;
    let (volumes, keys, groups) = others;
    let (iam, profiles) = iam;
    let mut rows = [instances, balancers, network, records, volumes, keys, groups, iam].concat();
    hold(aws, &mut rows, &profiles).await?;
    Ok(rows)
}

/// The network around instances.
const AROUND: [Kind; 4] = [Vpc::KIND, InternetGateway::KIND, RouteTable::KIND, DhcpOptions::KIND];

/// Holds back what instances use that do not go with the cluster, and the network around them.
/// Profiles are known by their ARNs.
async fn hold(
    aws: &Aws,
    rows: &mut [Row],
    profiles: &BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let thing = |row: &Row| {
        let profile = row.deletion.of::<InstanceProfileDeletion>().map(|one| &one.name);
        let role = row.deletion.of::<RoleDeletion>().map(|one| &one.name);
        let profile = profile.or(role).and_then(|name| profiles.get(name));
        let group = row.deletion.of::<SecurityGroupDeletion>();
        let template = row.deletion.of::<LaunchTemplateDeletion>();
        None.or(profile.map(|arn| Thing::InstanceProfile(arn.clone())))
            .or(group.map(|group| Thing::SecurityGroup(group.id.clone())))
            .or(template.map(|template| Thing::LaunchTemplate(template.0.clone())))
    };
    let owned = || rows.iter().filter(|row| row.whose.is_owned());
    let things: BTreeSet<Thing> = owned().filter_map(thing).collect();
    let going: BTreeSet<String> = owned()
        .flat_map(|row| {
            let instances = row.deletion.of::<InstancesDeletion>().map(|one| one.0.clone());
            let group =
                row.deletion.of::<AutoscalingGroupDeletion>().map(|one| vec![one.0.clone()]);
            instances.or(group).unwrap_or_default()
        })
        .collect();
    let in_use = in_use::observe(aws, &things).await?;
    let goes = |user: &User| {
        going.contains(&user.id) || user.scaling_group.as_ref().is_some_and(|of| going.contains(of))
    };
    for row in rows.iter_mut().filter(|row| row.whose.is_owned()) {
        row.held = thing(row).and_then(|thing| in_use.hold(&thing, goes));
    }
    let mut groups = rows.iter().filter(|row| row.id.kind == SecurityGroup::KIND);
    let around = groups.find_map(|row| row.held.clone());
    let is_around = |kind| AROUND.contains(&kind);
    for row in rows.iter_mut().filter(|row| row.whose.is_owned() && is_around(row.id.kind)) {
        row.held = around.clone();
    }
    Ok(())
}

/// Learns the roles in the profiles that the spec names.
async fn name_roles(aws: &Aws, owner: &mut Owner) -> Result<(), AwsError> {
    let names: Vec<String> = owner.named_of(IamInstanceProfile::KIND).map(str::to_owned).collect();
    let profiles = names
        .iter()
        .map(async |name| Ok::<_, AwsError>((name, instance_profile::observe(aws, name).await?)));
    for (name, profile) in try_join_all(profiles).await? {
        let found = profile.into_rows()?;
        if let Some(role) = found.first().and_then(|profile| profile.role.as_ref()) {
            name_role_of(owner, name, &role.name);
        }
    }
    Ok(())
}

/// Whose load balancers are, by their DNS names.
type ByDnsName = Vec<(String, Whose)>;

async fn balancers(aws: &Aws, look: &Look) -> Result<(Vec<Row>, ByDnsName), AwsError> {
    let (classic, (network, targets)) =
        try_join(load_balancer::observe_all(aws), network_balancers::observe_all(aws)).await?;
    let (mut rows, mut by_dns_name) = (Vec::new(), Vec::new());
    for found in &classic {
        let marks = found.marks();
        let deletion = LoadBalancerDeletion(found.name.clone()).into();
        rows.extend(look.by_name(LoadBalancer::KIND, &found.name, &marks, deletion));
        if let Some(address) = &found.address {
            let whose = look.owner.whose(LoadBalancer::KIND, &marks);
            by_dns_name.push((address.dns_name.clone(), whose));
        }
    }
    for found in &network {
        let kind = if found.is_network { NetworkLoadBalancer::KIND } else { LoadBalancer::KIND };
        let marks = found.marks_before(&targets, &look.owner);
        let deletion = NetworkLoadBalancerDeletion(found.arn.clone()).into();
        rows.extend(look.by_name(kind, &found.name, &marks, deletion));
        if let Some(address) = &found.address {
            by_dns_name.push((address.dns_name.clone(), look.owner.whose(kind, &marks)));
        }
    }
    for found in &targets {
        let deletion = TargetGroupDeletion(found.arn.clone()).into();
        rows.extend(look.by_name(TargetGroup::KIND, &found.name, &found.marks(), deletion));
    }
    Ok((rows, by_dns_name))
}

async fn volumes(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let read = async |filter| {
        let pages = aws.ec2.describe_volumes().filters(filter).into_paginator();
        let rows = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        rows.map_err(|error| AwsError::new("ec2:DescribeVolumes", "", error))
    };
    let volumes = marked_or_named(look, |volume| volume.volume_id(), read).await?;
    let rows = volumes.iter().filter_map(|volume| {
        // A volume of a running instance goes with it, or is let go by then.
        let goes = matches!(volume.state(), Some(VolumeState::Deleting | VolumeState::Deleted));
        let id = volume.volume_id().filter(|_| !goes)?;
        let tags = ec2::tags_from_sdk(volume.tags());
        let deletion = VolumeDeletion(id.to_owned()).into();
        look.by_id(EbsVolume::KIND, &Marks::of(id).tags(&tags), deletion)
    });
    Ok(rows.collect())
}

async fn keys(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let cluster = look.owner.cluster();
    let keys = key_pair::observe(aws, cluster, &[]).await?.into_rows()?;
    let rows = keys.iter().map(|key| Row {
        id: ResourceId::new(SshKey::KIND, &key.name),
        whose: look.owner.whose(SshKey::KIND, &key.marks(cluster)),
        deletion: KeyPairDeletion(key.name.clone()).into(),
        marks_of_ours: None,
        held: None,
    });
    Ok(rows.collect())
}

async fn groups(aws: &Aws, look: &Look) -> Result<Vec<Row>, AwsError> {
    let cluster = look.owner.cluster();
    let named = ec2::filter("group-name", look.security_groups.clone());
    let (mut groups, named) = try_join(
        security_group::read(aws, vec![ec2::marked(cluster)]),
        security_group::read(aws, vec![named]),
    )
    .await?;
    let known: BTreeSet<String> = groups.iter().map(|group| group.id.clone()).collect();
    groups.extend(named.into_iter().filter(|group| !known.contains(&group.id)));
    let rows = groups.iter().filter_map(|group| {
        let told = format!("{} ({})", group.name, group.id);
        let deletion =
            SecurityGroupDeletion { id: group.id.clone(), rules: group.rules.clone() }.into();
        look.row(SecurityGroup::KIND, &group.name, told, &group.marks(), deletion)
    });
    Ok(rows.collect())
}

/// The IAM resources, and the ARNs of the profiles among them.
async fn iam(aws: &Aws, look: &Look) -> Result<(Vec<Row>, BTreeMap<String, String>), AwsError> {
    let names = Role::ALL.map(|role| role.iam_name(look.owner.cluster()));
    let reads = names.iter().map(async |name| {
        let (profile, role, policies, attached) = try_join4(
            instance_profile::observe(aws, name),
            role::observe(aws, name),
            role_policy::observe(aws, name),
            role::observe_attached(aws, name),
        )
        .await?;
        let found = RoleLook {
            name,
            role: role.one(),
            policies: &policies,
            profile: &profile,
            trust: &look.trust,
        };
        let row = |kind, marks: Marks<'_>, deletion| Row {
            id: ResourceId::new(kind, name),
            whose: look.owner.whose(kind, &marks),
            deletion,
            marks_of_ours: None,
            held: None,
        };
        let (mut rows, mut arn) = (Vec::new(), None);
        if let Some(profile) = profile.one() {
            arn = Some((name.clone(), profile.arn.clone()));
            let roles = profile.role.iter().map(|role| role.name.clone()).collect();
            let deletion = InstanceProfileDeletion { name: name.clone(), roles }.into();
            rows.push(row(IamInstanceProfile::KIND, found.profile(&look.owner), deletion));
        }
        if let (Some(_), Some(policies), Some(attached)) =
            (role.one(), policies.one(), attached.one())
        {
            let policies = policies.iter().map(|(name, _)| name.to_owned()).collect();
            let attached = attached.0.clone();
            let deletion = RoleDeletion { name: name.clone(), policies, attached }.into();
            rows.push(row(IamRole::KIND, found.role(), deletion));
        }
        profile.known()?;
        role.known()?;
        policies.known()?;
        attached.known()?;
        Ok((rows, arn))
    });
    let (rows, arns): (Vec<Vec<Row>>, Vec<_>) = try_join_all(reads).await?.into_iter().unzip();
    Ok((rows.concat(), arns.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::partition::Partition;
    use crate::policy::trust;
    use crate::vpc::subnet::Subnet;

    fn look() -> Look {
        let mut owner = Owner::with_spec("example.com");
        let set = [("kubernetes.io/cluster/example.com", "shared"), ("SubnetType", "Public")];
        owner.name(Subnet::KIND, "subnet-1", "spec.subnets[0].id", tags(&set));
        let trust = trust::document(Partition::of_region("us-west-2"));
        Look {
            owner,
            zone: HostedZone::None,
            balancers: vec!["api-a".to_owned()],
            security_groups: Vec::new(),
            trust,
        }
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_below_the_cluster_s_are_its_own_unless_another_has_them_as_such() {
        let look = look();
        let other = tags(&[("kubernetes.io/cluster/dev.example.com", "owned")]);
        let none = Tags::new();
        assert!(look.is_own_name("nodes.example.com", &none));
        assert!(look.is_own_name("example.com", &none));
        assert!(look.is_own_name("api-a", &none));
        assert!(look.is_own_name("nodes.example.com", &other));
        assert!(!look.is_own_name("nodes.dev.example.com", &other));
        assert!(!look.is_own_name("nodes.myexample.com", &none));
        assert!(!look.is_own_name("", &none));
    }

    #[test]
    fn only_tags_that_an_update_has_set_go() {
        let look = look();
        let of_ours = |pairs: &[(&str, &str)]| {
            let found = tags(pairs);
            let marks = Marks::of("subnet-1").tags(&found);
            let (_, tags) = look.marks_of_ours(Subnet::KIND, &marks)?;
            Some(tags.into_keys().collect::<Vec<_>>().join(" "))
        };
        let own = ("kubernetes.io/cluster/example.com", "shared");
        let kind = ("SubnetType", "Public");
        assert_eq!(
            of_ours(&[own, kind, ("team", "web")]).as_deref(),
            Some("SubnetType kubernetes.io/cluster/example.com")
        );
        assert_eq!(of_ours(&[own, ("SubnetType", "Utility")]).as_deref(), Some(own.0));
        let used = ("kubernetes.io/cluster/b.com", "shared");
        assert_eq!(of_ours(&[own, kind, used]).as_deref(), Some(own.0));
        assert_eq!(of_ours(&[kind]), None);
        assert_eq!(of_ours(&[("kubernetes.io/cluster/example.com", "owned"), kind]), None);
    }
}
