//! What kapstan does not carry on: fields of specs that reach nodes and add-ons through kops.

use super::ui::Ui;
use crate::desired::kops::{LastWriter, NotCarried};
use crate::desired::user_data::Bootstrap;
use crate::report::text;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::reach;
use crate::store::kops::LeftByKops;
use crate::store::objects::Kept;

/// What the kept specs say otherwise than what kops last made of them.
pub(super) fn since_kops(
    ui: &Ui,
    cluster: &Kept,
    groups: &[Kept],
    left: &LeftByKops,
    last_writer: Option<&LastWriter>,
) -> Vec<NotCarried> {
    let Spec::Cluster(spec) = &cluster.document.spec else { return Vec::new() };
    let mut found = Vec::new();
    let mut collect = |what: String, compared: Result<Vec<NotCarried>, String>| match compared {
        Ok(fields) => found.extend(fields),
        Err(reason) => warn_of_unread(ui, &format!("{what} in the state store: {reason}")),
    };
    for error in &left.unread {
        warn_of_unread(ui, error);
    }
    if let Some(completed) = &left.completed {
        let exactly = last_writer.is_some_and(LastWriter::is_known);
        let compared = reach::since_kops(&cluster.document, completed, exactly);
        collect(format!("{}/cluster-completed.spec", spec.name()), compared);
    }
    for group in groups.iter().map(|kept| &kept.document) {
        if let Some(configuration) = left.nodes.get(group.name()) {
            let compared = reach::of_group_since_kops(group, spec, configuration);
            collect(format!("{}/igconfig of {}", spec.name(), group.name()), compared);
        }
    }
    found
}

fn warn_of_unread(ui: &Ui, error: &str) {
    ui.warn(&format!(
        "{error}\nSo it is not told what of the specs has not been carried to the nodes yet"
    ));
}

/// Tells what a new state of an object changes that only kops carries on.
pub(super) fn tell_between(
    ui: &Ui,
    before: &Document,
    after: &Document,
    cluster: Option<&Cluster>,
) {
    let cluster = match &after.spec {
        Spec::Cluster(own) => Some(&**own),
        _ => cluster,
    };
    // No kops brings up the nodes of such a cluster.
    let Some(cluster) = cluster.filter(|cluster| Bootstrap::of(cluster) == Bootstrap::Unset) else {
        return;
    };
    let fields = reach::between(before, after, Some(cluster));
    if !fields.is_empty() {
        ui.status(text::not_carried(cluster.name(), &fields).trim_end());
    }
}
