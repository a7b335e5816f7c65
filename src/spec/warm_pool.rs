//! The warm pools of groups.

use super::cluster::{Cluster, WarmPool};
use super::instance_group::InstanceGroup;
use super::role::Role;

impl InstanceGroup {
    /// The group's warm pool. What it leaves out is the cluster's, which counts for no control
    /// plane and no bastion (kops `WarmPoolSpec.ResolveDefaults`). `None` if there is none, or one
    /// that its size switches off.
    pub(crate) fn warm_pool(&self, cluster: &Cluster) -> Option<WarmPool> {
        let of_cluster = match self.spec.role {
            Some(Role::Node | Role::ApiServer) => cluster.spec.warm_pool.as_ref(),
            Some(Role::Master | Role::Bastion) | None => None,
        };
        let pool = match (&self.spec.warm_pool, of_cluster) {
            (None, None) => return None,
            (None, Some(pool)) | (Some(pool), None) => pool.clone(),
            (Some(own), Some(all)) => WarmPool {
                // A group cannot take the cluster's hook away.
                enable_lifecycle_hook: Some(own.has_hook() || all.has_hook()),
                lifecycle_hook_timeout: own.lifecycle_hook_timeout.or(all.lifecycle_hook_timeout),
                max_size: own.max_size.or(all.max_size),
                min_size: own.min_size.filter(|size| *size != 0).or(all.min_size),
            },
        };
        (pool.max_size != Some(0)).then_some(pool)
    }
}

impl WarmPool {
    /// Whether instances join it only once they have said that they are ready.
    pub(crate) fn has_hook(&self) -> bool {
        self.enable_lifecycle_hook == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn told(of_cluster: &Json, role: &str, of_group: &Json) -> String {
        let cluster = json!({"spec": {"warmPool": of_cluster}});
        let cluster: Cluster = serde_json::from_value(cluster).unwrap();
        let group = json!({"spec": {"role": role, "warmPool": of_group}});
        let group: InstanceGroup = serde_json::from_value(group).unwrap();
        let Some(pool) = group.warm_pool(&cluster) else { return "none".to_owned() };
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |n| n.to_string());
        let sizes = [pool.min_size, pool.max_size, pool.lifecycle_hook_timeout].map(number);
        format!("{} {}", sizes.join(" "), if pool.has_hook() { "hook" } else { "no hook" })
    }

    #[test]
    fn what_a_group_leaves_out_is_the_clusters() {
        let none = Json::Null;
        let whole = json!({
            "minSize": 1, "maxSize": 5, "enableLifecycleHook": true, "lifecycleHookTimeout": 900,
        });
        for (of_cluster, role, of_group, expected) in [
            (&none, "Node", &none, "none"),
            (&none, "Node", &json!({}), "- - - no hook"),
            (&none, "Node", &json!({"minSize": 3}), "3 - - no hook"),
            (&whole, "Node", &none, "1 5 900 hook"),
            (&whole, "Node", &json!({}), "1 5 900 hook"),
            (&whole, "Node", &json!({"minSize": 0, "maxSize": 0}), "none"),
            (&whole, "Node", &json!({"maxSize": 7, "enableLifecycleHook": false}), "1 7 900 hook"),
            (&whole, "Node", &json!({"minSize": 2, "lifecycleHookTimeout": 60}), "2 5 60 hook"),
            (&json!({"maxSize": 0}), "Node", &none, "none"),
            (&json!({"maxSize": 0}), "Node", &json!({"maxSize": 1}), "- 1 - no hook"),
            (&whole, "APIServer", &none, "1 5 900 hook"),
            (&whole, "Master", &none, "none"),
            (&whole, "Bastion", &none, "none"),
        ] {
            assert_eq!(told(of_cluster, role, of_group), expected, "{role} {of_group}");
        }
    }
}
