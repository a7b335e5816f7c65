//! Clusters, instance groups and SSH keys in the store.

use anyhow::{Context as _, bail, ensure};
use futures::future::{join_all, try_join_all};

use super::conflict::{Conflict, changed_fields};
use super::{Expect, Refused, Store, Stored, Version, Written};
use crate::spec::cluster::Cluster;
use crate::spec::document::{self, Document, Spec};
use crate::spec::name::{ClusterName, ObjectName};
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::spec::ssh_credential::{self, SshCredential};

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) document: Document,
    version: Version,
    key: String,
}

/// Where an object belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Cluster(ClusterName),
    InstanceGroup(ClusterName, ObjectName),
    SshKey { cluster: ClusterName, name: ObjectName, fingerprint: String },
}

impl Place {
    /// The place of a document. `cluster` is the cluster for objects that name none.
    pub(crate) fn of(document: &Document, cluster: Option<&ClusterName>) -> anyhow::Result<Self> {
        let name = || {
            let name = ObjectName::new(document.name());
            name.with_context(|| format!("{document} ({})", document.origin))
        };
        let cluster = || match (document.cluster_name(), cluster) {
            (Some(own), _) => {
                ClusterName::new(own).with_context(|| format!("{document} ({})", document.origin))
            }
            (None, Some(cluster)) => Ok(cluster.clone()),
            (None, None) => bail!(
                "{document} ({}) names no cluster; give it the label kops.k8s.io/cluster, or give \
                 --name",
                document.origin
            ),
        };
        Ok(match &document.spec {
            Spec::Cluster(_) => Self::Cluster(cluster()?),
            Spec::InstanceGroup(_) => Self::InstanceGroup(cluster()?, name()?),
            Spec::SshCredential(credential) => {
                let path = FieldPath::root().key("spec").key("publicKey");
                let fingerprint = ssh_credential::fingerprint(public_key(credential))
                    .map_err(|reason| document.problems(vec![Problem::new(&path, reason)]))?;
                Self::SshKey { cluster: cluster()?, name: name()?, fingerprint }
            }
        })
    }

    /// # Errors
    /// A text that is no public key.
    pub(crate) fn ssh_key(
        cluster: ClusterName,
        name: ObjectName,
        key: &str,
    ) -> anyhow::Result<Self> {
        let fingerprint = ssh_credential::fingerprint(key).map_err(anyhow::Error::msg)?;
        Ok(Self::SshKey { cluster, name, fingerprint })
    }

    pub(crate) fn cluster(&self) -> &ClusterName {
        match self {
            Self::Cluster(cluster)
            | Self::InstanceGroup(cluster, _)
            | Self::SshKey { cluster, .. } => cluster,
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Cluster(cluster) => format!("{cluster}/config"),
            Self::InstanceGroup(cluster, name) => format!("{cluster}/instancegroup/{name}"),
            Self::SshKey { cluster, name, fingerprint } => {
                format!("{cluster}/pki/ssh/public/{name}/{fingerprint}")
            }
        }
    }
}

/// What a document is kept as: its text, or for an SSH key the key alone, as kops does.
fn bytes(document: &Document) -> &[u8] {
    match &document.spec {
        Spec::SshCredential(credential) => public_key(credential).as_bytes(),
        _ => document.text.as_bytes(),
    }
}

fn public_key(credential: &SshCredential) -> &str {
    credential.spec.public_key.as_deref().unwrap_or_default()
}

impl Store {
    /// The names of all clusters, in order.
    pub(crate) async fn cluster_names(&self) -> anyhow::Result<Vec<ClusterName>> {
        let names = self.folders().await?;
        let places = names.iter().map(|name| Place::Cluster(name.clone()));
        let found = try_join_all(places.map(async |place| self.holds(&place).await)).await?;
        Ok(names.into_iter().zip(found).filter(|(_, found)| *found).map(|(name, _)| name).collect())
    }

    /// All clusters in order of their names, and for those that cannot be read, why.
    pub(crate) async fn clusters(&self) -> anyhow::Result<Vec<anyhow::Result<Kept>>> {
        let names = self.folders().await?;
        let found = join_all(names.iter().map(|name| self.cluster(name))).await;
        Ok(found.into_iter().filter_map(Result::transpose).collect())
    }

    /// The folders that may be clusters. What is no cluster's name was not put there by kops
    /// or kapstan.
    async fn folders(&self) -> anyhow::Result<Vec<ClusterName>> {
        let names = self.list("").await?;
        Ok(names.iter().filter_map(|name| ClusterName::new(name).ok()).collect())
    }

    pub(crate) async fn cluster(&self, name: &ClusterName) -> anyhow::Result<Option<Kept>> {
        let kept = self.kept(&Place::Cluster(name.clone())).await?;
        if let Some(kept) = &kept {
            let own = kept.document.name();
            ensure!(
                own == name.as_str(),
                "the cluster kept as {name} calls itself {own:?}; correct metadata.name"
            );
        }
        Ok(kept)
    }

    /// # Errors
    /// There is no such cluster; the message names those there are.
    pub(crate) async fn existing_cluster(&self, name: &ClusterName) -> anyhow::Result<Kept> {
        if let Some(kept) = self.cluster(name).await? {
            return Ok(kept);
        }
        let names = self.cluster_names().await?;
        let names: Vec<&str> = names.iter().map(ClusterName::as_str).collect();
        match names.as_slice() {
            [] => bail!("there is no cluster {name}; the state store is empty"),
            names => bail!("there is no cluster {name}; the state store has {}", names.join(", ")),
        }
    }

    pub(crate) async fn group(
        &self,
        cluster: &ClusterName,
        name: &ObjectName,
    ) -> anyhow::Result<Option<Kept>> {
        self.kept(&Place::InstanceGroup(cluster.clone(), name.clone())).await
    }

    /// # Errors
    /// There is no such group; the message names those there are.
    pub(crate) async fn existing_group(
        &self,
        cluster: &ClusterName,
        name: &str,
    ) -> anyhow::Result<Kept> {
        let name = ObjectName::new(name)?;
        if let Some(kept) = self.group(cluster, &name).await? {
            return Ok(kept);
        }
        match self.group_names(cluster).await?.as_slice() {
            [] => bail!("{cluster} has no instance group {name}; it has none at all"),
            names => {
                let names: Vec<&str> = names.iter().map(ObjectName::as_str).collect();
                bail!("{cluster} has no instance group {name}; it has {}", names.join(", "))
            }
        }
    }

    /// A group together with the cluster that it must fit.
    pub(crate) async fn group_in_cluster(
        &self,
        cluster: &ClusterName,
        name: &str,
    ) -> anyhow::Result<(Cluster, Kept)> {
        let spec = self.cluster_spec(cluster).await?;
        Ok((spec, self.existing_group(cluster, name).await?))
    }

    /// The spec of an existing cluster.
    pub(crate) async fn cluster_spec(&self, name: &ClusterName) -> anyhow::Result<Cluster> {
        match self.existing_cluster(name).await?.document.spec {
            Spec::Cluster(cluster) => Ok(*cluster),
            _ => bail!("what is kept as the cluster {name} is none"),
        }
    }

    /// All groups of a cluster, in order of their names.
    pub(crate) async fn groups(&self, cluster: &ClusterName) -> anyhow::Result<Vec<Kept>> {
        let names = self.group_names(cluster).await?;
        let reads = names.iter().map(|name| self.group(cluster, name));
        // One that went between the list and now is not missed.
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn group_names(&self, cluster: &ClusterName) -> anyhow::Result<Vec<ObjectName>> {
        let names = self.list(&format!("{cluster}/instancegroup")).await?;
        names.iter().map(|name| Ok(ObjectName::new(name)?)).collect()
    }

    async fn kept(&self, place: &Place) -> anyhow::Result<Option<Kept>> {
        let key = place.key();
        match self.read(&key).await? {
            Some(stored) => Ok(Some(kept(stored, key)?)),
            None => Ok(None),
        }
    }

    /// Whether something is kept at a place.
    pub(crate) async fn holds(&self, place: &Place) -> anyhow::Result<bool> {
        Ok(self.read(&place.key()).await?.is_some())
    }

    /// What is kept at a place, if it is a document (an SSH key is not).
    pub(crate) async fn at(&self, place: &Place) -> anyhow::Result<Option<Kept>> {
        match place {
            Place::SshKey { .. } => Ok(None),
            _ => self.kept(place).await,
        }
    }

    /// Keeps a new object.
    ///
    /// # Errors
    /// It exists already.
    pub(crate) async fn create(&self, place: &Place, document: &Document) -> anyhow::Result<()> {
        self.create_bytes(place, bytes(document), &document.to_string()).await
    }

    async fn create_bytes(&self, place: &Place, bytes: &[u8], name: &str) -> anyhow::Result<()> {
        match self.write(&place.key(), bytes, Expect::Absent).await {
            Ok(()) => Ok(()),
            Err(Refused::Conflict) => {
                bail!("{name} exists already; change it with replace or edit")
            }
            Err(Refused::Failed(error)) => Err(error.context(format!("{name} was not written"))),
        }
    }

    /// Keeps a public key. The same key once more is no error: it is kept by what it is.
    pub(crate) async fn keep_ssh_key(&self, place: &Place, key: &str) -> anyhow::Result<()> {
        match self.holds(place).await? {
            true => Ok(()),
            false => self.create_bytes(place, key.as_bytes(), "the SSH key").await,
        }
    }

    /// The public keys that are kept for a cluster under the one name that kops uses.
    pub(crate) async fn ssh_keys(&self, cluster: &ClusterName) -> anyhow::Result<Vec<String>> {
        let folder = format!("{cluster}/pki/ssh/public/{}", ssh_credential::DEFAULT_NAME);
        let names = self.list(&folder).await?;
        let paths: Vec<String> = names.iter().map(|name| format!("{folder}/{name}")).collect();
        let reads = futures::future::try_join_all(paths.iter().map(|path| self.read(path)));
        let stored = reads.await?.into_iter().flatten();
        Ok(stored.map(|stored| String::from_utf8_lossy(&stored.bytes).into_owned()).collect())
    }

    /// Writes a new text of an object that was read before.
    ///
    /// # Errors
    /// [`Conflict`] if someone else has written it meanwhile.
    pub(crate) async fn update(&self, before: &Kept, document: &Document) -> anyhow::Result<()> {
        let expect = Expect::Unchanged(&before.version);
        let written = self.write(&before.key, document.text.as_bytes(), expect).await;
        self.settle(before, written).await
    }

    /// Removes an object that was read before.
    ///
    /// # Errors
    /// [`Conflict`] if someone else has written it meanwhile.
    pub(crate) async fn remove(&self, before: &Kept) -> anyhow::Result<()> {
        let removed = self.delete(&before.key, &before.version).await;
        self.settle(before, removed).await
    }

    /// Removes an SSH key, if it is there.
    pub(crate) async fn remove_ssh_key(&self, place: &Place) -> anyhow::Result<bool> {
        let key = place.key();
        let Some(stored) = self.read(&key).await? else { return Ok(false) };
        match self.delete(&key, &stored.version).await {
            Ok(()) => Ok(true),
            Err(Refused::Conflict) => Ok(false),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// Removes all that is kept for a cluster, its spec last, so that a removal that was
    /// broken off can be begun again. Returns how much it was.
    pub(crate) async fn remove_cluster(&self, cluster: &ClusterName) -> anyhow::Result<usize> {
        let spec = Place::Cluster(cluster.clone()).key();
        let mut folders = vec![cluster.to_string()];
        let mut keys = Vec::new();
        while let Some(folder) = folders.pop() {
            for name in self.list(&folder).await? {
                let key = format!("{folder}/{name}");
                match self.read(&key).await? {
                    Some(_) => keys.push(key),
                    None => folders.push(key),
                }
            }
        }
        keys.sort_by_key(|key| *key == spec);
        let count = keys.len();
        for key in keys {
            let Some(stored) = self.read(&key).await? else { continue };
            match self.delete(&key, &stored.version).await {
                Ok(()) => {}
                Err(Refused::Conflict) => bail!("{key} was changed meanwhile; run this again"),
                Err(Refused::Failed(error)) => {
                    return Err(error.context(format!("{key} was not removed")));
                }
            }
        }
        Ok(count)
    }

    async fn settle(&self, before: &Kept, result: Result<(), Refused>) -> anyhow::Result<()> {
        let object = before.document.to_string();
        match result {
            Ok(()) => Ok(()),
            Err(Refused::Failed(error)) => Err(error.context(format!("{object} was not written"))),
            Err(Refused::Conflict) => {
                let now = self.read(&before.key).await?;
                let written = now.as_ref().map(|now| now.written.clone()).unwrap_or_default();
                let changed = now.map(|now| match kept(now, before.key.clone()) {
                    Ok(now) => changed_fields(&before.document, &now.document),
                    Err(error) => vec![format!("it cannot be read any more: {error:#}")],
                });
                Err(Conflict { object, written, changed }.into())
            }
        }
    }
}

fn kept(stored: Stored, key: String) -> anyhow::Result<Kept> {
    let Stored { bytes, version, written: Written { .. } } = stored;
    let text = String::from_utf8(bytes);
    let text = text.with_context(|| format!("{key} in the state store is no text"))?;
    let document = document::read_one(&text, &key)?;
    Ok(Kept { document, version, key })
}
