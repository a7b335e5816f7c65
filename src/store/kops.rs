//! What kops leaves beside a cluster's specs for itself and for nodes: which kops it was, what
//! it made of the spec, and what nodes of each group read when they boot. It is read only.

use std::collections::BTreeMap;

use futures::future::{join_all, try_join3};

use super::{Content, Store};
use crate::spec::name::ClusterName;

/// What kops last wrote of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftByKops {
    /// The text of `kops-version.txt`.
    pub(crate) version: Option<String>,
    /// The whole cluster as kops worked it out of its spec.
    pub(crate) completed: Option<String>,
    /// What nodes read when they boot, by group.
    pub(crate) nodes: BTreeMap<String, String>,
    /// What is there and could not be read, and why.
    pub(crate) unread: Vec<String>,
}

impl Store {
    /// What kops last wrote of a cluster. Only its version must be readable: without the rest
    /// less can be told.
    pub(crate) async fn left_by_kops(&self, name: &ClusterName) -> anyhow::Result<LeftByKops> {
        let completed = async { Ok(self.text_of(&format!("{name}/cluster-completed.spec")).await) };
        let nodes = async { Ok(self.nodes_by_kops(name).await) };
        let (version, completed, nodes) =
            try_join3(self.kops_version(name), completed, nodes).await?;
        let mut left = LeftByKops { version, ..LeftByKops::default() };
        let mut told = |error: anyhow::Error| left.unread.push(format!("{error:#}"));
        left.completed = completed.unwrap_or_else(|error| {
            told(error);
            None
        });
        left.nodes = nodes.unwrap_or_else(|error| {
            told(error);
            BTreeMap::new()
        });
        Ok(left)
    }

    /// The version of the kops that last wrote a cluster; kapstan writes none.
    pub(crate) async fn kops_version(&self, name: &ClusterName) -> anyhow::Result<Option<String>> {
        let text = self.text_of(&format!("{name}/kops-version.txt")).await?;
        Ok(text.map(|text| text.trim().to_owned()))
    }

    async fn nodes_by_kops(&self, name: &ClusterName) -> anyhow::Result<BTreeMap<String, String>> {
        let folder = format!("{name}/igconfig");
        let mut keys = BTreeMap::new();
        for key in self.keys_below(&folder).await? {
            if let [_role, group, "nodeupconfig.yaml"] = *key.split('/').collect::<Vec<_>>() {
                keys.insert(group.to_owned(), format!("{folder}/{key}"));
            }
        }
        let texts = join_all(keys.values().map(|key| self.text_of(key))).await;
        let mut found = BTreeMap::new();
        for (group, text) in keys.into_keys().zip(texts) {
            if let Some(text) = text? {
                found.insert(group, text);
            }
        }
        Ok(found)
    }

    /// A text, unless it is too large to be one of kops'.
    async fn text_of(&self, key: &str) -> anyhow::Result<Option<String>> {
        let stored = self.read(key).await?;
        Ok(stored.and_then(|stored| match stored.content {
            Content::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Content::TooLarge(_) => None,
        }))
    }
}
