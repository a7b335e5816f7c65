//! How many instances of a group are replaced at once.

use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::role::Role;
use crate::spec::rolling_update::{Amount, RollingUpdate};

/// A group's `rollingUpdate` with every default filled in, in instances.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Strategy {
    /// How many more than desired may stand.
    pub(crate) surge: usize,
    /// How many fewer than desired may serve.
    pub(crate) unavailable: usize,
    /// Whether instances are replaced, or only marked.
    pub(crate) replaces: bool,
}

/// As kops resolves it (`pkg/instancegroups/settings.go` of current kops): the group's own
/// settings, then the cluster's, then one instance of surge. Masters are never surged, since a
/// master joins etcd under the name of the one that it replaces; and never more than one of
/// them is down, whatever is asked, since etcd needs its majority.
pub(crate) fn resolve(cluster: &Cluster, group: &InstanceGroup, instances: usize) -> Strategy {
    let layers = [&group.spec.rolling_update, &cluster.spec.rolling_update];
    let layers: Vec<&RollingUpdate> = layers.into_iter().flatten().collect();
    let amount = |field: fn(&RollingUpdate) -> Option<&serde_json::Value>| {
        let value = layers.iter().find_map(|layer| field(layer));
        value.and_then(|value| Amount::parse(value).ok())
    };
    let replaces = layers.iter().find_map(|layer| layer.drain_and_terminate).unwrap_or(true);
    if group.spec.role == Some(Role::Master) {
        return Strategy { surge: 0, unavailable: 1, replaces };
    }
    let surge = amount(|layer| layer.max_surge.as_ref());
    let surge = surge.unwrap_or(Amount::Number(1)).rounded_up(instances);
    let unavailable = amount(|layer| layer.max_unavailable.as_ref());
    let unavailable = unavailable.map(|amount| amount.rounded_down(instances));
    let least = usize::from(surge == 0);
    Strategy { surge, unavailable: unavailable.unwrap_or(least).max(least), replaces }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(
        cluster: serde_json::Value,
        group: serde_json::Value,
        instances: usize,
    ) -> Strategy {
        let cluster = serde_json::from_value(json!({"spec": {"rollingUpdate": cluster}})).unwrap();
        let group = serde_json::from_value(json!({"spec": group})).unwrap();
        resolve(&cluster, &group, instances)
    }

    #[test]
    fn the_group_wins_over_the_cluster_and_both_over_defaults() {
        let of = |surge, unavailable| Strategy { surge, unavailable, replaces: true };
        let node = |rolling| json!({"role": "Node", "rollingUpdate": rolling});
        assert_eq!(resolved(json!(null), node(json!(null)), 10), of(1, 0));
        assert_eq!(resolved(json!({"maxSurge": "25%"}), node(json!(null)), 10), of(3, 0));
        let own = node(json!({"maxSurge": 0}));
        assert_eq!(resolved(json!({"maxSurge": "25%"}), own, 10), of(0, 1));
        let both = node(json!({"maxUnavailable": "30%"}));
        assert_eq!(resolved(json!({"maxSurge": 2}), both, 10), of(2, 3));
        let marked = node(json!({"drainAndTerminate": false}));
        assert!(!resolved(json!(null), marked, 10).replaces);
    }

    #[test]
    fn masters_go_one_by_one_whatever_is_asked() {
        let masters = json!({"role": "Master", "rollingUpdate": {"maxUnavailable": 3}});
        let one = Strategy { surge: 0, unavailable: 1, replaces: true };
        assert_eq!(resolved(json!({"maxSurge": 2}), masters, 3), one);
    }
}
