//! The eviction of pods, held against budgets (kubernetes,
//! `pkg/registry/core/pod/storage/eviction.go`).

use serde_json::{Value as Json, json};

use super::answers::Refusal;
use super::cluster::{Cluster, Owner, Pod, Workload};
use super::troubles::Denial;

impl Cluster {
    pub fn evict(
        &mut self,
        namespace: &str,
        name: &str,
        options: &Json,
        is_dry: bool,
    ) -> Result<(), Refusal> {
        self.admit(Denial::Evictions, "pods", name)?;
        let is_meant = |pod: &Pod| pod.name == name && pod.namespace == namespace;
        let at = self.pods.iter().position(is_meant);
        let pod = self.pods[at.ok_or_else(|| Refusal::missing("pods", name))?].clone();
        if let Some(uid) = options["preconditions"]["uid"].as_str()
            && uid != pod.uid
        {
            return Err(Refusal::another("Pod", name, uid, &pod.uid));
        }
        if self.ending_namespaces.contains(namespace) {
            let message = format!(
                "unable to create new content in namespace {namespace} because it is being \
                 terminated"
            );
            let cause = format!("namespace {namespace} is being terminated");
            return Err(
                Refusal::new(403, "Forbidden", message).because("NamespaceTerminating", cause)
            );
        }
        if pod.deletion.is_some() {
            return Ok(());
        }
        if let Owner::Workload(name) = pod.owner {
            let workload = self.workloads.iter().find(|one| one.name == name).cloned();
            if let Some(workload) = workload {
                self.hold_against_budgets(&workload, self.is_pod_ready(&pod))?;
            }
        }
        if !is_dry {
            self.end_pod(&pod.uid);
            self.evictions.push(pod.name.clone());
        }
        Ok(())
    }

    fn hold_against_budgets(&self, workload: &Workload, is_ready: bool) -> Result<(), Refusal> {
        let Some(needed) = workload.budget else { return Ok(()) };
        if workload.is_budgeted_twice {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction \
                           subresource does not support.";
            return Err(Refusal::new(500, "", message));
        }
        let name = workload.name;
        let refused = "Cannot evict pod as it would violate the pod's disruption budget.";
        if self.stale_budgets {
            let cause =
                format!("The disruption budget {name} is still being processed by the server.");
            let refusal = Refusal::new(429, "TooManyRequests", refused);
            return Err(refusal.because("DisruptionBudget", cause).after(10));
        }
        let healthy = self.healthy(name);
        // A pod that does no work may go while enough others do.
        if healthy > needed || (!is_ready && needed > 0 && healthy >= needed) {
            return Ok(());
        }
        let cause = format!(
            "The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
        );
        let refusal = Refusal::new(429, "TooManyRequests", refused);
        Err(refusal.because("DisruptionBudget", cause))
    }

    pub fn shown_budgets(&self) -> Vec<Json> {
        let with = self.workloads.iter().filter_map(|one| Some((one, one.budget?)));
        let budgets = with.flat_map(|(workload, needed)| {
            let healthy = self.healthy(workload.name);
            let names = [Some(""), workload.is_budgeted_twice.then_some("-again")];
            names.into_iter().flatten().map(move |suffix| {
                json!({
                    "metadata": {
                        "name": format!("{}{suffix}", workload.name),
                        "namespace": workload.namespace(),
                    },
                    "spec": {
                        "minAvailable": needed,
                        "selector": {"matchLabels": {"app": workload.name}},
                    },
                    "status": {
                        "disruptionsAllowed": healthy.saturating_sub(needed),
                        "currentHealthy": healthy, "desiredHealthy": needed,
                        "expectedPods": workload.replicas,
                    },
                })
            })
        });
        budgets.collect()
    }
}
