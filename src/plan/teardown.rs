//! A cluster's end: everything that it owns, each after what hangs on it.

use std::collections::BTreeSet;

use super::order;
use crate::plan::{Action, Change, Plan};
use crate::resource::delete::Deletion;
use crate::resource::owned::Row;
use crate::resource::{Drift, FieldChange, Kind, Write};

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

/// The deletions of all that a cluster owns. What it does not own stays, and says why.
pub(crate) fn make(cluster: &str, account: &str, region: &str, found: Vec<Row>) -> Plan {
    let again = format!("kapstan delete cluster {cluster} --region {region} --yes");
    let is_kept = |row: &&Row| row.whose.is_owned() && row.held.is_some();
    let kept = found.iter().filter(is_kept).map(|row| row.id.clone()).collect();
    let change = |row: Row| match (row.whose.reason(), &row.held) {
        (None, None) => deletion(row),
        (None, Some(hold)) => {
            let reason = format!("stays: {}", hold.reason(&again));
            stay(row, reason)
        }
        (Some(why), _) => {
            let reason = format!("stays: {why}");
            stay(row, reason)
        }
    };
    let mut changes = found.into_iter().map(change).collect();
    let refusals = order::sort(&mut changes).err().map(|cycle| cycle.refusal());
    Plan {
        cluster: cluster.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        changes,
        removals: Vec::new(),
        prunes: false,
        kept,
        unasked: BTreeSet::new(),
        ids: Default::default(),
        unchanged: Vec::new(),
        warnings: Vec::new(),
        refusals: refusals.into_iter().collect(),
    }
}

fn deletion(row: Row) -> Change {
    Change {
        behind: held_by(row.id.kind),
        id: row.id,
        action: Action::Delete,
        drift: row.deletion.drift(),
        reason: String::new(),
        needs: Vec::new(),
        write: Some(Write::Delete(row.deletion)),
    }
}

/// Something stays; the tags that updates have set on it go.
fn stay(row: Row, reason: String) -> Change {
    let mut change = Change {
        id: row.id,
        action: Action::Stay,
        drift: Drift::default(),
        reason,
        needs: Vec::new(),
        behind: &[],
        write: None,
    };
    if let Some((id, tags)) = row.marks_of_ours {
        let gone = |(key, value): (&String, &String)| FieldChange {
            field: format!("tags[{key:?}]"),
            before: Some(value.clone()),
            after: None,
        };
        change.action = Action::Update;
        change.reason.push_str("; the cluster's tags on it go");
        change.drift.fields = tags.iter().map(gone).collect();
        change.write = Some(Write::Delete(Deletion::Tags { id, tags }));
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceId;
    use crate::resource::whose::Whose;

    #[test]
    fn every_kind_goes_behind_what_hangs_on_it() {
        let one = |kind: &Kind| Row {
            id: ResourceId::new(*kind, "one"),
            whose: Whose::Owned,
            deletion: Deletion::Vpc(String::new()),
            marks_of_ours: None,
            held: None,
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
