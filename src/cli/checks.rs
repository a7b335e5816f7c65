//! Everything that is checked of a spec before it is kept or used, put together.

use anyhow::{bail, ensure};

use super::settings::Global;
use super::ui::Ui;
use crate::desired::{self, DesiredCluster, Input, Notice, user_data};
use crate::policy::generation::{self, Generation};
use crate::policy::given;
use crate::policy::stores::{self, Location};
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::name::ClusterName;
use crate::spec::problem::{Problem, Problems};
use crate::spec::validate;
use crate::store::Store;
use crate::store::objects::{Kept, KeptGroups, Unread};
use crate::store::url::StoreUrl;

/// Warns of the places that a new spec of a cluster names and that hold other clusters too.
pub(super) async fn warn_of_shared_places(
    ui: &Ui,
    global: &Global,
    document: &Document,
) -> anyhow::Result<()> {
    let Spec::Cluster(cluster) = &document.spec else { return Ok(()) };
    let (store, url) = global.store(ui).await?;
    let shared = shared_places(&store, &url, cluster).await?;
    shared.iter().for_each(|notice| ui.warn_of(notice));
    Ok(())
}

/// The places that a cluster's instances may use and that hold other clusters too. The state store
/// is asked only where the spec names a place of its own.
pub(super) async fn shared_places(
    store: &Store,
    url: &StoreUrl,
    cluster: &Cluster,
) -> anyhow::Result<Vec<Notice>> {
    let name = ClusterName::new(cluster.name())?;
    let own = Location::parse(&url.of_cluster(cluster.name()));
    let is_elsewhere = |place: &Location| matches!(place, Location::S3 { .. }) && !own.holds(place);
    if !stores::places(cluster).iter().any(is_elsewhere) {
        return Ok(Vec::new());
    }
    let lies = |name: ClusterName, cluster: Option<Cluster>| {
        let mut places = vec![Location::parse(&url.of_cluster(name.as_str()))];
        places.extend(cluster.iter().flat_map(stores::places));
        (name.to_string(), places)
    };
    let others = store.neighbours(&name).await?.into_iter();
    let others: Vec<_> = others.map(|(name, cluster)| lies(name, cluster)).collect();
    let doubts = stores::doubts(cluster, &url.to_string(), &others).into_iter();
    let notice = |message| Notice {
        object: format!("Cluster/{name}"),
        message,
        next: "give it a folder of its own".to_owned(),
    };
    Ok(doubts.map(notice).collect())
}

/// What to do about fields that kops does not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UnknownFields {
    Warn,
    Refuse,
}

impl UnknownFields {
    pub(crate) fn from_strict(strict: bool) -> Self {
        if strict { Self::Refuse } else { Self::Warn }
    }
}

/// Checks one document by itself, and against its cluster where that is known.
///
/// # Errors
/// Every problem at once.
pub(crate) fn document(
    ui: &Ui,
    document: &Document,
    cluster: Option<&Cluster>,
    unknown: UnknownFields,
) -> Result<(), Problems> {
    let mut problems = match &document.spec {
        Spec::Cluster(cluster) => {
            let mut problems = validate::cluster(cluster);
            problems.extend(given::check(cluster));
            if generation::of_nodes(cluster) == Generation::V1_36 {
                problems.extend(validate::nodes(document));
            }
            problems
        }
        Spec::InstanceGroup(group) => {
            let mut problems = validate::instance_group(group, cluster);
            problems.extend(user_data::check(group));
            problems
        }
        Spec::SshCredential(credential) => validate::ssh_credential(credential),
        Spec::Additional(_) => Vec::new(),
    };
    problems.extend(validate::today(document));
    let refused = &document.findings.refused;
    // What reading found of a field is the better word on it.
    problems.retain(|problem| !refused.iter().any(|refused| refused.path == problem.path));
    problems.extend(refused.iter().cloned());
    // A misspelt field is often the cause of another problem, so they are told together.
    if unknown == UnknownFields::Refuse || !problems.is_empty() {
        problems.extend(document.findings.unknown.iter().cloned());
    } else {
        warn_of(ui, document, &document.findings.unknown);
    }
    warn_of(ui, document, &document.findings.gone);
    document.refuse(problems)
}

/// Checks what a document's policies depend on; whatever else is wrong is a warning.
///
/// # Errors
/// Additional policies that are wrong.
pub(crate) fn policies(
    ui: &Ui,
    document: &Document,
    cluster: &Cluster,
    unknown: UnknownFields,
) -> Result<(), Problems> {
    let (mut problems, others) = match &document.spec {
        Spec::Cluster(cluster) => (given::check(cluster), validate::cluster(cluster)),
        Spec::InstanceGroup(group) => (Vec::new(), validate::instance_group(group, Some(cluster))),
        Spec::SshCredential(_) | Spec::Additional(_) => (Vec::new(), Vec::new()),
    };
    let others: Vec<Problem> = others.into_iter().map(|p| p.located(&document.root)).collect();
    let findings = &document.findings;
    for told in [&others, &findings.refused, &findings.gone] {
        warn_of(ui, document, told);
    }
    match unknown {
        UnknownFields::Refuse => problems.extend(findings.unknown.iter().cloned()),
        UnknownFields::Warn => warn_of(ui, document, &findings.unknown),
    }
    document.refuse(problems)
}

/// Tells what today's kops refuses of what an old cluster's nodes run.
pub(crate) fn tell_old_nodes(ui: &Ui, document: &Document) {
    let Spec::Cluster(cluster) = &document.spec else { return };
    let problems = validate::nodes(document);
    if generation::of_nodes(cluster) == Generation::V1_36 || problems.is_empty() {
        return;
    }
    let told: Vec<String> =
        problems.iter().map(|problem| format!("{} {}", problem.path, problem.message)).collect();
    ui.status(&format!(
        "note: {document}: kops 1.36 would refuse it. {}. Its nodes are left as they are",
        told.join(". ")
    ));
}

/// Checks what may not change between two states of an object.
///
/// # Errors
/// Every problem of the new state.
pub(crate) fn update(before: &Document, after: &Document) -> Result<(), Problems> {
    match (&before.spec, &after.spec) {
        (Spec::Cluster(old), Spec::Cluster(new)) => {
            after.refuse(validate::cluster_update(old, new))
        }
        _ => Ok(()),
    }
}

/// Several objects' problems in one error.
pub(crate) fn all(results: Vec<Result<(), Problems>>) -> anyhow::Result<()> {
    let failed: Vec<Problems> = results.into_iter().filter_map(Result::err).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = failed.iter().map(ToString::to_string).collect();
    bail!("{}", texts.join("\n"))
}

pub(crate) fn warn_of(ui: &Ui, document: &Document, problems: &[Problem]) {
    for problem in problems {
        ui.warn_of_problem(&document.to_string(), problem);
    }
}

/// All groups of a cluster, for what needs each of them.
///
/// # Errors
/// Every group that cannot be read.
pub(crate) async fn groups(
    ui: &Ui,
    store: &Store,
    cluster: &ClusterName,
) -> anyhow::Result<Vec<Kept>> {
    let (kept, unreadable) = look_at_groups(ui, store, cluster).await?;
    let told: Vec<String> = unreadable.iter().map(Unread::to_string).collect();
    ensure!(told.is_empty(), "{}", told.join("\n"));
    Ok(kept)
}

/// The groups of a cluster that can be read, and why the others cannot. What is beside them
/// and no group is a warning.
pub(super) async fn look_at_groups(
    ui: &Ui,
    store: &Store,
    cluster: &ClusterName,
) -> anyhow::Result<(Vec<Kept>, Vec<Unread>)> {
    let KeptGroups { groups, strays } = store.groups(cluster).await?;
    for key in strays {
        ui.warn(&format!("{key} in the state store is no instance group; it is left alone"));
    }
    let (mut kept, mut unreadable) = (Vec::new(), Vec::new());
    for group in groups {
        match group {
            Ok(group) => kept.push(group),
            Err(error) => unreadable.push(error),
        }
    }
    Ok((kept, unreadable))
}

/// A cluster and its groups as the store has them, valid as a whole.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) cluster: Cluster,
    pub(crate) groups: Vec<InstanceGroup>,
}

impl Checked {
    /// # Errors
    /// Every problem of every object, and of how they fit together.
    pub(crate) fn new(
        ui: &Ui,
        cluster: &Document,
        groups: &[&Document],
        unknown: UnknownFields,
    ) -> anyhow::Result<Self> {
        let Spec::Cluster(spec) = &cluster.spec else { bail!("{cluster} is no cluster") };
        let mut results = vec![document(ui, cluster, None, unknown)];
        let mut specs = Vec::new();
        for group in groups {
            if let Spec::InstanceGroup(spec_of_group) = &group.spec {
                results.push(document(ui, group, Some(spec), unknown));
                specs.push((**spec_of_group).clone());
            }
        }
        let members: Vec<&InstanceGroup> = specs.iter().collect();
        results.push(cluster.refuse(validate::completeness(spec, &members)));
        all(results)?;
        Ok(Self { cluster: (**spec).clone(), groups: specs })
    }

    pub(crate) fn from_kept(
        ui: &Ui,
        cluster: &Kept,
        groups: &[Kept],
        unknown: UnknownFields,
    ) -> anyhow::Result<Self> {
        let groups: Vec<&Document> = groups.iter().map(|kept| &kept.document).collect();
        Self::new(ui, &cluster.document, &groups, unknown)
    }

    /// What the cluster needs of AWS.
    pub(crate) fn desired(
        &self,
        base: Option<&str>,
        kops_version: Option<&str>,
        ssh_keys: &[String],
    ) -> anyhow::Result<DesiredCluster> {
        let groups: Vec<&InstanceGroup> = self.groups.iter().collect();
        let input = Input { cluster: &self.cluster, groups: &groups, base, kops_version, ssh_keys };
        desired::cluster(input).map_err(|problems| {
            let subject = format!("Cluster/{}", self.cluster.name());
            Problems { subject, problems }.into()
        })
    }
}
