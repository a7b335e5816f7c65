//! What the user of the tests may do, and what is refused for other reasons.

use super::answers::Refusal;
use super::api::USER;
use super::cluster::Cluster;
use super::troubles::{Denial, Trouble};

/// Those that `docs/rolling-update.md` lists, and no more.
const DOCUMENTED: [&str; 8] = [
    "get nodes", "list nodes", "patch nodes", "delete nodes", "list pods",
    "list poddisruptionbudgets", "create pods/eviction", "create selfsubjectaccessreviews",
];

impl Cluster {
    pub fn may(&self, verb: &str, resource: &str, namespace: Option<&str>) -> bool {
        let what = format!("{verb} {resource}");
        let is_given = |namespaces: &[&str]| namespaces.iter().any(|one| Some(*one) == namespace);
        DOCUMENTED.contains(&what.as_str())
            && self.troubles.iter().all(|trouble| match trouble {
                Trouble::Lacks(right) => *right != what,
                Trouble::Only(right, namespaces) => *right != what || is_given(namespaces),
                _ => true,
            })
    }

    pub fn authorize(
        &self,
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Result<(), Refusal> {
        if self.may(verb, resource, namespace) {
            return Ok(());
        }
        let group = if resource == "poddisruptionbudgets" { "policy" } else { "" };
        let scope = match namespace {
            Some(namespace) => format!("in the namespace {namespace:?}"),
            None => "at the cluster scope".to_owned(),
        };
        let kind = resource.split('/').next().unwrap_or_default();
        let message = format!(
            "{kind} is forbidden: User {USER:?} cannot {verb} resource {resource:?} in API group \
             {group:?} {scope}"
        );
        Err(Refusal::new(403, "Forbidden", message))
    }

    /// Asks the policies of the cluster.
    pub fn admit(&self, what: Denial, resource: &str, name: &str) -> Result<(), Refusal> {
        let denial = self.troubles.iter().find_map(|trouble| match trouble {
            Trouble::Policy(denied, code, words) if *denied == what => Some((*code, *words)),
            _ => None,
        });
        let Some((code, words)) = denial else { return Ok(()) };
        let message = format!(
            "{resource} {name:?} is forbidden: ValidatingAdmissionPolicy 'frozen' with binding \
             'frozen' denied request: {words}"
        );
        Err(Refusal::new(code, if code == 403 { "Forbidden" } else { "Invalid" }, message))
    }
}
