//! Clusters, instance groups and SSH keys in the store.

use std::fmt;

use anyhow::{Context as _, anyhow, bail};
use futures::future::join_all;

use super::conflict::{Conflict, changed_fields};
use super::{Content, Expect, Refused, Store, Version};
use crate::spec::cluster::Cluster;
use crate::spec::document::{self, ADDITIONAL, ADDITIONAL_NAME, Document, Spec};
use crate::spec::name::{ClusterName, ObjectName};
use crate::spec::path::FieldPath;
use crate::spec::problem::{Problem, Problems};
use crate::spec::ssh_credential::{self, SshCredential};
use crate::spec::yaml;

/// What is kept at a place, whether or not it can be read.
#[derive(Clone, Debug)]
pub(crate) struct KeptText {
    pub(crate) place: Place,
    content: Content,
    version: Version,
}

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) document: Document,
    pub(crate) text: KeptText,
}

/// What is kept and cannot be read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) place: Place,
    error: anyhow::Error,
    /// How it is mended, if it is the text that cannot be read.
    mending: Option<String>,
}

/// The instance groups of a cluster, each as far as it can be read.
#[derive(Debug)]
pub(crate) struct KeptGroups {
    pub(crate) groups: Vec<Result<Kept, Unread>>,
    /// The keys beside them that are no group's.
    pub(crate) strays: Vec<String>,
}

/// The SSH keys of a cluster.
#[derive(Debug, Default)]
pub(crate) struct KeptKeys {
    pub(crate) keys: Vec<String>,
    /// What is kept in the place of one and is not it, in words.
    pub(crate) wrong: Vec<String>,
}

/// Where an object belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Cluster(ClusterName),
    InstanceGroup(ClusterName, ObjectName),
    SshKey {
        cluster: ClusterName,
        name: ObjectName,
        fingerprint: String,
    },
    /// The one list of objects of other kinds.
    Additional(ClusterName),
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
            Spec::Additional(_) => Self::Additional(cluster()?),
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
            | Self::SshKey { cluster, .. }
            | Self::Additional(cluster) => cluster,
        }
    }

    /// The object's own name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Cluster(cluster) => cluster.as_str(),
            Self::InstanceGroup(_, name) | Self::SshKey { name, .. } => name.as_str(),
            Self::Additional(_) => ADDITIONAL_NAME,
        }
    }

    /// How it is mended when it cannot be read.
    fn mending(&self, content: &Content) -> String {
        let edit = |what: String| match content {
            Content::Bytes(_) => format!("kapstan edit {what}, or "),
            Content::TooLarge(_) => String::new(),
        };
        match self {
            Self::Cluster(cluster) => format!(
                "mend it with {}kapstan replace -f FILE --force",
                edit(format!("cluster {cluster}"))
            ),
            Self::InstanceGroup(cluster, name) => format!(
                "mend it with {}kapstan replace -f FILE --force, or remove it with kapstan delete \
                 ig {name} --name {cluster} --yes",
                edit(format!("ig {name} --name {cluster}"))
            ),
            Self::SshKey { .. } => "remove it and keep the key again".to_owned(),
            Self::Additional(_) => "mend it with kapstan replace -f FILE --force".to_owned(),
        }
    }

    pub(crate) fn key(&self) -> String {
        match self {
            Self::Cluster(cluster) => format!("{cluster}/config"),
            Self::InstanceGroup(cluster, name) => format!("{cluster}/instancegroup/{name}"),
            Self::SshKey { cluster, name, fingerprint } => {
                format!("{cluster}/pki/ssh/public/{name}/{fingerprint}")
            }
            Self::Additional(cluster) => format!("{cluster}/clusteraddons/{ADDITIONAL_NAME}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(cluster) => write!(f, "Cluster/{cluster}"),
            Self::InstanceGroup(_, name) => write!(f, "InstanceGroup/{name}"),
            Self::SshKey { name, .. } => write!(f, "SSHCredential/{name}"),
            Self::Additional(_) => write!(f, "{ADDITIONAL}/{ADDITIONAL_NAME}"),
        }
    }
}

impl Unread {
    /// Why, in one line.
    pub(crate) fn reason(&self) -> String {
        let told = match self.error.downcast_ref::<Problems>() {
            Some(Problems { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
            None => vec![format!("{:#}", self.error).lines().next().unwrap_or_default().to_owned()],
        };
        told.join("; ").replace(['\n', '\r'], " ")
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)?;
        self.mending.iter().try_for_each(|mending| write!(f, "\n{mending}"))
    }
}

impl KeptText {
    /// # Errors
    /// It cannot be read, or is not what belongs at its place; and how to mend it.
    pub(crate) fn document(&self) -> anyhow::Result<Document> {
        self.read_or_told().map_err(|unread| anyhow!("{unread}"))
    }

    fn read_or_told(&self) -> Result<Document, Unread> {
        self.read().map_err(|error| Unread {
            place: self.place.clone(),
            error,
            mending: Some(self.place.mending(&self.content)),
        })
    }

    fn read(&self) -> anyhow::Result<Document> {
        let key = self.place.key();
        let bytes = bytes_of(&self.content, &key)?;
        let text = std::str::from_utf8(bytes);
        let text = text.with_context(|| format!("{key} in the state store is no text"))?;
        let document = document::read_one(text, &key)?;
        let wanted = self.place.to_string();
        let cluster = self.place.cluster();
        if document.to_string() == wanted {
            return match document.cluster_name().filter(|other| *other != cluster.as_str()) {
                None => Ok(document),
                Some(other) => bail!(
                    "{key} names the cluster {other:?}, but the group belongs to {cluster}, below \
                     which it lies"
                ),
            };
        }
        let elsewhere = match &document.spec {
            Spec::Cluster(other) => format!("{}/config", other.name()),
            Spec::InstanceGroup(group) => format!("{cluster}/instancegroup/{}", group.name()),
            Spec::SshCredential(_) => format!("{cluster}/pki/ssh/public"),
            Spec::Additional(_) => Place::Additional(cluster.clone()).key(),
        };
        bail!("{key} calls itself {document}, which belongs at {elsewhere}; {wanted} belongs here")
    }

    /// # Errors
    /// As for [`Self::document`].
    pub(crate) fn kept(self) -> anyhow::Result<Kept> {
        Ok(Kept { document: self.document()?, text: self })
    }

    /// The cluster, without what cannot be read of it; `None` if nothing can be, or if it is
    /// another.
    pub(crate) fn cluster_in_part(&self) -> Option<Cluster> {
        let Content::Bytes(bytes) = &self.content else { return None };
        let text = std::str::from_utf8(bytes).ok()?;
        let cluster = document::cluster_in_part(text)?;
        (cluster.name() == self.place.cluster().as_str()).then_some(cluster)
    }

    pub(crate) fn is_text(&self, text: &str) -> bool {
        matches!(&self.content, Content::Bytes(bytes) if bytes == text.as_bytes())
    }

    /// The text for a person to mend; what is no text in it is marked.
    ///
    /// # Errors
    /// It is too large for that.
    pub(crate) fn lossy(&self) -> anyhow::Result<String> {
        match &self.content {
            Content::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Content::TooLarge(_) => self.document().map(|document| document.text),
        }
    }
}

/// # Errors
/// There are more of them than are read.
fn bytes_of<'a>(content: &'a Content, key: &str) -> anyhow::Result<&'a [u8]> {
    match content {
        Content::Bytes(bytes) => Ok(bytes),
        Content::TooLarge(size) => bail!("{key} in the state store: {}", yaml::too_large(*size)),
    }
}

/// What a document is kept as: its text, or for an SSH key the key alone, as kops does. Every
/// way of writing a document comes through here.
///
/// # Errors
/// The text would not be read back as this document.
fn checked_bytes(document: &Document) -> anyhow::Result<&[u8]> {
    match &document.spec {
        Spec::SshCredential(credential) => Ok(public_key(credential).as_bytes()),
        _ => {
            document.check_text()?;
            Ok(document.text.as_bytes())
        }
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
        let found = join_all(places.map(async |place| self.holds(&place).await)).await;
        // What cannot be read is there.
        let is_there = |found: &anyhow::Result<bool>| !matches!(found, Ok(false));
        let named = names.into_iter().zip(found).filter(|(_, found)| is_there(found));
        Ok(named.map(|(name, _)| name).collect())
    }

    /// The other clusters beside one, each as far as it can be read.
    pub(crate) async fn neighbours(
        &self,
        of: &ClusterName,
    ) -> anyhow::Result<Vec<(ClusterName, Option<Cluster>)>> {
        let names = self.folders().await?.into_iter().filter(|name| name != of);
        let look = async |name: ClusterName| match self.text(&Place::Cluster(name.clone())).await {
            Ok(None) => None,
            Ok(Some(text)) => Some((name, text.cluster_in_part())),
            Err(_) => Some((name, None)),
        };
        Ok(join_all(names.map(look)).await.into_iter().flatten().collect())
    }

    /// All clusters in order of their names, and for those that cannot be read, why.
    pub(crate) async fn clusters(&self) -> anyhow::Result<Vec<Result<Kept, Unread>>> {
        let places = self.folders().await?.into_iter().map(Place::Cluster);
        let found = join_all(places.map(async |place| self.kept(&place).await)).await;
        Ok(found.into_iter().filter_map(Result::transpose).collect())
    }

    /// What is kept at a place.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) async fn kept(&self, place: &Place) -> Result<Option<Kept>, Unread> {
        let text = self.text(place).await;
        let text = text.map_err(|error| Unread { place: place.clone(), error, mending: None })?;
        let Some(text) = text else { return Ok(None) };
        Ok(Some(Kept { document: text.read_or_told()?, text }))
    }

    /// The folders that may be clusters. What is no cluster's name was not put there by kops
    /// or kapstan.
    async fn folders(&self) -> anyhow::Result<Vec<ClusterName>> {
        let names = self.list("").await?;
        Ok(names.iter().filter_map(|name| ClusterName::new(name).ok()).collect())
    }

    /// # Errors
    /// There is no such cluster; the message names those there are.
    pub(crate) async fn existing_cluster(&self, name: &ClusterName) -> anyhow::Result<Kept> {
        self.existing(&Place::Cluster(name.clone())).await?.kept()
    }

    /// # Errors
    /// There is no such group; the message names those there are.
    pub(crate) async fn existing_group(
        &self,
        cluster: &ClusterName,
        name: &str,
    ) -> anyhow::Result<Kept> {
        let place = Place::InstanceGroup(cluster.clone(), ObjectName::new(name)?);
        self.existing(&place).await?.kept()
    }

    /// What is kept of a cluster or group, whether or not it can be read.
    ///
    /// # Errors
    /// There is no such object; the message names those there are.
    pub(crate) async fn existing(&self, place: &Place) -> anyhow::Result<KeptText> {
        if let Some(text) = self.text(place).await? {
            return Ok(text);
        }
        match place {
            Place::Cluster(name) => {
                let names = self.cluster_names().await?;
                match comma_separated(&names) {
                    None => bail!("there is no cluster {name}; the state store is empty"),
                    Some(names) => bail!("there is no cluster {name}; the state store has {names}"),
                }
            }
            Place::InstanceGroup(cluster, name) => {
                let (names, _) = self.group_names(cluster).await?;
                match comma_separated(&names) {
                    None => bail!("{cluster} has no instance group {name}; it has none at all"),
                    Some(names) => bail!("{cluster} has no instance group {name}; it has {names}"),
                }
            }
            Place::SshKey { cluster, .. } | Place::Additional(cluster) => {
                bail!("{cluster} has no {place}")
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
    pub(crate) async fn groups(&self, cluster: &ClusterName) -> anyhow::Result<KeptGroups> {
        let (names, strays) = self.group_names(cluster).await?;
        let places: Vec<Place> =
            names.into_iter().map(|name| Place::InstanceGroup(cluster.clone(), name)).collect();
        let found = join_all(places.iter().map(|place| self.kept(place))).await;
        let (mut groups, mut strays) = (Vec::new(), strays);
        for (place, kept) in places.iter().zip(found) {
            match kept.transpose() {
                Some(kept) => groups.push(kept),
                // A folder, or a group that went between the list and now.
                None => strays.push(place.key()),
            }
        }
        Ok(KeptGroups { groups, strays })
    }

    /// The names of a cluster's groups, and the keys beside them that are no group's.
    pub(crate) async fn group_names(
        &self,
        cluster: &ClusterName,
    ) -> anyhow::Result<(Vec<ObjectName>, Vec<String>)> {
        let folder = format!("{cluster}/instancegroup");
        let mut names = Vec::new();
        let mut strays = Vec::new();
        for name in self.list(&folder).await? {
            match ObjectName::new(&name) {
                Ok(name) => names.push(name),
                Err(_) => strays.push(format!("{folder}/{name}")),
            }
        }
        Ok((names, strays))
    }

    /// What is kept at a place, whether or not it can be read.
    pub(crate) async fn text(&self, place: &Place) -> anyhow::Result<Option<KeptText>> {
        let stored = self.read(&place.key()).await?;
        Ok(stored.map(|stored| KeptText {
            place: place.clone(),
            content: stored.content,
            version: stored.version,
        }))
    }

    /// Whether something is kept at a place.
    pub(crate) async fn holds(&self, place: &Place) -> anyhow::Result<bool> {
        Ok(self.read(&place.key()).await?.is_some())
    }

    /// Keeps a new object.
    ///
    /// # Errors
    /// It exists already.
    pub(crate) async fn create(&self, place: &Place, document: &Document) -> anyhow::Result<()> {
        self.create_bytes(place, checked_bytes(document)?, &document.to_string()).await
    }

    async fn create_bytes(&self, place: &Place, bytes: &[u8], name: &str) -> anyhow::Result<()> {
        match self.write(&place.key(), bytes, Expect::Absent).await {
            Ok(_) => Ok(()),
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
    pub(crate) async fn ssh_keys(&self, cluster: &ClusterName) -> anyhow::Result<KeptKeys> {
        let folder = format!("{cluster}/pki/ssh/public/{}", ssh_credential::DEFAULT_NAME);
        let names = self.list(&folder).await?;
        // What a file manager leaves is no key.
        let names: Vec<&String> =
            names.iter().filter(|name| ObjectName::new(name).is_ok()).collect();
        let paths: Vec<String> = names.iter().map(|name| format!("{folder}/{name}")).collect();
        let texts = join_all(paths.iter().map(|path| self.read(path))).await;
        let mut kept = KeptKeys::default();
        for ((name, path), stored) in names.into_iter().zip(&paths).zip(texts) {
            let Some(stored) = stored? else { continue };
            let text = String::from_utf8_lossy(bytes_of(&stored.content, path)?).into_owned();
            // Whoever holds the key may log in: it must be the one that it says it is.
            match ssh_credential::fingerprint(&text) {
                Ok(own) if own == *name => kept.keys.push(text),
                Ok(own) => kept.wrong.push(format!(
                    "{path} holds another SSH key than its name says, one with the fingerprint {own}"
                )),
                Err(reason) => {
                    kept.wrong.push(format!("{path} holds no SSH public key: {reason}"));
                }
            }
        }
        Ok(kept)
    }

    /// Writes a new text of an object that was read before.
    ///
    /// # Errors
    /// [`Conflict`] if someone else has written it meanwhile.
    pub(crate) async fn update(
        &self,
        before: &KeptText,
        document: &Document,
    ) -> anyhow::Result<()> {
        let bytes = checked_bytes(document)?;
        let expect = Expect::Unchanged(&before.version);
        let written = self.write(&before.place.key(), bytes, expect).await;
        self.settle(before, written.map(|_| ())).await
    }

    /// Removes an object that was looked at before.
    ///
    /// # Errors
    /// [`Conflict`] if someone else has written it meanwhile.
    pub(crate) async fn remove(&self, before: &KeptText) -> anyhow::Result<()> {
        let removed = self.delete(&before.place.key(), &before.version).await;
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

    async fn settle(&self, before: &KeptText, result: Result<(), Refused>) -> anyhow::Result<()> {
        let object = before.place.to_string();
        match result {
            Ok(()) => Ok(()),
            Err(Refused::Failed(error)) => Err(error.context(format!("{object} was not written"))),
            Err(Refused::Conflict) => {
                let now = self.read(&before.place.key()).await?;
                let written = now.as_ref().map(|now| now.written.clone()).unwrap_or_default();
                let changed = now.map(|now| {
                    let now = KeptText { content: now.content, ..before.clone() };
                    match (before.read(), now.read()) {
                        (Ok(before), Ok(now)) => changed_fields(&before, &now),
                        (_, Err(error)) => vec![format!("it cannot be read any more: {error:#}")],
                        (Err(_), Ok(_)) => vec!["it can be read now".to_owned()],
                    }
                });
                Err(Conflict { object, written, changed }.into())
            }
        }
    }
}

/// Names for a message, if there are any.
fn comma_separated<T: fmt::Display>(names: &[T]) -> Option<String> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
