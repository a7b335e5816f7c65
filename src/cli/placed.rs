//! Specs that are given together, each with its place in the state store.

use anyhow::{Context as _, bail, ensure};

use super::checks::{self, UnknownFields};
use super::locked::Held;
use super::settings::Global;
use super::ui::Ui;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::name::ClusterName;
use crate::spec::renew;
use crate::spec::validate;
use crate::store::Store;
use crate::store::objects::Place;

/// Documents as they are kept: with kapstan's own settings in their place.
pub(super) fn renewed(ui: &Ui, documents: Vec<Document>) -> anyhow::Result<Vec<Document>> {
    documents.into_iter().map(|document| renewed_one(ui, document)).collect()
}

pub(super) fn renewed_one(ui: &Ui, document: Document) -> anyhow::Result<Document> {
    let Some(renewed) = renew::renewed(&document)? else { return Ok(document) };
    checks::warn_of(ui, &document, &document.findings.gone);
    Ok(renewed)
}

/// Checks new documents and keeps them, all or none.
pub(super) async fn keep(
    ui: &Ui,
    global: &Global,
    store: &Store,
    placed: &[(Place, &Document)],
    held: &Held,
) -> anyhow::Result<()> {
    check_all(ui, global, store, placed).await?;
    let mut existing = Vec::new();
    for (place, document) in placed {
        if store.holds(place).await? {
            existing.push(document.to_string());
        }
    }
    ensure!(
        existing.is_empty(),
        "already in the state store: {}; nothing was written. Change it with replace, edit or set",
        existing.join(", ")
    );
    held.begin()?;
    for (place, document) in placed {
        store.create(place, document).await?;
        ui.out(&format!("{document} created\n"))?;
    }
    Ok(())
}

/// Checks documents of one cluster that are given together, without a store.
pub(super) fn check_alone(
    ui: &Ui,
    global: &Global,
    placed: &[(Place, &Document)],
) -> anyhow::Result<()> {
    let unknown = UnknownFields::from_strict(global.strict);
    let cluster = placed.iter().find_map(|(_, document)| match &document.spec {
        Spec::Cluster(cluster) => Some(cluster),
        _ => None,
    });
    let check = |(place, document): &(Place, &Document)| match place {
        Place::Cluster(_) => checks::document(ui, document, None, unknown),
        _ => checks::document(ui, document, cluster.map(AsRef::as_ref), unknown),
    };
    checks::all(placed.iter().map(check).collect())
}

/// The clusters that documents belong to.
pub(super) fn clusters(placed: &[(Place, &Document)]) -> Vec<ClusterName> {
    placed.iter().map(|(place, _)| place.cluster().clone()).collect()
}

/// Each document with its place, clusters before what belongs to them.
pub(super) fn place_all<'a>(
    global: &Global,
    documents: &'a [Document],
) -> anyhow::Result<Vec<(Place, &'a Document)>> {
    let mut clusters = documents.iter().filter(|d| matches!(d.spec, Spec::Cluster(_)));
    // A file of one cluster names it for all that it holds.
    let own = match (clusters.next(), clusters.next()) {
        (Some(cluster), None) => ClusterName::new(cluster.name()).ok(),
        _ => None,
    };
    let default = match own {
        Some(own) => Some(own),
        None => global.cluster_if_named(None)?,
    };
    let mut placed: Vec<(Place, &Document)> = Vec::new();
    for document in documents {
        let place = Place::of(document, default.as_ref())?;
        if let Some((_, other)) = placed.iter().find(|(taken, _)| *taken == place) {
            bail!("{other} is given twice: in {} and {}", other.origin, document.origin);
        }
        placed.push((place, document));
    }
    placed.sort_by_key(|(place, _)| match place {
        Place::Cluster(_) => 0,
        Place::InstanceGroup(..) => 1,
        Place::SshKey { .. } => 2,
        Place::Additional(_) => 3,
    });
    Ok(placed)
}

/// Checks every document, groups against the cluster that is given with them or kept.
pub(super) async fn check_all(
    ui: &Ui,
    global: &Global,
    store: &Store,
    placed: &[(Place, &Document)],
) -> anyhow::Result<()> {
    let unknown = UnknownFields::from_strict(global.strict);
    let mut results = Vec::new();
    for (place, document) in placed {
        document.check_text()?;
        let cluster = match place {
            Place::Cluster(_) => None,
            _ => Some(cluster_of(store, placed, place.cluster()).await.with_context(|| {
                format!("{document} ({}) belongs to no cluster", document.origin)
            })?),
        };
        results.push(checks::document(ui, document, cluster.as_ref(), unknown));
    }
    for (place, document) in placed {
        if let (Place::Cluster(name), Spec::Cluster(cluster)) = (place, &document.spec) {
            let groups: Vec<&InstanceGroup> = placed
                .iter()
                .filter(|(place, _)| place.cluster() == name)
                .filter_map(|(_, document)| match &document.spec {
                    Spec::InstanceGroup(group) => Some(group.as_ref()),
                    _ => None,
                })
                .collect();
            results.push(document.refuse(validate::distinct(cluster, &groups)));
            checks::warn_of_shared_places(ui, global, document).await?;
        }
    }
    checks::all(results)
}

async fn cluster_of(
    store: &Store,
    placed: &[(Place, &Document)],
    name: &ClusterName,
) -> anyhow::Result<Cluster> {
    let given = placed.iter().find_map(|(place, document)| match (place, &document.spec) {
        (Place::Cluster(own), Spec::Cluster(cluster)) if own == name => Some(cluster),
        _ => None,
    });
    match given {
        Some(cluster) => Ok((**cluster).clone()),
        None => store.cluster_spec(name).await,
    }
}
