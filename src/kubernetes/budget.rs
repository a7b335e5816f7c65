//! Pod disruption budgets: how many pods may leave of their own accord.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Object;
use serde::Deserialize;

use super::pod::Pod;

/// A budget of the API, without what nobody here reads.
pub(super) type ApiBudget = Object<BudgetSpec, BudgetStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BudgetSpec {
    selector: Option<LabelSelector>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BudgetStatus {
    disruptions_allowed: i32,
    current_healthy: i32,
    desired_healthy: i32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    pub(crate) namespace: String,
    pub(crate) name: String,
    selector: Option<LabelSelector>,
    /// How many of its pods may leave now.
    pub(crate) allowed: i32,
    pub(crate) healthy: i32,
    pub(crate) needed: i32,
}

impl Budget {
    pub(super) fn from_api(row: &ApiBudget) -> Self {
        let status = row.status.as_ref();
        Self {
            namespace: row.metadata.namespace.clone().unwrap_or_default(),
            name: row.metadata.name.clone().unwrap_or_default(),
            selector: row.spec.selector.clone(),
            allowed: status.map_or(0, |status| status.disruptions_allowed),
            healthy: status.map_or(0, |status| status.current_healthy),
            needed: status.map_or(0, |status| status.desired_healthy),
        }
    }

    /// One for all pods of a namespace.
    #[cfg(test)]
    pub(crate) fn of_all(namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { namespace, name, selector: Some(LabelSelector::default()), ..Self::default() }
    }

    /// In policy/v1 no selector chooses nothing, and an empty one every pod of the namespace.
    pub(crate) fn covers(&self, pod: &Pod) -> bool {
        let chosen = self.selector.as_ref().is_some_and(|selector| chooses(selector, &pod.labels));
        chosen && pod.namespace == self.namespace
    }
}

fn chooses(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector.match_labels.iter().flatten();
    let terms = selector.match_expressions.iter().flatten();
    equal.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && terms.into_iter().all(|term| {
            let value = labels.get(&term.key);
            let is_listed = || {
                let listed = term.values.as_deref().unwrap_or_default();
                value.is_some_and(|value| listed.contains(value))
            };
            match term.operator.as_str() {
                "In" => is_listed(),
                "NotIn" => !is_listed(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn selectors_choose_as_kubernetes_does() {
        let chooses = |selector: serde_json::Value, labels: &[(&str, &str)]| {
            let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let selector = serde_json::from_value(selector).unwrap();
            super::chooses(&selector, &labels.iter().map(pair).collect())
        };
        let web = [("app", "web"), ("tier", "front")];
        assert!(chooses(json!({}), &web));
        assert!(chooses(json!({"matchLabels": {"app": "web"}}), &web));
        assert!(!chooses(json!({"matchLabels": {"app": "db"}}), &web));
        let term = |operator: &str, key: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        assert!(chooses(term("In", "app", &["web", "db"]), &web));
        assert!(!chooses(term("NotIn", "app", &["web"]), &web));
        assert!(chooses(term("NotIn", "zone", &["a"]), &web));
        assert!(chooses(term("Exists", "tier", &[]), &web));
        assert!(!chooses(term("DoesNotExist", "tier", &[]), &web));
    }
}
