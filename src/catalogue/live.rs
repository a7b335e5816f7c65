//! AWS as it stands: everything that one plan needs, read at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{self, try_join, try_join_all, try_join3, try_join4, try_join5};

use crate::autoscaling::autoscaling_group::{self, AutoscalingGroup, LiveGroup};
use crate::autoscaling::load_balancer_attachment::{
    ExternalLoadBalancerAttachment, ExternalTargetGroupAttachment, LiveAttachment,
};
use crate::aws::{Aws, AwsError};
use crate::core::in_use::InUse;
use crate::core::kind::{Kind, ResourceId};
use crate::core::seen::{Looked, Seen};
use crate::core::whose::{Owner, speak_of};
use crate::ec2::image::{self, Images};
use crate::ec2::instance;
use crate::ec2::instance_type::{self, LiveInstanceType};
use crate::ec2::key_pair::{self, SshKey};
use crate::ec2::launch_template::{self, LaunchTemplate, TemplateUser};
use crate::ec2::volume::{self, EbsVolume};
use crate::elb::listener::{self, Listener};
use crate::elb::load_balancer::{self, LiveLoadBalancer, LoadBalancer};
use crate::elb::network;
use crate::elb::network_load_balancer::{LiveNetworkLoadBalancer, NetworkLoadBalancer};
use crate::elb::target_group::TargetGroup;
use crate::iam::instance_profile;
use crate::iam::role::{self, LiveIamRole, LiveInstanceProfile};
use crate::iam::role_policy::{self, LivePolicies};
use crate::route53::dns_name::{self, DnsName, LiveRecord};
use crate::route53::dns_zone::{self, DnsZone};
use crate::route53::hosted_zone::{self, HostedZone, LiveZone};
use crate::vpc::cidr_block::LiveCidrBlock;
use crate::vpc::dhcp_options::{self, DhcpOptions};
use crate::vpc::elastic_ip::{self, ElasticIp};
use crate::vpc::internet_gateway::{self, InternetGateway, LiveInternetGateway};
use crate::vpc::nat_gateway::{self, NatGateway};
use crate::vpc::route;
use crate::vpc::route_table::{self, LiveRouteTable, RouteTable};
use crate::vpc::security_group::{self, LiveSecurityGroup, SecurityGroup};
use crate::vpc::subnet::{self, LiveSubnet, Subnet};
use crate::vpc::vpc::{self, GATEWAYS, LiveVpc, SECURITY_GROUPS, SUBNETS, Vpc, VpcPart};

/// What to read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reads {
    pub(crate) cluster: String,
    /// The kinds that are looked for at all, IAM apart.
    pub(crate) kinds: BTreeSet<Kind>,
    pub(crate) zones: bool,
    pub(crate) zone: Option<HostedZone>,
    pub(crate) roles: BTreeSet<String>,
    /// The roles whose inline policies are read.
    pub(crate) policies: BTreeSet<String>,
    pub(crate) profiles: BTreeSet<String>,
    /// The profiles whose role is not known before they are read, and whose inline policies
    /// are wanted.
    pub(crate) policies_through: BTreeSet<String>,
    /// The VPC that the cluster shares.
    pub(crate) vpc: Option<String>,
    /// Whether subnets are to lie in zones of which no machine type tells whether they exist.
    pub(crate) availability_zones: bool,
    /// The ids of groups that the spec names, and the names of the cluster's own.
    pub(crate) security_groups: Vec<String>,
    pub(crate) security_group_names: Vec<String>,
    pub(crate) ssh_keys: Vec<String>,
    pub(crate) groups: Vec<String>,
    /// AWS' names of the cluster's classic load balancers.
    pub(crate) load_balancers: BTreeSet<String>,
    /// Likewise of its network load balancers.
    pub(crate) network_load_balancers: BTreeSet<String>,
    pub(crate) target_groups: BTreeSet<String>,
    pub(crate) records: Vec<String>,
    pub(crate) images: BTreeSet<String>,
    pub(crate) instance_types: BTreeSet<String>,
    /// The instances through which private subnets reach the internet.
    pub(crate) instances: Vec<String>,
    /// The roles that no group has, by the tag that a group of theirs would carry: their IAM
    /// resources are read if such a group is found.
    pub(crate) idle_roles: BTreeMap<String, String>,
    /// The same roles, by the name of the security group that goes after their IAM resources.
    pub(crate) idle_security_groups: BTreeMap<String, String>,
}

/// What was found. A name that was not asked for has no entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    pub(crate) account: String,
    pub(crate) seen: Seen,
    /// `None` if images could not be looked at.
    pub(crate) images: Option<Result<Images, AwsError>>,
    pub(crate) instance_types: Option<Result<BTreeMap<String, LiveInstanceType>, AwsError>>,
    /// Who uses what is to go, asked once it is known what that is.
    pub(crate) in_use: InUse,
}

impl Live {
    /// Whether a role exists, if anything that was read tells.
    pub(crate) fn has_role(&self, name: &str) -> Option<bool> {
        let by_itself = self.seen.named::<LiveIamRole>(name).exists();
        by_itself.or_else(|| self.seen.named::<LivePolicies>(name).exists())
    }

    pub(crate) fn has_profile(&self, name: &str) -> Option<bool> {
        self.seen.named::<LiveInstanceProfile>(name).exists()
    }
}

/// Reads everything concurrently, in at most three rounds: what hangs on a VPC, a hosted
/// zone or a load balancer waits for that.
pub(crate) async fn observe(aws: &Aws, reads: &Reads) -> Result<Live, AwsError> {
    let (account, mut live, network, security, cluster) = try_join5(
        aws.account(),
        observe_iam(aws, reads),
        observe_network(aws, reads),
        observe_security(aws, reads),
        observe_cluster(aws, reads),
    )
    .await?;
    live.account = account;
    network(&mut live);
    security(&mut live);
    let mut idle: BTreeSet<String> = cluster(&mut live).into_iter().collect();
    let groups = live.seen.rows::<LiveSecurityGroup>().iter();
    idle.extend(groups.filter_map(|group| reads.idle_security_groups.get(&group.name)).cloned());
    // A group of a role that no spec has any more: its role may have to go with it.
    let profiles = try_join_all(idle.iter().map(async |name| {
        let (profile, role, policies, attached) = try_join4(
            instance_profile::observe(aws, name),
            role::observe(aws, name),
            role_policy::observe(aws, name),
            role::observe_attached(aws, name),
        )
        .await?;
        Ok::<_, AwsError>((name.clone(), profile, role, policies, attached))
    }))
    .await?;
    for (name, profile, role, policies, attached) in profiles {
        live.seen.put_named(&name, profile);
        live.seen.put_named(&name, role);
        live.seen.put_named(&name, attached);
        live.seen.put_named(&name, policies);
    }
    let is_idle = |found: &LiveLoadBalancer| !reads.load_balancers.contains(&found.name);
    let is_left = |found: &LiveNetworkLoadBalancer| {
        let is_wanted = reads.network_load_balancers.contains(&found.name);
        !is_wanted && speak_of(&found.tags, &reads.cluster)
    };
    let has_idle = live.seen.rows().iter().any(is_idle) || live.seen.rows().iter().any(is_left);
    if has_idle && let Some(zone) = zone_of(reads, live.seen.rows()) {
        let names =
            ["api", "api.internal", "bastion"].map(|name| format!("{name}.{}", reads.cluster));
        let idle: Vec<String> =
            names.into_iter().filter(|name| !reads.records.contains(name)).collect();
        let records = dns_name::observe_idle(aws, &zone.id, &idle).await?;
        live.seen.put(records);
    }
    tell_parts(&mut live.seen);
    Ok(live)
}

/// Tells what one look shows of several kinds as tables of their own.
fn tell_parts(seen: &mut Seen) {
    seen.put(seen.of::<LiveVpc>().flat_map(|vpc| {
        let blocks = vpc.more_cidrs.iter();
        blocks.map(|(cidr, _)| LiveCidrBlock { vpc: vpc.id.clone(), cidr: cidr.clone() }).collect()
    }));
    seen.put(seen.of::<LiveRouteTable>().flat_map(|table| table.routes.clone()));
    seen.put(seen.of::<LiveRouteTable>().flat_map(|table| table.associations.clone()));
    seen.put(seen.of::<LiveSecurityGroup>().flat_map(|group| group.rules.clone()));
    let subnets = seen.rows::<LiveSubnet>().iter().map(|row| (&row.vpc, SUBNETS));
    let groups = seen.rows::<LiveSecurityGroup>().iter().map(|row| (&row.vpc, SECURITY_GROUPS));
    let gateways = seen.rows::<LiveInternetGateway>().iter();
    let gateways = gateways.flat_map(|row| row.vpcs.iter().map(|vpc| (vpc, GATEWAYS)));
    let parts = subnets.chain(groups).chain(gateways);
    let parts = parts.map(|(vpc, what)| VpcPart { vpc: vpc.clone(), what });
    seen.put(Looked::Found(parts.collect()));
    seen.put(seen.of::<LiveGroup>().flat_map(|group| {
        let user = |(template, _): &(String, _)| TemplateUser {
            group: ResourceId::new(AutoscalingGroup::KIND, &group.name),
            template: template.clone(),
            tags: group.tags.clone(),
        };
        group.template.iter().map(user).collect()
    }));
    seen.put(seen.of::<LiveGroup>().flat_map(|group| {
        let targets = group.load_balancers.iter().chain(&group.target_groups);
        let attachment = |to: &String| LiveAttachment { group: group.name.clone(), to: to.clone() };
        targets.map(attachment).collect()
    }));
}

/// The cluster's zone, if it is known.
fn zone_of<'a>(reads: &Reads, zones: &'a [LiveZone]) -> Option<&'a LiveZone> {
    let found = reads.zone.as_ref().and_then(|zone| hosted_zone::find(zone, zones).ok()?)?;
    zones.iter().find(|zone| zone.id == found)
}

/// Reads something, or leaves it.
async fn when<T: Default>(
    wanted: bool,
    read: impl Future<Output = Result<T, AwsError>>,
) -> Result<T, AwsError> {
    if wanted { read.await } else { Ok(T::default()) }
}

/// A role's policies take two rounds, names first; those of a profile whose role is not
/// known take three.
async fn observe_iam(aws: &Aws, reads: &Reads) -> Result<Live, AwsError> {
    let roles = try_join_all(reads.roles.iter().map(async |name| {
        let found = role::observe(aws, name).await?;
        Ok::<_, AwsError>((name.clone(), found))
    }));
    let policies = try_join_all(reads.policies.iter().map(async |role| {
        let found = role_policy::observe(aws, role).await?;
        Ok::<_, AwsError>((role.clone(), found))
    }));
    let profiles = try_join_all(reads.profiles.iter().map(async |name| {
        let found = instance_profile::observe(aws, name).await?;
        let role = found.one().and_then(|profile| profile.role.as_ref()).map(|role| &role.name);
        let through = match role.filter(|_| reads.policies_through.contains(name)) {
            Some(role) => Some((role.clone(), role_policy::observe(aws, role).await?)),
            None => None,
        };
        Ok::<_, AwsError>((name.clone(), found, through))
    }));
    let zones = observe_zones(aws, reads);
    let (zones, roles, policies, profiles) = try_join4(zones, roles, policies, profiles).await?;
    let mut live = Live { seen: zones, ..Live::default() };
    for (name, role) in roles {
        live.seen.put_named(&name, role);
    }
    for (role, policies) in policies {
        live.seen.put_named(&role, policies);
    }
    for (name, profile, through) in profiles {
        if let Some((role, policies)) = through {
            live.seen.put_named(&role, policies);
        }
        live.seen.put_named(&name, profile);
    }
    Ok(live)
}

/// Reads the account's zones, then the records of the cluster's.
async fn observe_zones(aws: &Aws, reads: &Reads) -> Result<Seen, AwsError> {
    let zones = when(reads.zones, hosted_zone::observe(aws)).await?;
    let mut seen = Seen::default();
    let Some(zone) = zone_of(reads, zones.rows()) else {
        if reads.kinds.contains(&DnsName::KIND) {
            seen.put(Looked::<LiveRecord>::Found(Vec::new()));
        }
        seen.put(zones);
        return Ok(seen);
    };
    let is_asked = zone.private && reads.kinds.contains(&DnsZone::KIND);
    let vpcs = when(is_asked, async { Looked::sort(dns_zone::vpcs(aws, &zone.id).await) });
    let records = async {
        let wanted = reads.kinds.contains(&DnsName::KIND);
        let found = when(wanted, dns_name::observe(aws, &zone.id, &reads.records)).await?;
        let has_addresses = found.rows().iter().any(|record| record.has_addresses());
        let owner = Owner::by_tags(&reads.cluster);
        let addresses =
            when(has_addresses, async { Looked::sort(instance::addresses(aws, &owner).await) });
        let addresses = addresses.await?;
        Ok((found, addresses))
    };
    let (vpcs, (records, addresses)) = try_join(vpcs, records).await?;
    seen.put(vpcs);
    seen.put(zones);
    seen.put(records);
    seen.put(addresses);
    Ok(seen)
}

async fn observe_network(aws: &Aws, reads: &Reads) -> Result<impl FnOnce(&mut Live), AwsError> {
    let wants = |kinds: &[Kind]| kinds.iter().any(|kind| reads.kinds.contains(kind));
    let cluster = reads.cluster.as_str();
    let of_vpc = async {
        let vpcs =
            when(wants(&[Vpc::KIND]), vpc::observe(aws, cluster, reads.vpc.as_deref())).await?;
        let ids: Vec<String> = vpcs.rows().iter().map(|vpc| vpc.id.clone()).collect();
        let subnets = when(wants(&[Subnet::KIND]), subnet::observe(aws, cluster, &ids));
        let tables = when(wants(&[RouteTable::KIND]), route_table::observe(aws, &ids));
        let gateways =
            when(wants(&[NatGateway::KIND, ElasticIp::KIND]), nat_gateway::observe(aws, &ids));
        let (subnets, tables, gateways) = try_join3(subnets, tables, gateways).await?;
        Ok((vpcs, subnets, tables, gateways))
    };
    let others = try_join5(
        when(wants(&[DhcpOptions::KIND]), dhcp_options::observe(aws, cluster)),
        when(wants(&[InternetGateway::KIND]), internet_gateway::observe(aws)),
        when(wants(&[ElasticIp::KIND]), elastic_ip::observe(aws)),
        when(!reads.instances.is_empty(), route::observe_instances(aws, &reads.instances)),
        when(reads.availability_zones, subnet::availability_zones(aws)),
    );
    let ((vpcs, subnets, tables, gateways), (options, internet, addresses, instances, zones)) =
        try_join(of_vpc, others).await?;
    Ok(move |live: &mut Live| {
        live.seen.put(vpcs);
        live.seen.put(tables);
        live.seen.put(gateways);
        live.seen.put(options);
        live.seen.put(subnets);
        live.seen.put(zones);
        live.seen.put(internet);
        live.seen.put(addresses);
        live.seen.put(instances);
    })
}

async fn observe_security(aws: &Aws, reads: &Reads) -> Result<impl FnOnce(&mut Live), AwsError> {
    let groups = when(
        reads.kinds.contains(&SecurityGroup::KIND),
        security_group::observe(aws, &reads.security_group_names, &reads.security_groups),
    );
    let keys = when(
        reads.kinds.contains(&SshKey::KIND),
        key_pair::observe(aws, &reads.cluster, &reads.ssh_keys),
    );
    let (groups, keys) = try_join(groups, keys).await?;
    Ok(move |live: &mut Live| {
        live.seen.put(groups);
        live.seen.put(keys);
    })
}

/// Gives back the roles without a group whose IAM resources must still be read.
async fn observe_cluster(
    aws: &Aws,
    reads: &Reads,
) -> Result<impl FnOnce(&mut Live) -> Vec<String>, AwsError> {
    let wants = |kind| reads.kinds.contains(&kind);
    let cluster = reads.cluster.as_str();
    let groups = async {
        let wanted = wants(AutoscalingGroup::KIND) || wants(LaunchTemplate::KIND);
        let groups = when(wanted, autoscaling_group::observe(aws, cluster, &reads.groups)).await?;
        let names: Vec<String> =
            groups.rows().iter().filter_map(|group| group.launch_configuration.clone()).collect();
        let data =
            when(!names.is_empty(), autoscaling_group::user_data_of_configurations(aws, &names));
        let users = when(!names.is_empty(), autoscaling_group::users_of_configurations(aws));
        let (data, users) = try_join(data, users).await?;
        Ok((groups, data, users))
    };
    let suffix = format!(".{cluster}");
    let templates = when(
        wants(LaunchTemplate::KIND),
        launch_template::observe(aws, cluster, |name| name.ends_with(&suffix)),
    );
    let instances = try_join(
        async { Ok(attempted(!reads.images.is_empty(), image::observe(aws, &reads.images)).await) },
        async {
            let types = instance_type::observe(aws, &reads.instance_types);
            Ok(attempted(!reads.instance_types.is_empty(), types).await)
        },
    );
    let volumes = when(wants(EbsVolume::KIND), volume::observe(aws, cluster));
    let ((groups, data, users), (templates, balancers), (volumes, (images, types))) = try_join3(
        groups,
        try_join(templates, observe_balancers(aws, reads)),
        future::try_join(volumes, instances),
    )
    .await?;
    let idle = reads
        .idle_roles
        .iter()
        .filter(|(tag, _)| groups.rows().iter().any(|group| group.tags.contains_key(*tag)));
    let idle: Vec<String> = idle.map(|(_, role)| role.clone()).collect();
    Ok(move |live: &mut Live| {
        live.seen.put(groups);
        live.seen.put(templates);
        balancers(live);
        live.seen.put(volumes);
        live.seen.put(data);
        live.seen.put(users);
        live.images = images;
        live.instance_types = types;
        idle
    })
}

/// Reads load balancers of either class, and what belongs to them.
async fn observe_balancers(aws: &Aws, reads: &Reads) -> Result<impl FnOnce(&mut Live), AwsError> {
    let wants = |kind| reads.kinds.contains(&kind);
    let classic = when(
        wants(LoadBalancer::KIND) || wants(ExternalLoadBalancerAttachment::KIND),
        load_balancer::observe(aws, &reads.cluster, &reads.load_balancers),
    );
    let own = &reads.network_load_balancers;
    let has_balancers = wants(NetworkLoadBalancer::KIND);
    let look = network::Look {
        balancers: has_balancers.then_some(own),
        target_groups: &reads.target_groups,
    };
    let network = when(
        has_balancers || wants(TargetGroup::KIND) || wants(ExternalTargetGroupAttachment::KIND),
        network::observe(aws, look),
    );
    let network = async {
        let network = network.await?;
        let listeners = listener::observe(aws, &network.balancers, own);
        let listeners = when(wants(Listener::KIND), listeners).await?;
        Ok((network, listeners))
    };
    let (classic, (network, listeners)) = try_join(classic, network).await?;
    Ok(move |live: &mut Live| {
        live.seen.put(classic.ours);
        live.seen.put(classic.names);
        live.seen.put(network.balancers);
        live.seen.put(network.target_groups);
        live.seen.put(network.arns);
        live.seen.put(listeners);
    })
}

/// What may fail without failing the look as a whole; the plan says what it means.
async fn attempted<T>(
    wanted: bool,
    read: impl Future<Output = Result<T, AwsError>>,
) -> Option<Result<T, AwsError>> {
    if wanted { Some(read.await) } else { None }
}
