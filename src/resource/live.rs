//! AWS as it stands: everything that one plan needs, read at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{self, try_join, try_join_all, try_join3, try_join4, try_join5};

use super::autoscaling_group::{self, LiveGroup};
use super::dhcp_options::{self, LiveDhcpOptions};
use super::dns_name::{self, IdleRecord, LiveRecord};
use super::ebs_volume::{self, LiveVolume};
use super::elastic_ip::{self, LiveElasticIp};
use super::hosted_zone::{self, HostedZone, LiveZone};
use super::iam_instance_profile::{self, LiveInstanceProfile};
use super::iam_role::{self, LiveIamRole};
use super::iam_role_policy::{self, LivePolicies};
use super::image::{self, Images};
use super::in_use::InUse;
use super::instance_type::{self, LiveInstanceType};
use super::internet_gateway::{self, LiveInternetGateway};
use super::launch_template::{self, LiveTemplate};
use super::load_balancer::{self, Classic, LiveLoadBalancer};
use super::load_balancer_attachment::LiveAttachment;
use super::managed::Looked;
use super::nat_gateway::{self, LiveNatGateway};
use super::network_load_balancer::{self, Network};
use super::route_table::{self, LiveAssociation, LiveRoute, LiveRouteTable};
use super::security_group::{self, LiveSecurityGroup};
use super::security_group_rule::LiveRule;
use super::ssh_key::{self, LiveKeyPair};
use super::subnet::{self, LiveSubnet};
use super::vpc::{self, LiveVpc};
use super::vpc_cidr_block::LiveCidrBlock;
use super::whose::Owner;
use super::{Kind, Observed, dns_zone, ec2};
use crate::aws::{Aws, AwsError};

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
    /// AWS' names of the cluster's network load balancer and its target group.
    pub(crate) network_load_balancer: Option<(String, String)>,
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
    pub(crate) zones: Looked<LiveZone>,
    /// The VPCs that see a private zone.
    pub(crate) zone_vpcs: BTreeMap<String, Vec<String>>,
    pub(crate) records: Looked<LiveRecord>,
    /// Records of names that no spec wants, read where a load balancer is left.
    pub(crate) idle_records: Looked<IdleRecord>,
    /// The addresses of the cluster's instances, read where a record leads to addresses.
    pub(crate) addresses: BTreeSet<String>,
    pub(crate) roles: BTreeMap<String, Observed<LiveIamRole>>,
    pub(crate) policies: BTreeMap<String, Observed<LivePolicies>>,
    /// The ARNs of managed policies attached to roles that may have to go.
    pub(crate) attached: BTreeMap<String, Observed<Vec<String>>>,
    pub(crate) profiles: BTreeMap<String, Observed<LiveInstanceProfile>>,
    pub(crate) vpcs: Looked<LiveVpc>,
    pub(crate) cidr_blocks: Looked<LiveCidrBlock>,
    pub(crate) dhcp_options: Looked<LiveDhcpOptions>,
    pub(crate) subnets: Looked<LiveSubnet>,
    pub(crate) availability_zones: Looked<String>,
    pub(crate) internet_gateways: Looked<LiveInternetGateway>,
    pub(crate) elastic_ips: Looked<LiveElasticIp>,
    pub(crate) nat_gateways: Looked<LiveNatGateway>,
    pub(crate) route_tables: Looked<LiveRouteTable>,
    pub(crate) routes: Looked<LiveRoute>,
    pub(crate) associations: Looked<LiveAssociation>,
    pub(crate) security_groups: Looked<LiveSecurityGroup>,
    pub(crate) rules: Looked<LiveRule>,
    pub(crate) ssh_keys: Looked<LiveKeyPair>,
    pub(crate) volumes: Looked<LiveVolume>,
    pub(crate) classic: Classic,
    pub(crate) network: Network,
    pub(crate) launch_templates: Looked<LiveTemplate>,
    pub(crate) groups: Looked<LiveGroup>,
    pub(crate) attachments: Looked<LiveAttachment>,
    /// The user data of launch configurations that groups still run on.
    pub(crate) old_user_data: BTreeMap<String, Vec<u8>>,
    /// All groups that run on such launch configurations, those of others too.
    pub(crate) configuration_users: BTreeMap<String, BTreeSet<String>>,
    /// `None` if images could not be looked at.
    pub(crate) images: Option<Result<Images, AwsError>>,
    pub(crate) instance_types: Option<Result<BTreeMap<String, LiveInstanceType>, AwsError>>,
    pub(crate) instances: Looked<String>,
    /// Who uses what is to go, asked once it is known what that is.
    pub(crate) in_use: InUse,
}

impl Live {
    /// Whether a role exists, if anything that was read tells.
    pub(crate) fn has_role(&self, name: &str) -> Option<bool> {
        let exists = |missing: Option<bool>| missing.map(|missing| !missing);
        let by_itself = self.roles.get(name).and_then(is_missing);
        let by_policies = || self.policies.get(name).and_then(is_missing);
        exists(by_itself.or_else(by_policies))
    }

    pub(crate) fn has_profile(&self, name: &str) -> Option<bool> {
        self.profiles.get(name).and_then(is_missing).map(|missing| !missing)
    }
}

fn is_missing<T>(observed: &Observed<T>) -> Option<bool> {
    match observed {
        Observed::Found(_) => Some(false),
        Observed::Missing => Some(true),
        Observed::Denied(_) => None,
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
    let groups = live.security_groups.rows().iter();
    idle.extend(groups.filter_map(|group| reads.idle_security_groups.get(&group.name)).cloned());
    // A group of a role that no spec has any more: its role may have to go with it.
    let profiles = try_join_all(idle.iter().map(async |name| {
        let (profile, role, policies, attached) = try_join4(
            iam_instance_profile::observe(aws, name),
            iam_role::observe(aws, name),
            iam_role_policy::observe(aws, name),
            iam_role::observe_attached(aws, name),
        )
        .await?;
        Ok::<_, AwsError>((name.clone(), profile, role, policies, attached))
    }))
    .await?;
    for (name, profile, role, policies, attached) in profiles {
        live.profiles.insert(name.clone(), profile);
        live.roles.insert(name.clone(), role);
        live.attached.insert(name.clone(), attached);
        live.policies.insert(name, policies);
    }
    if matches!(live.classic.ours, Looked::Not) && may_have_balancer(&live, &reads.cluster) {
        let classic = load_balancer::observe(aws, &reads.cluster, &reads.load_balancers).await?;
        live.classic.ours = classic.ours;
    }
    let is_idle = |found: &LiveLoadBalancer| !reads.load_balancers.contains(&found.name);
    if live.classic.ours.rows().iter().any(is_idle)
        && let Some(zone) = zone_of(reads, live.zones.rows())
    {
        let names =
            ["api", "api.internal", "bastion"].map(|name| format!("{name}.{}", reads.cluster));
        let idle: Vec<String> =
            names.into_iter().filter(|name| !reads.records.contains(name)).collect();
        live.idle_records = dns_name::observe_idle(aws, &zone.id, &idle).await?;
    }
    live.cidr_blocks = live.vpcs.flat_map(|vpc| {
        let blocks = vpc.more_cidrs.iter();
        blocks.map(|(cidr, _)| LiveCidrBlock { vpc: vpc.id.clone(), cidr: cidr.clone() }).collect()
    });
    live.routes = live.route_tables.flat_map(|table| table.routes.clone());
    live.associations = live.route_tables.flat_map(|table| table.associations.clone());
    live.rules = live.security_groups.flat_map(|group| group.rules.clone());
    live.attachments = live.groups.flat_map(|group| {
        let targets = group.load_balancers.iter().chain(&group.target_groups);
        let attachment = |to: &String| LiveAttachment { group: group.name.clone(), to: to.clone() };
        targets.map(attachment).collect()
    });
    Ok(live)
}

/// The cluster's zone, if it is known.
fn zone_of<'a>(reads: &Reads, zones: &'a [LiveZone]) -> Option<&'a LiveZone> {
    let found = reads.zone.as_ref().and_then(|zone| hosted_zone::find(zone, zones).ok()?)?;
    zones.iter().find(|zone| zone.id == found)
}

/// Whether a classic load balancer may be left that no spec has any more: it has a security
/// group of its own, and groups stand behind it.
fn may_have_balancer(live: &Live, cluster: &str) -> bool {
    let ends = format!("-elb.{cluster}");
    let has_group = live.security_groups.rows().iter().any(|group| group.name.ends_with(&ends));
    let own = |name: &String| name.starts_with("api-") || name.starts_with("bastion-");
    has_group || live.groups.rows().iter().any(|group| group.load_balancers.iter().any(own))
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
        let found = iam_role::observe(aws, name).await?;
        Ok::<_, AwsError>((name.clone(), found))
    }));
    let policies = try_join_all(reads.policies.iter().map(async |role| {
        let found = iam_role_policy::observe(aws, role).await?;
        Ok::<_, AwsError>((role.clone(), found))
    }));
    let profiles = try_join_all(reads.profiles.iter().map(async |name| {
        let found = iam_instance_profile::observe(aws, name).await?;
        let role = found.found().and_then(|profile| profile.role.as_ref()).map(|(role, _)| role);
        let through = match role.filter(|_| reads.policies_through.contains(name)) {
            Some(role) => Some((role.clone(), iam_role_policy::observe(aws, role).await?)),
            None => None,
        };
        Ok::<_, AwsError>((name.clone(), found, through))
    }));
    let zones = observe_zones(aws, reads);
    let (zones, roles, policies, profiles) = try_join4(zones, roles, policies, profiles).await?;
    let (zones, zone_vpcs, records, addresses) = zones;
    let mut live = Live {
        zones,
        zone_vpcs,
        records,
        addresses,
        roles: roles.into_iter().collect(),
        policies: policies.into_iter().collect(),
        ..Live::default()
    };
    for (name, profile, through) in profiles {
        live.policies.extend(through);
        live.profiles.insert(name, profile);
    }
    Ok(live)
}

type Zones =
    (Looked<LiveZone>, BTreeMap<String, Vec<String>>, Looked<LiveRecord>, BTreeSet<String>);

/// Reads the account's zones, then the records of the cluster's.
async fn observe_zones(aws: &Aws, reads: &Reads) -> Result<Zones, AwsError> {
    let zones = when(reads.zones, hosted_zone::observe(aws)).await?;
    let Some(zone) = zone_of(reads, zones.rows()) else {
        let records = match reads.kinds.contains(&Kind::DnsName) {
            true => Looked::Found(Vec::new()),
            false => Looked::Not,
        };
        return Ok((zones, BTreeMap::new(), records, BTreeSet::new()));
    };
    let vpcs =
        when(zone.private && reads.kinds.contains(&Kind::DnsZone), dns_zone::vpcs(aws, &zone.id));
    let records = async {
        let wanted = reads.kinds.contains(&Kind::DnsName);
        let found = when(wanted, dns_name::observe(aws, &zone.id, &reads.records)).await?;
        let has_addresses = found.rows().iter().any(|record| record.has_addresses());
        let owner = Owner::by_tags(&reads.cluster);
        let addresses = when(has_addresses, ec2::addresses(aws, &owner)).await?;
        Ok((found, addresses))
    };
    let (vpcs, (records, addresses)) = try_join(vpcs, records).await?;
    let id = zone.id.clone();
    Ok((zones, BTreeMap::from([(id, vpcs)]), records, addresses))
}

async fn observe_network(aws: &Aws, reads: &Reads) -> Result<impl FnOnce(&mut Live), AwsError> {
    let wants = |kinds: &[Kind]| kinds.iter().any(|kind| reads.kinds.contains(kind));
    let cluster = reads.cluster.as_str();
    let of_vpc = async {
        let vpcs =
            when(wants(&[Kind::Vpc]), vpc::observe(aws, cluster, reads.vpc.as_deref())).await?;
        let ids: Vec<String> = vpcs.rows().iter().map(|vpc| vpc.id.clone()).collect();
        let subnets = when(wants(&[Kind::Subnet]), subnet::observe(aws, cluster, &ids));
        let tables = when(wants(&[Kind::RouteTable]), route_table::observe(aws, &ids));
        let gateways =
            when(wants(&[Kind::NatGateway, Kind::ElasticIp]), nat_gateway::observe(aws, &ids));
        let (subnets, tables, gateways) = try_join3(subnets, tables, gateways).await?;
        Ok((vpcs, subnets, tables, gateways))
    };
    let others = try_join5(
        when(wants(&[Kind::DhcpOptions]), dhcp_options::observe(aws, cluster)),
        when(wants(&[Kind::InternetGateway]), internet_gateway::observe(aws)),
        when(wants(&[Kind::ElasticIp]), elastic_ip::observe(aws)),
        when(!reads.instances.is_empty(), ec2::instances(aws, &reads.instances)),
        when(reads.availability_zones, ec2::availability_zones(aws)),
    );
    let ((vpcs, subnets, tables, gateways), (options, internet, addresses, instances, zones)) =
        try_join(of_vpc, others).await?;
    Ok(move |live: &mut Live| {
        live.vpcs = vpcs;
        live.route_tables = tables;
        live.nat_gateways = gateways;
        live.dhcp_options = options;
        live.subnets = subnets;
        live.availability_zones = zones;
        live.internet_gateways = internet;
        live.elastic_ips = addresses;
        live.instances = instances;
    })
}

async fn observe_security(aws: &Aws, reads: &Reads) -> Result<impl FnOnce(&mut Live), AwsError> {
    let groups = when(
        reads.kinds.contains(&Kind::SecurityGroup),
        security_group::observe(aws, &reads.security_group_names, &reads.security_groups),
    );
    let keys = when(reads.kinds.contains(&Kind::SshKey), ssh_key::observe(aws, &reads.ssh_keys));
    let (groups, keys) = try_join(groups, keys).await?;
    Ok(move |live: &mut Live| {
        live.security_groups = groups;
        live.ssh_keys = keys;
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
        let wanted = wants(Kind::AutoscalingGroup) || wants(Kind::LaunchTemplate);
        let groups = when(wanted, autoscaling_group::observe(aws, cluster, &reads.groups)).await?;
        let names: Vec<String> =
            groups.rows().iter().filter_map(|group| group.launch_configuration.clone()).collect();
        let data = autoscaling_group::user_data_of_configurations(aws, &names);
        let users = when(!names.is_empty(), autoscaling_group::users_of_configurations(aws));
        let (data, users) = try_join(data, users).await?;
        Ok((groups, data, users))
    };
    let suffix = format!(".{cluster}");
    let templates = when(
        wants(Kind::LaunchTemplate),
        launch_template::observe(aws, cluster, |name| name.ends_with(&suffix)),
    );
    let classic = when(
        !reads.load_balancers.is_empty(),
        load_balancer::observe(aws, cluster, &reads.load_balancers),
    );
    let network = when(
        reads.network_load_balancer.is_some() || wants(Kind::ExternalTargetGroupAttachment),
        network_load_balancer::observe(aws, reads.network_load_balancer.as_ref()),
    );
    let classic_names = wants(Kind::ExternalLoadBalancerAttachment);
    let classic = async {
        match (classic_names, reads.load_balancers.is_empty()) {
            (true, true) => load_balancer::observe(aws, cluster, &BTreeSet::new()).await,
            _ => classic.await,
        }
    };
    let instances = try_join(
        async { Ok(attempted(!reads.images.is_empty(), image::observe(aws, &reads.images)).await) },
        async {
            let types = instance_type::observe(aws, &reads.instance_types);
            Ok(attempted(!reads.instance_types.is_empty(), types).await)
        },
    );
    let volumes = when(wants(Kind::EbsVolume), ebs_volume::observe(aws));
    let ((groups, data, users), (templates, classic, network), (volumes, (images, types))) =
        try_join3(
            groups,
            try_join3(templates, classic, network),
            future::try_join(volumes, instances),
        )
        .await?;
    let idle = reads
        .idle_roles
        .iter()
        .filter(|(tag, _)| groups.rows().iter().any(|group| group.tags.contains_key(*tag)));
    let idle: Vec<String> = idle.map(|(_, role)| role.clone()).collect();
    Ok(move |live: &mut Live| {
        live.groups = groups;
        live.old_user_data = data.into_iter().collect();
        live.configuration_users = users;
        live.launch_templates = templates;
        live.classic = classic;
        live.network = network;
        live.volumes = volumes;
        live.images = images;
        live.instance_types = types;
        idle
    })
}

/// What may fail without failing the look as a whole; the plan says what it means.
async fn attempted<T>(
    wanted: bool,
    read: impl Future<Output = Result<T, AwsError>>,
) -> Option<Result<T, AwsError>> {
    if wanted { Some(read.await) } else { None }
}
