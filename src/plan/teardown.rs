//! A cluster's end: everything that it owns, each after what hangs on it.

use std::collections::BTreeSet;

use super::order;
use crate::catalogue::kinds;
use crate::catalogue::kinds::Write;
use crate::core::belongings::Belonging;
use crate::core::deletion::Delete as _;
use crate::core::drift::Drift;
use crate::core::in_use::Thing;
use crate::desired::kops::OfKops;
use crate::plan::{Action, Change, Plan};

/// The deletions of all that a cluster owns. What it does not own stays, and says why.
pub(crate) fn make(cluster: &str, account: &str, region: &str, found: Vec<Belonging>) -> Plan {
    let again = format!("kapstan delete cluster {cluster} --region {region} --yes");
    let is_kept = |row: &&Belonging| row.whose.is_owned() && row.held.is_some();
    let kept = found.iter().filter(is_kept).map(|row| row.id.clone()).collect();
    let staying = found.iter().filter(is_kept).filter_map(|row| row.used_as.clone());
    let staying: BTreeSet<Thing> = staying.collect();
    let change = |row: Belonging| match (row.whose.reason(), &row.held) {
        (None, None) => deletion(row, &staying),
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
        generation: None,
        changes,
        removals: Vec::new(),
        prunes: false,
        kept,
        unasked: BTreeSet::new(),
        ids: Default::default(),
        unchanged: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
        refusals: refusals.into_iter().collect(),
        specs: Vec::new(),
        kops: OfKops::default(),
    }
}

/// Something goes, and with it what names it in things that are kept.
fn deletion(row: Belonging, staying: &BTreeSet<Thing>) -> Change {
    Change {
        behind: kinds::gone_before(row.id.kind),
        id: row.id,
        action: Action::Delete,
        drift: row.deletion.drift_beside(staying),
        reason: String::new(),
        needs: Vec::new(),
        write: Some(Write::Delete(row.deletion)),
    }
}

/// Something stays; the tags that updates have set on it go.
fn stay(row: Belonging, reason: String) -> Change {
    let mut change = Change {
        id: row.id,
        action: Action::Stay,
        drift: Drift::default(),
        reason,
        needs: Vec::new(),
        behind: &[],
        write: None,
    };
    if let Some(untagging) = row.untagging {
        change.action = Action::Update;
        change.reason.push_str("; the cluster's tags on it go");
        change.drift = untagging.drift();
        change.write = Some(Write::Delete(untagging.into()));
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::kinds;
    use crate::core::id::Id;
    use crate::core::kind::Kind;
    use crate::core::kind::ResourceId;
    use crate::core::whose::Whose;
    use crate::vpc::vpc::VpcDeletion;

    #[test]
    fn every_kind_goes_behind_what_hangs_on_it() {
        let one = |kind: &Kind| {
            let deletion = VpcDeletion(Id::imagined("vpc-1"));
            Belonging::new(ResourceId::new(*kind, "one"), Whose::Owned, deletion)
        };
        let plan = make("dev.example.com", "", "", kinds::ALL.iter().map(one).collect());
        assert_eq!(plan.refusals, []);
        let at = |kind: &Kind| plan.changes.iter().position(|change| change.id.kind == *kind);
        for kind in kinds::ALL {
            for held_by in kinds::gone_before(*kind) {
                assert!(at(held_by) < at(kind), "{kind} before {held_by}");
            }
        }
    }
}
