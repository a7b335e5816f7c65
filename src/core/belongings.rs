//! What a cluster has in AWS, whatever its spec says: all that carries its tags or bears its
//! names, each with whose it is.

use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::core::deletion::Deletion;
use crate::core::in_use::{Hold, Thing};
use crate::core::kind::{Kind, ResourceId};
use crate::core::look::{Asked, Looking};
use crate::core::manage::View;
use crate::core::names::OwnNames;
use crate::core::seen::Seen;
use crate::core::shared_tags::TagsDeletion;
use crate::core::whose::{self, Marks, Owner, Whose};
use crate::core::wishes::Wishes;

/// How a kind is found in AWS, and what of it is a cluster's.
pub(crate) trait Presence {
    /// The looks that tell all that is to be known of the kind.
    const LOOKS: &'static [Looking];

    /// Whether it is looked for where the spec has none of it, since the spec may have had.
    const IS_SOUGHT: bool;

    /// The kinds without whose rows nothing can be told of it, beside those that it needs.
    const BESIDE: &'static [Kind] = &[];

    /// Whether there is one of this name that others can refer to. `None` where that is not known,
    /// or nothing refers to the kind, though it may have to come first.
    fn exists(id: &ResourceId, view: View<'_>) -> Option<bool> {
        Some(view.ids.get(id).is_some())
    }

    /// Notes what was found in what the spec names: that is not the cluster's either.
    fn name_found(_: &mut Owner, _: &Seen) {}

    /// Everything of the kind that concerns the cluster, from what a look at everything has seen.
    fn belongings(around: &Around<'_>) -> Vec<Belonging>;
}

/// Something that was found.
#[derive(Clone, Debug)]
pub(crate) struct Belonging {
    pub(crate) id: ResourceId,
    pub(crate) whose: Whose,
    /// What deletes it, if it is the cluster's.
    pub(crate) deletion: Deletion,
    /// What takes off the tags that an update has set on it, if it is not the cluster's and the
    /// spec names it.
    pub(crate) untagging: Option<TagsDeletion>,
    /// As what instances may use it.
    pub(crate) used_as: Option<Thing>,
    /// The instances and groups of instances that go with it: what they use is free then.
    pub(crate) frees: Vec<String>,
    /// Whether instances need it where they run, though they do not name it.
    pub(crate) is_around: bool,
    /// What keeps it, though it is the cluster's.
    pub(crate) held: Option<Hold>,
}

impl Belonging {
    pub(crate) fn new(id: ResourceId, whose: Whose, deletion: impl Into<Deletion>) -> Self {
        Self {
            id,
            whose,
            deletion: deletion.into(),
            untagging: None,
            used_as: None,
            frees: Vec::new(),
            is_around: false,
            held: None,
        }
    }

    pub(crate) fn used_as(self, thing: Thing) -> Self {
        Self { used_as: Some(thing), ..self }
    }

    pub(crate) fn frees(self, users: Vec<String>) -> Self {
        Self { frees: users, ..self }
    }

    pub(crate) fn around_instances(self) -> Self {
        Self { is_around: true, ..self }
    }
}

/// For whom to look through what was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) seen: &'a Seen,
    pub(crate) names: &'a OwnNames,
    pub(crate) wishes: &'a Wishes,
}

impl<'a> Around<'a> {
    /// As far as is known while looks go on.
    pub(crate) fn asked(asked: &'a Asked, seen: &'a Seen) -> Self {
        Self { owner: &asked.owner, seen, names: &asked.names, wishes: &asked.wishes }
    }

    /// What was found, if it concerns the cluster at all; `told` is how it is called.
    pub(crate) fn one(
        &self,
        name: &str,
        told: ResourceId,
        marks: &Marks<'_>,
        deletion: impl Into<Deletion>,
    ) -> Option<Belonging> {
        let whose = self.owner.whose(told.kind, marks);
        (whose.is_owned() || self.concerns(name, marks.known_tags())).then(|| Belonging {
            untagging: self.untagging(told.kind, marks),
            ..Belonging::new(told, whose, deletion)
        })
    }

    /// One that AWS knows by id, called by its name.
    pub(crate) fn by_id(
        &self,
        kind: Kind,
        marks: &Marks<'_>,
        deletion: impl Into<Deletion>,
    ) -> Option<Belonging> {
        let id = marks.id();
        let name = marks.known_tags().get("Name");
        let told = ResourceId::named(kind, id, name);
        self.one(name.map(String::as_str).unwrap_or_default(), told, marks, deletion)
    }

    /// One that AWS knows by its name.
    pub(crate) fn by_name(
        &self,
        kind: Kind,
        name: &str,
        marks: &Marks<'_>,
        deletion: impl Into<Deletion>,
    ) -> Option<Belonging> {
        self.one(name, ResourceId::new(kind, name), marks, deletion)
    }

    /// Whether something of this name carries the cluster's tags, or has a name of its own.
    pub(crate) fn concerns(&self, name: &str, tags: &Tags) -> bool {
        self.owner.is_marked(tags) || self.names.has(name, tags)
    }

    fn untagging(&self, kind: Kind, marks: &Marks<'_>) -> Option<TagsDeletion> {
        let set = marks.ids().find_map(|id| self.owner.tags_on(kind, id))?;
        let found = marks.known_tags();
        let shared = self.owner.tag();
        // Without it, no update has been here.
        if found.get(&shared) != set.get(&shared) {
            return None;
        }
        // What tells Kubernetes of a subnet's use, other clusters read too.
        let others = whose::is_used_by_others(found, self.owner.cluster());
        let goes = |key: &str| !others || key == shared || key == CLUSTER_TAG;
        let tags = set.iter().filter(|(key, value)| found.get(*key) == Some(*value) && goes(key));
        let tags: Tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
        (!tags.is_empty()).then(|| TagsDeletion { id: marks.id().to_owned(), tags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vpc::subnet::Subnet;

    fn owner() -> Owner {
        let mut owner = Owner::with_spec("example.com");
        let set = [("kubernetes.io/cluster/example.com", "shared"), ("SubnetType", "Public")];
        owner.name(Subnet::KIND, "subnet-1", "spec.subnets[0].id", tags(&set));
        owner
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_tags_that_an_update_has_set_go() {
        let names = OwnNames { cluster: "example.com".to_owned(), ..OwnNames::default() };
        let (owner, seen, wishes) = (owner(), Seen::default(), Wishes::default());
        let around = Around { owner: &owner, seen: &seen, names: &names, wishes: &wishes };
        let of_ours = |pairs: &[(&str, &str)]| {
            let found = tags(pairs);
            let marks = Marks::of("subnet-1").tags(&found);
            let untagging = around.untagging(Subnet::KIND, &marks)?;
            Some(untagging.tags.into_keys().collect::<Vec<_>>().join(" "))
        };
        let own = ("kubernetes.io/cluster/example.com", "shared");
        let kind = ("SubnetType", "Public");
        assert_eq!(
            of_ours(&[own, kind, ("team", "web")]).as_deref(),
            Some("SubnetType kubernetes.io/cluster/example.com")
        );
        assert_eq!(of_ours(&[own, ("SubnetType", "Utility")]).as_deref(), Some(own.0));
        let used = ("kubernetes.io/cluster/b.com", "shared");
        assert_eq!(of_ours(&[own, kind, used]).as_deref(), Some(own.0));
        assert_eq!(of_ours(&[kind]), None);
        assert_eq!(of_ours(&[("kubernetes.io/cluster/example.com", "owned"), kind]), None);
    }
}
