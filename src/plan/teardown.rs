//! A cluster's end: everything that it owns, each after what hangs on it.

use super::order;
use crate::plan::{Action, Change, Plan};
use crate::resource::owned::Owned;
use crate::resource::{Drift, Kind, Write};

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
    let deletion = |Owned { id, deletion }| Change {
        behind: held_by(id.kind),
        id,
        action: Action::Delete,
        drift: Drift::default(),
        reason: String::new(),
        needs: Vec::new(),
        write: Some(Write::Delete(deletion)),
    };
    let mut changes = owned.into_iter().map(deletion).collect();
    let refusals = order::sort(&mut changes).err().map(|cycle| cycle.refusal());
    Plan {
        cluster: cluster.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        changes,
        removals: Vec::new(),
        prune: false,
        ids: Default::default(),
        unchanged: Vec::new(),
        warnings: Vec::new(),
        refusals: refusals.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceId;
    use crate::resource::delete::Deletion;

    #[test]
    fn every_kind_goes_behind_what_hangs_on_it() {
        let one = |kind: &Kind| Owned {
            id: ResourceId::new(*kind, "one"),
            deletion: Deletion::Vpc(String::new()),
        };
        let plan = make("dev.example.com", "", "", Kind::ALL.iter().map(one).collect());
        assert_eq!(plan.refusals, []);
        let at = |kind: &Kind| plan.changes.iter().position(|change| change.id.kind == *kind);
        for kind in Kind::ALL {
            for held_by in held_by(*kind) {
                assert!(at(held_by) < at(kind), "{kind} before {held_by}");
            }
        }
    }
}
