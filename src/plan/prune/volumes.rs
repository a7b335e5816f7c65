//! Volumes of etcd.

use super::{Pruning, Unwanted, named};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::catalogue::kinds::Resource;
use crate::core::manage::Manage as _;
use crate::ec2::volume::{EbsVolume, LiveVolume, VolumeDeletion};
use crate::plan::Prune;

/// What etcd has written is nowhere else: it goes by a word of its own, and never while it is
/// mounted.
pub(super) fn plan(pruning: &mut Pruning<'_, '_>) {
    if !pruning.writes(EbsVolume::KIND) {
        return;
    }
    // One that stands for something of the spec's is never offered, be it one of several.
    let view = pruning.planner.view();
    let stands_for = |volume: &LiveVolume| {
        let mut wanted = pruning.resources.iter();
        wanted.any(|one| matches!(one, Resource::EbsVolume(wanted) if wanted.is(volume, view)))
    };
    let rows = pruning.live().seen.rows::<LiveVolume>().iter();
    let unwanted: Vec<&LiveVolume> = rows.filter(|volume| !stands_for(volume)).collect();
    for volume in unwanted {
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
