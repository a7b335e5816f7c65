//! The names that a cluster gives.

use crate::aws::tags::{CLUSTER_TAG, Tags};
use crate::core::whose;

/// The names of a cluster, those too that do not end with its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnNames {
    pub(crate) cluster: String,
    /// AWS' names of its load balancers and target groups.
    pub(crate) balancers: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    /// That of its queue of events, and those of the rules that fill it.
    pub(crate) queue: String,
    pub(crate) event_rules: Vec<String>,
}

impl OwnNames {
    /// Whether a name is such as the cluster gives, and not as another one does that has the
    /// thing: `nodes.a.example.com` is no name of `example.com`.
    pub(crate) fn has(&self, name: &str, tags: &Tags) -> bool {
        let is_of = |cluster: &str| {
            name.strip_suffix(cluster).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let other = whose::other_owner(tags, &self.cluster);
        let other = other.or(tags.get(CLUSTER_TAG).map(String::as_str));
        let is_others = other.is_some_and(|other| other != self.cluster && is_of(other));
        let mut whole = self.balancers.iter().chain(&self.event_rules).chain([&self.queue]);
        whole.any(|own| own == name) || is_of(&self.cluster) && !is_others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_the_cluster_s_are_its_own_unless_another_has_them_as_such() {
        let names = OwnNames {
            cluster: "example.com".to_owned(),
            balancers: vec!["api-a".to_owned()],
            security_groups: Vec::new(),
            queue: "example-com-nth".to_owned(),
            event_rules: vec!["example.com-SpotInterruption".to_owned()],
        };
        let key = "kubernetes.io/cluster/dev.example.com".to_owned();
        let other = Tags::from([(key, "owned".to_owned())]);
        let none = Tags::new();
        for (name, tags, is_own) in [
            ("nodes.example.com", &none, true),
            ("example.com", &none, true),
            ("api-a", &none, true),
            ("example.com-SpotInterruption", &none, true),
            ("example.com-b-SpotInterruption", &none, false),
            ("nodes.example.com", &other, true),
            ("nodes.dev.example.com", &other, false),
            ("nodes.myexample.com", &none, false),
            ("", &none, false),
        ] {
            assert_eq!(names.has(name, tags), is_own, "{name}");
        }
    }
}
