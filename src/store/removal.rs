//! Removing all that is kept for a cluster, by its keys alone: no secret, no private key and
//! no backup is read for it, whatever its size.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::ensure;

use super::{NotRemoved, Store};
use crate::spec::name::ClusterName;

/// What kops and kapstan keep directly below a cluster's folder. kops deletes the same
/// (`pkg/client/simple/vfsclientset/clientset.go`, `DeleteAllClusterState`).
const FILES: [&str; 4] = [SPEC, "cluster.spec", "cluster-completed.spec", "kops-version.txt"];
const FOLDERS: [&str; 8] = [
    "addons", BACKUPS, "clusteraddons", "igconfig", "instancegroup", "manifests", "pki", "secrets",
];
const SPEC: &str = "config";
const BACKUPS: &str = "backups";

/// How many keys an error or a notice names.
const NAMED: usize = 10;

/// What is kept below a cluster's folder; keys are told from there.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    cluster: String,
    /// What goes, the spec last: a removal that was broken off can be begun again.
    known: Vec<String>,
    /// What somebody else has put there.
    unknown: Vec<String>,
    backups: Backups,
    /// Backups that stay.
    kept_backups: usize,
}

/// Whether etcd's backups go with the cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Backups {
    #[default]
    Remove,
    Keep,
}

impl Removal {
    fn of(cluster: &ClusterName, keys: Vec<String>, backups: Backups) -> Self {
        let mut removal = Self { cluster: cluster.to_string(), backups, ..Self::default() };
        for key in keys {
            let place = key.split_once('/').map(|(folder, _)| folder);
            match place {
                Some(BACKUPS) if backups == Backups::Keep => removal.kept_backups += 1,
                Some(folder) if FOLDERS.contains(&folder) => removal.known.push(key),
                None if FILES.contains(&key.as_str()) || key.is_empty() => removal.known.push(key),
                _ => removal.unknown.push(key),
            }
        }
        removal.known.sort_by_key(|key| key == SPEC);
        removal
    }

    pub(crate) fn backups(&self) -> Backups {
        self.backups
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What stays, in words for a notice; `None` if nothing does.
    pub(crate) fn left(&self) -> Option<String> {
        let mut left = Vec::new();
        if self.kept_backups > 0 {
            left.push(format!("{} in {}/{BACKUPS}/, as asked", self.kept_backups, self.cluster));
        }
        if !self.unknown.is_empty() {
            let keys: Vec<String> =
                self.unknown.iter().map(|key| format!("{}/{key}", self.cluster)).collect();
            left.push(format!("what neither kops nor kapstan keeps: {}", named(&keys, ", ")));
        }
        (!left.is_empty()).then(|| left.join("; "))
    }
}

/// `config, 3 in instancegroup/`.
impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for key in self.known.iter().filter(|key| !key.is_empty()) {
            match key.split_once('/') {
                Some((folder, _)) => *counts.entry(format!("{folder}/")).or_default() += 1,
                None => *counts.entry(key.clone()).or_default() += 1,
            }
        }
        let told = counts.iter().map(|(place, count)| match place.ends_with('/') {
            true => format!("{count} in {place}"),
            false => place.clone(),
        });
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}

impl Store {
    /// Looks what is kept for a cluster, and reads none of it.
    pub(crate) async fn removal(
        &self,
        cluster: &ClusterName,
        backups: Backups,
    ) -> anyhow::Result<Removal> {
        let keys = self.keys_below(cluster.as_str()).await?;
        Ok(Removal::of(cluster, keys, backups))
    }

    /// Finds out whether a removal may be carried out, as far as that can be known before.
    pub(crate) async fn check_removal(&self, removal: &Removal) -> anyhow::Result<()> {
        if removal.is_empty() {
            return Ok(());
        }
        self.check_deletable(&removal.cluster, &removal.known).await
    }

    /// Removes what is kept for a cluster now, and tells what it was.
    ///
    /// # Errors
    /// Each object that could not be removed. The spec stays then too.
    pub(crate) async fn remove_cluster(
        &self,
        cluster: &ClusterName,
        backups: Backups,
    ) -> anyhow::Result<Removal> {
        // Looked at anew: a node may have kept a backup since.
        let removal = self.removal(cluster, backups).await?;
        let is_last = |key: &String| key == SPEC;
        let (last, first): (Vec<String>, Vec<String>) =
            removal.known.iter().cloned().partition(is_last);
        let batches = [first].into_iter().chain(last.into_iter().map(|key| vec![key]));
        for batch in batches.filter(|batch| !batch.is_empty()) {
            let failed = self.delete_below(&removal.cluster, &batch).await?;
            let told: Vec<String> = failed
                .iter()
                .map(|NotRemoved { key, reason }| format!("{cluster}/{key}: {reason}"))
                .collect();
            ensure!(
                told.is_empty(),
                "{} of what is kept for {cluster} could not be removed; run this again when it \
                 can be:\n  {}",
                told.len(),
                named(&told, "\n  ")
            );
        }
        Ok(removal)
    }
}

fn named(texts: &[String], separator: &str) -> String {
    let mut told = texts.iter().take(NAMED).cloned().collect::<Vec<_>>().join(separator);
    if let Some(more) = texts.len().checked_sub(NAMED).filter(|more| *more > 0) {
        told.push_str(&format!("{separator}and {more} more"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str], backups: Backups) -> Removal {
        let cluster = ClusterName::new("dev.example.com").unwrap();
        Removal::of(&cluster, keys.iter().map(|key| (*key).to_owned()).collect(), backups)
    }

    #[test]
    fn known_places_go_and_all_else_is_named() {
        let removal = of(
            &[
                "", "backups/etcd/main/1", "config", "instancegroup", "instancegroup/nodes",
                "instancegroup/nodes~", "kops-version.txt", "notes/runbook.txt", "pki",
                "pki/private/ca/keyset.yaml", "secrets/admin", "secrets/",
            ],
            Backups::Remove,
        );
        assert_eq!(
            removal.to_string(),
            "1 in backups/, config, 2 in instancegroup/, kops-version.txt, 1 in pki/, \
             2 in secrets/"
        );
        assert_eq!(
            removal.left().unwrap(),
            "what neither kops nor kapstan keeps: dev.example.com/instancegroup, \
             dev.example.com/notes/runbook.txt, dev.example.com/pki"
        );
        assert!(removal.known.ends_with(&["config".to_owned()]));
    }

    #[test]
    fn backups_stay_where_that_is_asked() {
        let removal = of(&["backups/a", "backups/b", "config"], Backups::Keep);
        assert_eq!(removal.to_string(), "config");
        assert_eq!(removal.left().unwrap(), "2 in dev.example.com/backups/, as asked");
    }
}
