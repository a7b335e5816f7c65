//! Why an instance must be replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::autoscaling::fleet::{Fleet, FleetGroup, FleetMember, Source};
use crate::core::fields::Changes as _;
use crate::ec2::launch_template::LiveTemplate;

/// One thing in which an instance is not what the cluster says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Reason {
    /// What differs: a field of the launch template, or why else it must go.
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

impl Reason {
    pub(crate) fn plain(what: &str) -> Self {
        Self { what: what.to_owned(), before: None, after: None }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (None, None) => write!(f, "{}", self.what),
            (before, after) => {
                let told = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".into());
                write!(f, "{} {} → {}", self.what, told(before), told(after))
            }
        }
    }
}

/// Versions of launch templates, by the template's id and their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions(BTreeMap<(String, String), Option<LiveTemplate>>);

impl Versions {
    /// The versions, by template, that must be read to tell why instances of these groups
    /// differ. Where all instances have the version of their group there are none.
    pub(crate) fn unknown(&self, fleet: &Fleet) -> BTreeMap<String, BTreeSet<String>> {
        let mut unknown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for group in &fleet.groups {
            let Source::Template { id, version } = &group.source else { continue };
            let of_members = group.members.iter().filter_map(|member| match &member.source {
                Source::Template { id: own, version } if own == id => Some(version),
                _ => None,
            });
            let mut names: BTreeSet<&String> = of_members.collect();
            names.insert(version);
            if names.len() < 2 {
                continue;
            }
            names.retain(|name| !self.0.contains_key(&(id.clone(), (*name).clone())));
            if !names.is_empty() {
                unknown.entry(id.clone()).or_default().extend(names.into_iter().cloned());
            }
        }
        unknown
    }

    /// Keeps what was read; a version that is not among it is gone.
    pub(crate) fn learn(
        &mut self,
        asked: &BTreeMap<String, BTreeSet<String>>,
        mut found: BTreeMap<(String, String), LiveTemplate>,
    ) {
        for (id, names) in asked {
            for name in names {
                let key = (id.clone(), name.clone());
                let version = found.remove(&key);
                self.0.insert(key, version);
            }
        }
    }

    fn get(&self, id: &str, version: &str) -> Option<&LiveTemplate> {
        self.0.get(&(id.to_owned(), version.to_owned())).and_then(Option::as_ref)
    }
}

/// In what an instance differs from what its group launches now; empty where it does not. Two
/// versions with the same content do not differ: replacing would change nothing.
pub(crate) fn reasons(
    group: &FleetGroup,
    member: &FleetMember,
    versions: &Versions,
) -> Vec<Reason> {
    match (&member.source, &group.source) {
        (
            Source::Template { id: own, version: before },
            Source::Template { id, version: after },
        ) if own == id => {
            if before == after {
                return Vec::new();
            }
            of_versions(versions, id, before, after)
        }
        (Source::Template { .. }, Source::Template { .. }) => {
            vec![Reason::plain("it was launched from another launch template")]
        }
        (Source::Configuration(before), Source::Configuration(after)) if before == after => {
            Vec::new()
        }
        (Source::Configuration(before), after) => {
            let after = match after {
                Source::Configuration(name) => name.clone(),
                _ => "a launch template".to_owned(),
            };
            vec![Reason {
                what: "launchConfiguration".to_owned(),
                before: Some(before.clone()),
                after: Some(after),
            }]
        }
        (Source::Unknown, _) => vec![Reason::plain("what it was launched from is gone")],
        (Source::Template { .. }, _) => vec![Reason::plain("its group has no launch template")],
    }
}

fn of_versions(versions: &Versions, id: &str, before: &str, after: &str) -> Vec<Reason> {
    let (old, new) = (versions.get(id, before), versions.get(id, after));
    let mut reasons = vec![Reason {
        what: "launchTemplateVersion".to_owned(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
    }];
    if let (Some(old), Some(new)) = (old, new) {
        let changed = old.content.difference(&new.content);
        if changed.is_none() {
            return Vec::new();
        }
        reasons.extend(changed.drift().fields.into_iter().map(|change| Reason {
            what: change.field,
            before: change.before,
            after: change.after,
        }));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(id: &str, version: &str) -> Source {
        Source::Template { id: id.to_owned(), version: version.to_owned() }
    }

    fn told(member: Source, group: Source, versions: &Versions) -> String {
        let group = FleetGroup { source: group, ..FleetGroup::default() };
        let member = FleetMember { source: member, ..FleetMember::default() };
        let reasons = reasons(&group, &member, versions);
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn an_instance_differs_from_its_group_by_what_it_was_launched_from() {
        let none = Versions::default();
        let configuration = |name: &str| Source::Configuration(name.to_owned());
        let (one, two) = (|| template("lt-1", "1"), || template("lt-1", "2"));
        assert_eq!(told(one(), one(), &none), "");
        assert_eq!(told(one(), two(), &none), "launchTemplateVersion 1 → 2");
        assert_eq!(
            told(template("lt-0", "1"), one(), &none),
            "it was launched from another launch template"
        );
        assert_eq!(
            told(configuration("a"), one(), &none),
            "launchConfiguration a → a launch template"
        );
        assert_eq!(told(configuration("a"), configuration("a"), &none), "");
        assert_eq!(
            told(configuration("a"), configuration("b"), &none),
            "launchConfiguration a → b"
        );
        assert_eq!(told(Source::Unknown, one(), &none), "what it was launched from is gone");
    }

    #[test]
    fn only_versions_that_tell_why_are_read_and_only_once() {
        let member = |version: &str| FleetMember {
            source: template("lt-1", version),
            ..FleetMember::default()
        };
        let fleet = |members: &[&str]| Fleet {
            groups: vec![FleetGroup {
                source: template("lt-1", "2"),
                members: members.iter().map(|version| member(version)).collect(),
                ..FleetGroup::default()
            }],
            ..Fleet::default()
        };
        let mut versions = Versions::default();
        assert!(versions.unknown(&fleet(&["2", "2"])).is_empty());
        let unknown = versions.unknown(&fleet(&["1", "2"]));
        let names: Vec<&str> = unknown["lt-1"].iter().map(String::as_str).collect();
        assert_eq!(names, ["1", "2"]);
        versions.learn(&unknown, BTreeMap::new());
        assert!(versions.unknown(&fleet(&["1", "2"])).is_empty());
        assert_eq!(versions.unknown(&fleet(&["1", "3"]))["lt-1"].len(), 1);
    }
}
