//! Volumes of etcd.

use super::{Pruning, Unwanted, named};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::ec2::volume::{EbsVolume, LiveVolume, VolumeDeletion};
use crate::plan::Prune;

/// What etcd has written is nowhere else: it goes by a word of its own, and never while it is
/// mounted.
pub(super) fn plan(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(EbsVolume::KIND) {
        return;
    }
    for volume in pruning.live().seen.rows::<LiveVolume>() {
        let whose = pruning.whose(EbsVolume::KIND, &volume.marks());
        let is_wanted = pruning.is_found(EbsVolume::KIND, &volume.id);
        if is_wanted || !volume.is_of_etcd() || !whose.is_owned() {
            continue;
        }
        let id = named(EbsVolume::KIND, &volume.id, volume.tags.get("Name"));
        let command = pruning.command("--prune --prune-volumes");
        if !volume.attached_to.is_empty() {
            let ids = volume.attached_to.join(", ");
            pruning.keep(id, &format!("mounted by {ids}; when it is not any more: {command}"));
        } else if pruning.planner.prune == Prune::Everything {
            let unwanted = Unwanted {
                id,
                reason: "with all that this member of etcd has written".to_owned(),
                fields: Vec::new(),
                needs: Vec::new(),
                behind: &[AutoscalingGroup::KIND],
                deletion: VolumeDeletion(volume.id.clone()).into(),
            };
            pruning.remove_if(unwanted, &whose, None);
        } else {
            pruning.keep(
                id,
                &format!("it holds what a member of etcd has written; to delete it: {command}"),
            );
        }
    }
}
