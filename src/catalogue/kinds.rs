//! All kinds: the one table, and what it yields.
//!
//! A line tells a kind's type, kops' name of the task, the layer, another kind whose name stands
//! for it in overrides too, and behind which kinds it is deleted: with its cluster, and out of a
//! cluster that stays, if that is otherwise.

use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::autoscaling::lifecycle_hook::LifecycleHook;
use crate::autoscaling::load_balancer_attachment::{
    ExternalLoadBalancerAttachment, ExternalTargetGroupAttachment, LoadBalancerAttachment,
};
use crate::autoscaling::warm_pool::WarmPool;
use crate::aws::AwsError;
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::deletion::Deletion;
use crate::core::given::Given;
use crate::core::id::Known;
use crate::core::kind::{Kind, Layer, OfKind, ResourceId};
use crate::core::look::Looking;
use crate::core::manage::{self, Manage as _, View};
use crate::core::seen::Seen;
use crate::core::sweep::{Sweep, Unclaimed};
use crate::core::whose::Owner;
use crate::core::wishes::Wishes;
use crate::core::work::Work;
#[cfg(test)]
use crate::core::{
    drift::Drift, fields::Fields, imagined, manage::Ownership, seen::Looked, whose::Whose,
};
use crate::ec2::instance::Instance;
use crate::ec2::key_pair::SshKey;
use crate::ec2::launch_template::LaunchTemplate;
use crate::ec2::volume::EbsVolume;
use crate::elb::listener::Listener;
use crate::elb::load_balancer::LoadBalancer;
use crate::elb::network_load_balancer::NetworkLoadBalancer;
use crate::elb::target_group::TargetGroup;
use crate::eventbridge::rule::EventBridgeRule;
use crate::eventbridge::target::EventBridgeTarget;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::oidc_provider::IamOidcProvider;
use crate::iam::role::IamRole;
use crate::iam::role_policy::IamRolePolicy;
use crate::iam::role_policy_attachment::IamRolePolicyAttachment;
use crate::route53::dns_name::DnsName;
use crate::route53::dns_zone::DnsZone;
use crate::sqs::queue::Queue;
use crate::vpc::cidr_block::VpcCidrBlock;
use crate::vpc::dhcp_options::DhcpOptions;
use crate::vpc::dhcp_options_association::VpcDhcpOptionsAssociation;
use crate::vpc::egress_only_internet_gateway::EgressOnlyInternetGateway;
use crate::vpc::elastic_ip::ElasticIp;
use crate::vpc::internet_gateway::InternetGateway;
use crate::vpc::ipv6_cidr_block::VpcAmazonIpv6CidrBlock;
use crate::vpc::nat_gateway::NatGateway;
use crate::vpc::route::Route;
use crate::vpc::route_table::RouteTable;
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::security_group::SecurityGroup;
use crate::vpc::security_group_rule::SecurityGroupRule;
use crate::vpc::subnet::Subnet;
use crate::vpc::vpc::Vpc;

macro_rules! ranks {
    (
        $($kind:ident = $name:literal in $layer:ident $(behind [$($held_by:ident), *])?
            $(swept behind [$($swept:ident), *])?),* $(,)?
    ) => {
        /// The place of each kind in the table.
        enum Rank {
            $($kind,)*
        }

        $(impl $kind {
            pub(crate) const KIND: Kind =
                Kind::new(Rank::$kind as usize, $name, Layer::$layer);
        }

        impl OfKind for $kind {
            const KIND: Kind = Self::KIND;
        })*

        /// Every kind, each behind those that it depends on.
        pub(crate) const ALL: &[Kind] = &[$($kind::KIND,)*];

        /// The kinds of which all that go must be gone before one of this kind can go (EC2 user
        /// guide, "Delete your VPC").
        pub(crate) fn gone_before(kind: Kind) -> &'static [Kind] {
            $($(if kind == $kind::KIND {
                return &[$($held_by::KIND),*];
            })?)*
            &[]
        }

        /// The same where a cluster stays, and something goes that its spec no longer has.
        pub(crate) fn swept_behind(kind: Kind) -> &'static [Kind] {
            $($(if kind == $kind::KIND {
                return &[$($swept::KIND),*];
            })?)*
            gone_before(kind)
        }

        /// Has every kind tell what there is of it that nobody wants.
        pub(crate) fn unclaimed(sweep: &mut Sweep<'_>) {
            $(<$kind as Unclaimed>::unclaimed(sweep);)*
        }
    };
}

/// The kinds of IAM.
pub(crate) const IAM: [Kind; 6] = [
    IamRole::KIND,
    IamRolePolicy::KIND,
    IamRolePolicyAttachment::KIND,
    IamInstanceProfile::KIND,
    IamInstanceProfileRole::KIND,
    IamOidcProvider::KIND,
];

macro_rules! resources {
    ($($variant:ident),* $(,)?) => {
        /// What a cluster needs of AWS: one resource.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(clippy::large_enum_variant, reason = "a cluster has some hundreds, once")]
        pub(crate) enum Resource {
            $($variant($variant),)*
        }

        $(impl From<$variant> for Resource {
            fn from(resource: $variant) -> Self {
                Self::$variant(resource)
            }
        })*

        impl Resource {
            pub(crate) fn id(&self) -> ResourceId {
                match self {
                    $(Self::$variant(resource) => resource.id(),)*
                }
            }

            pub(crate) fn needs(&self) -> Vec<ResourceId> {
                match self {
                    $(Self::$variant(resource) => resource.needs(),)*
                }
            }

            /// Adds it to the list of its kind.
            pub(crate) fn wish(&self, wishes: &mut Wishes) {
                match self {
                    $(Self::$variant(resource) => wishes.add(resource.clone()),)*
                }
            }

            /// What AWS is particular about.
            pub(crate) fn given(&self) -> Given<'_> {
                match self {
                    $(Self::$variant(resource) => resource.given(),)*
                }
            }

            pub(crate) fn behind(&self) -> &'static [Kind] {
                match self {
                    $(Self::$variant(resource) => resource.behind(),)*
                }
            }

            /// By what AWS knows the resource, if it was found.
            pub(crate) fn find(&self, view: View<'_>) -> Option<Known> {
                match self {
                    $(Self::$variant(resource) => manage::find(resource, view),)*
                }
            }

            /// Why it could not be looked at.
            pub(crate) fn denied(&self, view: View<'_>) -> Option<AwsError> {
                match self {
                    $(Self::$variant(resource) => manage::denied(resource, view),)*
                }
            }

            pub(crate) fn state(&self, view: View<'_>) -> State {
                match self {
                    $(Self::$variant(resource) => {
                        let create = |one| Write::Create(Box::new(Self::$variant(one)));
                        let update = |one| Write::Update(Box::new(Update::$variant(one)));
                        manage::state(resource, view, create, update)
                    })*
                }
            }

            /// Creates it. What it is known by then is told to `work`, for whatever comes later
            /// and refers to it.
            async fn create(&self, work: &Work<'_>) -> Result<(), AwsError> {
                match self {
                    $(Self::$variant(resource) => {
                        if let Some(id) = resource.create(work).await? {
                            work.learn(manage::known(resource, id));
                        }
                        Ok(())
                    })*
                }
            }
        }

        /// A decided change of a resource that exists.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(clippy::large_enum_variant, reason = "it is boxed where it is kept")]
        pub(crate) enum Update {
            $($variant(manage::Update<$variant>),)*
        }

        impl Update {
            fn removes(&self) -> bool {
                match self {
                    $(Self::$variant(update) => update.removes(),)*
                }
            }

            async fn send(&self, work: &Work<'_>) -> Result<(), AwsError> {
                match self {
                    $(Self::$variant(update) => update.send(work).await,)*
                }
            }
        }

        /// What tests imagine of AWS.
        #[cfg(test)]
        impl Resource {
            /// The lines of this table.
            pub(crate) const LINES: &[&str] = &[$(stringify!($variant)),*];

            pub(crate) fn line(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)*
                }
            }

            pub(crate) fn ownership(&self) -> Ownership {
                match self {
                    $(Self::$variant(resource) => resource.ownership(),)*
                }
            }

            /// How the fields of its kind are told.
            pub(crate) fn field_names(&self) -> Vec<&'static str> {
                match self {
                    $(Self::$variant(_) => {
                        <<$variant as manage::Manage>::Fields as Fields>::names()
                    })*
                }
            }

            /// Puts it into what was seen, exactly as it is wanted.
            pub(crate) fn imagine(&self, id: &str, view: View<'_>, seen: &mut Seen) {
                match self {
                    $(Self::$variant(resource) => imagined::imagine(resource, id, view, seen),)*
                }
            }

            /// What would be seen with one field of it otherwise, for each field.
            pub(crate) fn disturbed(&self, view: View<'_>) -> Vec<(&'static str, Seen)> {
                match self {
                    $(Self::$variant(resource) => imagined::disturbed(resource, view),)*
                }
            }

            pub(crate) fn take_away(&self, view: View<'_>, seen: &mut Seen) {
                match self {
                    $(Self::$variant(resource) => imagined::take_away(resource, view, seen),)*
                }
            }

            /// Refuses the look that would have found it.
            pub(crate) fn deny(&self, error: AwsError, seen: &mut Seen) {
                match self {
                    $(Self::$variant(resource) => resource.put(Looked::Denied(error), seen),)*
                }
            }
        }

        #[cfg(test)]
        impl Update {
            /// Whose it is what this writes to, and what is written there.
            pub(crate) fn faces(&self, view: View<'_>) -> (Ownership, Option<Whose>, Drift) {
                match self {
                    $(Self::$variant(update) => imagined::faces(update, view),)*
                }
            }
        }
    };
}

macro_rules! kinds {
    (
        wanted {
            $($kind:ident = $name:literal in $layer:ident $(also by $whole:ident)?
                $(behind [$($held_by:ident),*])? $(swept behind [$($swept:ident),*])?,)*
        }
        only deleted {
            $($part:ident = $called:literal in $at:ident $(also by $all:ident)?
                $(behind [$($held:ident),*])?
                $(swept behind [$($then:ident),*])?,)*
        }
    ) => {
        ranks! {
            $($kind = $name in $layer $(behind [$($held_by),*])? $(swept behind [$($swept),*])?,)*
            $($part = $called in $at $(behind [$($held),*])? $(swept behind [$($then),*])?,)*
        }
        resources! { $($kind),* }

        /// Kinds, each with the one that it was a part of once. Its name still stands for them, as
        /// long as none of them is named.
        pub(crate) const ALSO_BY: &[(Kind, Kind)] = &[
            $($(($kind::KIND, $whole::KIND),)?)*
            $($(($part::KIND, $all::KIND),)?)*
        ];

        /// All looks that tell of kinds.
        pub(crate) fn looks() -> impl Iterator<Item = Looking> {
            let each: &[&[Looking]] =
                &[$(<$kind as Presence>::LOOKS,)* $(<$part as Presence>::LOOKS,)*];
            each.iter().copied().flatten().copied()
        }

        /// The kinds that are looked for where the spec has none of them.
        pub(crate) fn sought() -> impl Iterator<Item = Kind> {
            let each = [
                $(($kind::KIND, <$kind as Presence>::IS_SOUGHT),)*
                $(($part::KIND, <$part as Presence>::IS_SOUGHT),)*
            ];
            each.into_iter().filter(|(_, is_sought)| *is_sought).map(|(kind, _)| kind)
        }

        /// The kinds without whose rows nothing can be told of one.
        pub(crate) fn beside(kind: Kind) -> &'static [Kind] {
            $(if kind == $kind::KIND {
                return <$kind as Presence>::BESIDE;
            })*
            $(if kind == $part::KIND {
                return <$part as Presence>::BESIDE;
            })*
            &[]
        }

        /// Whether there is something of this name that others can refer to, if that is known.
        pub(crate) fn exists(id: &ResourceId, view: View<'_>) -> Option<bool> {
            $(if id.kind == $kind::KIND {
                return <$kind as Presence>::exists(id, view);
            })*
            $(if id.kind == $part::KIND {
                return <$part as Presence>::exists(id, view);
            })*
            None
        }

        /// Notes what was found in what the spec names.
        pub(crate) fn name_found(owner: &mut Owner, seen: &Seen) {
            $(<$kind as Presence>::name_found(owner, seen);)*
            $(<$part as Presence>::name_found(owner, seen);)*
        }

        /// Everything that concerns a cluster.
        pub(crate) fn belongings(around: &Around<'_>) -> Vec<Belonging> {
            let mut all = Vec::new();
            $(all.extend(<$kind as Presence>::belongings(around));)*
            $(all.extend(<$part as Presence>::belongings(around));)*
            all
        }
    };
}

kinds! {
    wanted {
        Vpc = "VPC" in Network
            behind [
                Subnet, SecurityGroup, RouteTable, InternetGateway, EgressOnlyInternetGateway,
                TargetGroup
            ],
        VpcAmazonIpv6CidrBlock = "VPCAmazonIPv6CIDRBlock" in Network,
        VpcCidrBlock = "VPCCIDRBlock" in Network swept behind [Subnet],
        DhcpOptions = "DHCPOptions" in Network behind [Vpc],
        VpcDhcpOptionsAssociation = "VPCDHCPOptionsAssociation" in Network,
        Subnet = "Subnet" in Network
            behind [Instance, LoadBalancer, NetworkLoadBalancer, NatGateway, RouteTable]
            swept behind [AutoscalingGroup, LoadBalancer, NetworkLoadBalancer, NatGateway],
        InternetGateway = "InternetGateway" in Network
            behind [Instance, LoadBalancer, NetworkLoadBalancer, NatGateway, ElasticIp],
        EgressOnlyInternetGateway = "EgressOnlyInternetGateway" in Network behind [Instance],
        ElasticIp = "ElasticIP" in Network behind [NatGateway],
        // Until all have another, it is a way out for instances.
        NatGateway = "NatGateway" in Network
            swept behind [AutoscalingGroup, Route, RouteTableAssociation],
        RouteTable = "RouteTable" in Network
            behind [NatGateway]
            swept behind [Subnet, RouteTableAssociation],
        Route = "Route" in Network,
        RouteTableAssociation = "RouteTableAssociation" in Network,
        IamRole = "IAMRole" in Security behind [IamInstanceProfile],
        IamRolePolicy = "IAMRolePolicy" in Security,
        IamRolePolicyAttachment = "IAMRolePolicyAttachment" in Security also by IamRolePolicy,
        IamInstanceProfile = "IAMInstanceProfile" in Security behind [Instance, AutoscalingGroup],
        IamInstanceProfileRole = "IAMInstanceProfileRole" in Security,
        IamOidcProvider = "IAMOIDCProvider" in Security,
        // The IAM resources of its role are looked for as long as it is there.
        SecurityGroup = "SecurityGroup" in Security
            behind [Instance, LoadBalancer, NetworkLoadBalancer]
            swept behind [
                AutoscalingGroup, LoadBalancer, NetworkLoadBalancer, SecurityGroupRule, IamRole
            ],
        SecurityGroupRule = "SecurityGroupRule" in Security,
        SshKey = "SSHKey" in Security swept behind [LaunchTemplate, AutoscalingGroup],
        EbsVolume = "EBSVolume" in Cluster behind [Instance] swept behind [AutoscalingGroup],
        // What leads to one is turned away before it goes, and what stands behind it stands behind
        // another by then.
        LoadBalancer = "ClassicLoadBalancer" in Cluster
            behind [DnsName]
            swept behind [
                DnsName, LoadBalancerAttachment, ExternalLoadBalancerAttachment,
                ExternalTargetGroupAttachment
            ],
        NetworkLoadBalancer = "NetworkLoadBalancer" in Cluster
            behind [DnsName]
            swept behind [
                DnsName, LoadBalancerAttachment, ExternalLoadBalancerAttachment,
                ExternalTargetGroupAttachment
            ],
        TargetGroup = "TargetGroup" in Cluster
            behind [NetworkLoadBalancer, LoadBalancer, AutoscalingGroup]
            swept behind [NetworkLoadBalancer, AutoscalingGroup, ExternalTargetGroupAttachment],
        Listener = "NetworkLoadBalancerListener" in Cluster,
        Queue = "SQS" in Cluster behind [EventBridgeRule],
        EventBridgeRule = "EventBridgeRule" in Cluster,
        EventBridgeTarget = "EventBridgeTarget" in Cluster,
        DnsZone = "DNSZone" in Cluster,
        DnsName = "DNSName" in Cluster,
        LaunchTemplate = "LaunchTemplate" in Cluster behind [AutoscalingGroup],
        AutoscalingGroup = "AutoscalingGroup" in Cluster,
        LifecycleHook = "AutoscalingLifecycleHook" in Cluster,
        WarmPool = "WarmPool" in Cluster also by AutoscalingGroup,
        LoadBalancerAttachment = "LoadBalancerAttachment" in Cluster also by AutoscalingGroup,
    }
    only deleted {
        Instance = "Instance" in Cluster behind [AutoscalingGroup],
        // What is behind no load balancer for a while cannot be reached.
        ExternalLoadBalancerAttachment = "ExternalLoadBalancerAttachment" in Cluster
            also by AutoscalingGroup
            swept behind [DnsName, LoadBalancerAttachment],
        ExternalTargetGroupAttachment = "ExternalTargetGroupAttachment" in Cluster
            also by AutoscalingGroup
            swept behind [DnsName, LoadBalancerAttachment],
    }
}

/// What kops called kinds once (kops v1.10, `upup/pkg/fi/cloudup/awstasks`): the word, the kind that
/// is called otherwise now, and others for which it stands too, as long as none of these is named.
pub(crate) const ONCE: &[(&str, Kind, &[Kind])] = &[
    (
        "LoadBalancer",
        LoadBalancer::KIND,
        &[NetworkLoadBalancer::KIND, TargetGroup::KIND, Listener::KIND],
    ),
    ("LaunchConfiguration", LaunchTemplate::KIND, &[]),
];

/// How a resource stands to what is wanted.
pub(crate) type State = manage::State<Write>;

/// A decided write to one resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    Create(Box<Resource>),
    Update(Box<Update>),
    Delete(Deletion),
}

impl Write {
    /// Whether it takes away all that there is of a resource.
    pub(crate) fn removes(&self) -> bool {
        match self {
            Self::Create(_) => false,
            Self::Update(update) => update.removes(),
            Self::Delete(_) => true,
        }
    }

    /// Whether it makes a version of a launch template, which instances that run do not have.
    pub(crate) fn makes_version(&self) -> bool {
        match self {
            Self::Update(update) => match &**update {
                Update::LaunchTemplate(update) => update.changed.makes_version(),
                _ => false,
            },
            _ => false,
        }
    }

    /// Carries the write of this resource out.
    pub(crate) async fn send(&self, work: &Work<'_>, id: &ResourceId) -> Result<(), AwsError> {
        match self {
            Self::Create(resource) => resource.create(work).await,
            Self::Update(update) => update.send(work).await,
            Self::Delete(deletion) => deletion.send(work, id).await,
        }
    }
}
