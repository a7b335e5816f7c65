//! A cluster's end: everything that it owns, each after what hangs on it.

use crate::plan::{Action, Change, Plan};
use crate::resource::owned::Owned;
use crate::resource::{Drift, Kind, ResourceId, Write};

/// The kinds that must be gone before one can go (EC2 user guide, "Delete your VPC").
fn held_by(kind: Kind) -> &'static [Kind] {
    use Kind::{
        AutoscalingGroup, DnsName, EbsVolume, ElasticIp, IamInstanceProfile, Instance,
        InternetGateway, LaunchTemplate, LoadBalancer, NatGateway, RouteTable, SecurityGroup,
        Subnet, TargetGroup, Vpc,
    };
    match kind {
        Instance | LaunchTemplate => &[AutoscalingGroup],
        LoadBalancer => &[DnsName],
        TargetGroup => &[LoadBalancer, AutoscalingGroup],
        EbsVolume => &[Instance],
        SecurityGroup => &[Instance, LoadBalancer],
        ElasticIp => &[NatGateway],
        InternetGateway => &[Instance, LoadBalancer, NatGateway, ElasticIp],
        RouteTable => &[NatGateway],
        Subnet => &[Instance, LoadBalancer, NatGateway, RouteTable],
        Vpc => &[Subnet, SecurityGroup, RouteTable, InternetGateway, TargetGroup],
        Kind::DhcpOptions => &[Vpc],
        IamInstanceProfile => &[Instance, AutoscalingGroup],
        Kind::IamRole => &[IamInstanceProfile],
        _ => &[],
    }
}

/// The deletions of all that a cluster owns.
pub(crate) fn make(cluster: &str, account: &str, region: &str, owned: Vec<Owned>) -> Plan {
    let ids: Vec<ResourceId> = owned.iter().map(|owned| owned.id.clone()).collect();
    let change = |Owned { id, deletion }| {
        let holds = held_by(id.kind);
        let needs = ids.iter().filter(|other| holds.contains(&other.kind)).cloned().collect();
        Change {
            id,
            action: Action::Delete,
            drift: Drift::default(),
            reason: String::new(),
            needs,
            write: Some(Write::Delete(deletion)),
        }
    };
    Plan {
        cluster: cluster.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        changes: super::in_order(owned.into_iter().map(change).collect()),
        removals: Vec::new(),
        prune: false,
        ids: Default::default(),
        unchanged: Vec::new(),
        warnings: Vec::new(),
        refusals: Vec::new(),
    }
}
