//! How the API server is reached: by a load balancer or by itself, and under which names.

use super::cluster::{Cluster, LoadBalancerAccess};
use super::instance_group::InstanceGroup;
use super::object::filled;
use super::role::Role;
use super::subnets::SubnetKind;

impl Cluster {
    /// The load balancer before the API server, if there is one: as asked, or where nothing is
    /// said, because some of what serves the API is in a private subnet (kops
    /// `upup/pkg/fi/cloudup/populate_cluster_spec.go`).
    pub(crate) fn api_load_balancer(
        &self,
        groups: &[&InstanceGroup],
    ) -> Option<LoadBalancerAccess> {
        let api = self.spec.api.as_ref();
        if let Some(balancer) = api.and_then(|api| api.load_balancer.clone()) {
            return Some(balancer);
        }
        let of_role = |role| groups.iter().filter(move |group| group.spec.role == Some(role));
        let mut serving: Vec<_> = of_role(Role::ApiServer).collect();
        if serving.is_empty() {
            serving = of_role(Role::Master).collect();
        }
        let is_private = |name: &String| {
            let subnet = self.subnets().iter().find(|subnet| filled(&subnet.name) == Some(name));
            subnet.is_some_and(|subnet| self.subnet_kind(subnet) == SubnetKind::Private)
        };
        let private = serving.iter().flat_map(|group| group.subnets()).any(is_private);
        let by_dns = api.is_some_and(|api| api.dns.is_some());
        (private && !by_dns).then(LoadBalancerAccess::default)
    }

    /// Whether workers find kops-controller at the load balancer before the API server, because no
    /// DNS leads them there (kops `pkg/apis/kops/cluster.go`, `UsesLoadBalancerForKopsController`).
    pub(crate) fn joins_by_load_balancer(&self) -> bool {
        let balancer = self.spec.api.as_ref().and_then(|api| api.load_balancer.as_ref());
        let is_network = balancer.is_some_and(LoadBalancerAccess::is_network);
        self.is_without_dns() || self.is_gossip() && is_network
    }

    /// Whether cilium keeps its state in an etcd of its own, which etcd-manager runs.
    pub(crate) fn has_etcd_of_cilium(&self) -> bool {
        let managed = self.networking("cilium").and_then(|cilium| cilium.get("etcdManaged"));
        managed.and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// The name at which people reach the API server.
    pub(crate) fn public_name(&self) -> String {
        let own = filled(&self.spec.master_public_name).map(str::to_owned);
        own.unwrap_or_else(|| format!("api.{}", self.name()))
    }

    /// The name at which the cluster itself reaches the API server.
    pub(crate) fn internal_name(&self) -> String {
        format!("api.internal.{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn cluster(spec: &Json) -> Cluster {
        let subnets = ["Public", "Private", "DualStack", "Utility"]
            .map(|kind| json!({"name": kind.to_lowercase(), "zone": "us-west-2a", "type": kind}));
        let mut spec = spec.clone();
        spec["subnets"] = json!(subnets);
        let name = json!({"name": "a.example.com"});
        serde_json::from_value(json!({"metadata": name, "spec": spec})).unwrap()
    }

    fn group(role: &str, subnets: &[&str]) -> InstanceGroup {
        let spec = json!({"role": role, "subnets": subnets});
        serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": spec})).unwrap()
    }

    #[test]
    fn the_subnets_of_what_serves_the_api_decide_where_nothing_is_said() {
        let master = |subnets: &[&str]| group("ControlPlane", subnets);
        let node = || group("Node", &["private"]);
        let server = |subnets: &[&str]| group("APIServer", subnets);
        for (spec, groups, expected) in [
            (json!({}), vec![master(&["private"]), node()], true),
            (json!({}), vec![master(&["public"]), node()], false),
            (json!({}), vec![master(&["public"]), master(&["private"])], true),
            (json!({}), vec![master(&["dualstack", "utility"])], false),
            (json!({}), vec![master(&["private"]), server(&["public"])], false),
            (json!({}), vec![master(&["public"]), server(&["private"])], true),
            (json!({"api": {"dns": {}}}), vec![master(&["private"])], false),
            (json!({"api": {"loadBalancer": {}}}), vec![master(&["public"])], true),
            (json!({"topology": {"masters": "private"}}), vec![master(&["public"])], false),
        ] {
            let groups: Vec<&InstanceGroup> = groups.iter().collect();
            let balancer = cluster(&spec).api_load_balancer(&groups);
            assert_eq!(balancer.is_some(), expected, "{spec} {groups:?}");
        }
    }
}
