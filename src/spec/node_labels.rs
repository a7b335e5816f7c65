//! What the nodes of a group are labelled and tainted with, as the tags that tell the cluster
//! autoscaler of a node which is not there yet (kops `pkg/nodelabels`, `pkg/model/context.go`).

use std::collections::BTreeMap;

use super::cluster::{AddOn, Cluster, Kubelet};
use super::instance_group::InstanceGroup;
use super::path::FieldPath;
use super::role::Role;

const TEMPLATE: &str = "k8s.io/cluster-autoscaler/node-template";
const API_SERVER: &str = "node-role.kubernetes.io/api-server";
const NODE: &str = "node-role.kubernetes.io/node";
const CONTROL_PLANE: [&str; 3] = [
    "kops.k8s.io/kops-controller-pki",
    "node-role.kubernetes.io/control-plane",
    "node.kubernetes.io/exclude-from-external-load-balancers",
];
const GPU: &str = "nvidia.com/gpu";

type Labels = BTreeMap<String, Option<String>>;

/// A tag for the cluster autoscaler.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AutoscalerTag {
    /// The field that it comes from.
    pub(crate) field: FieldPath,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl AutoscalerTag {
    fn label(field: FieldPath, key: &str, value: &str) -> Self {
        Self { field, key: format!("{TEMPLATE}/label/{key}"), value: value.to_owned() }
    }

    fn taint(field: FieldPath, taint: &str) -> Option<Self> {
        let (body, effect) = taint.split_once(':').filter(|(_, effect)| !effect.is_empty())?;
        let (key, value) = body.split_once('=').unwrap_or((body, ""));
        let is_one = !effect.contains(':') && !value.contains('=');
        let key = format!("{TEMPLATE}/taint/{key}");
        is_one.then(|| Self { field, key, value: format!("{value}:{effect}") })
    }
}

fn said<'a>(
    labels: &'a Option<Labels>,
    field: &'a FieldPath,
) -> impl Iterator<Item = AutoscalerTag> + 'a {
    labels.iter().flatten().map(move |(key, value)| {
        AutoscalerTag::label(field.key(key), key, value.as_deref().unwrap_or_default())
    })
}

impl Cluster {
    /// What the cluster's kubelets are labelled with, for each of the two fields that say so.
    pub(crate) fn kubelet_tags(&self) -> Vec<AutoscalerTag> {
        let spec = FieldPath::root().key("spec");
        let fields =
            [("kubelet", &self.spec.kubelet), ("masterKubelet", &self.spec.master_kubelet)];
        let tags =
            fields.into_iter().flat_map(|(field, kubelet)| of_kubelet(kubelet, &spec, field));
        tags.collect()
    }
}

fn of_kubelet(kubelet: &Option<Kubelet>, spec: &FieldPath, field: &str) -> Vec<AutoscalerTag> {
    let field = spec.key(field).key("nodeLabels");
    kubelet.iter().flat_map(|kubelet| said(&kubelet.node_labels, &field)).collect()
}

impl InstanceGroup {
    /// The tags that the group's own labels and taints become.
    pub(crate) fn own_autoscaler_tags(&self) -> Vec<AutoscalerTag> {
        let [kubelet, labels, taints] = self.said_tags();
        kubelet.into_iter().chain(labels).chain(taints).collect()
    }

    /// Those of labels for its kubelets, of labels and of taints.
    fn said_tags(&self) -> [Vec<AutoscalerTag>; 3] {
        let spec = FieldPath::root().key("spec");
        let (kubelet, labels) = (spec.key("kubelet").key("nodeLabels"), spec.key("nodeLabels"));
        let of_kubelet = self.spec.kubelet.iter().flat_map(|own| said(&own.node_labels, &kubelet));
        let taints = self.spec.taints.iter().flatten().enumerate();
        let taints = taints.filter_map(|(index, taint)| {
            AutoscalerTag::taint(spec.key("taints").index(index), taint)
        });
        [of_kubelet.collect(), said(&self.spec.node_labels, &labels).collect(), taints.collect()]
    }

    /// All such tags, as far as they do not hang on the machine type. kops takes groups of API
    /// servers only with its feature flag `APIServerNodes`, which labels control planes too.
    pub(crate) fn autoscaler_tags(
        &self,
        cluster: &Cluster,
        has_api_servers: bool,
    ) -> BTreeMap<String, String> {
        let spec = FieldPath::root().key("spec");
        let of_cluster = match self.spec.role {
            Some(Role::Master) => of_kubelet(&cluster.spec.master_kubelet, &spec, "masterKubelet"),
            _ => of_kubelet(&cluster.spec.kubelet, &spec, "kubelet"),
        };
        let of_role: &[&str] = match self.spec.role {
            Some(Role::Master) => &CONTROL_PLANE,
            Some(Role::Node) => &[NODE],
            Some(Role::ApiServer) => &[API_SERVER],
            Some(Role::Bastion) | None => &[],
        };
        let serves_too = has_api_servers && self.spec.role == Some(Role::Master);
        let of_role = of_role.iter().copied().chain(serves_too.then_some(API_SERVER));
        let of_role = of_role.map(|key| AutoscalerTag::label(spec.key("role"), key, ""));
        let gvisor = spec.key("containerd").key("gvisor");
        let gvisor = AutoscalerTag::label(gvisor, "kops.k8s.io/gvisor", "1");
        let [kubelet, labels, taints] = self.said_tags();
        let tags = of_cluster.into_iter().chain(kubelet).chain(of_role).chain(labels).chain(taints);
        let tags = tags.chain(self.has_gvisor().then_some(gvisor));
        tags.map(|tag| (tag.key, tag.value)).collect()
    }

    /// The tags beside, if its machine type has GPUs.
    pub(crate) fn gpu_tags(&self, cluster: &Cluster) -> BTreeMap<String, String> {
        let is_on = |own: Option<&AddOn>| own.is_some_and(|own| own.enabled == Some(true));
        let of_cluster = cluster.spec.containerd.as_ref().and_then(|own| own.nvidia_gpu.as_ref());
        let of_group = self.spec.containerd.as_ref().and_then(|own| own.nvidia_gpu.as_ref());
        if !is_on(of_cluster) && !is_on(of_group) {
            return BTreeMap::new();
        }
        let field = FieldPath::root().key("spec").key("containerd").key("nvidiaGPU");
        let is_tainted = self.spec.taints.iter().flatten().any(|taint| taint.starts_with(GPU));
        let taint = AutoscalerTag::taint(field.clone(), &format!("{GPU}:NoSchedule"));
        let label = AutoscalerTag::label(field, "kops.k8s.io/gpu", "1");
        let tags = std::iter::once(label).chain(taint.filter(|_| !is_tainted));
        tags.map(|tag| (tag.key, tag.value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn tags(cluster: Json, group: Json, has_api_servers: bool) -> Vec<String> {
        let cluster: Cluster = serde_json::from_value(json!({"spec": cluster})).unwrap();
        let group: InstanceGroup = serde_json::from_value(json!({"spec": group})).unwrap();
        let tags = group.autoscaler_tags(&cluster, has_api_servers);
        let mut all = tags;
        all.extend(group.gpu_tags(&cluster));
        let told = all.iter().map(|(key, value)| {
            format!("{}={value}", key.strip_prefix(TEMPLATE).unwrap().trim_start_matches('/'))
        });
        told.collect()
    }

    #[test]
    fn labels_of_kubelets_of_the_role_and_of_the_group_are_told() {
        let cluster = json!({
            "kubelet": {"nodeLabels": {"a": "cluster", "b": "cluster", "c": "cluster"}},
            "masterKubelet": {"nodeLabels": {"master": "yes"}},
        });
        let node = json!({
            "role": "Node", "kubelet": {"nodeLabels": {"b": "kubelet", "c": "kubelet"}},
            "nodeLabels": {"c": "group"}, "taints": ["k=v:NoSchedule", "k2:NoExecute", "k3=v3"],
        });
        assert_eq!(
            tags(cluster.clone(), node, true),
            [
                "label/a=cluster", "label/b=kubelet", "label/c=group",
                "label/node-role.kubernetes.io/node=", "taint/k=v:NoSchedule",
                "taint/k2=:NoExecute",
            ]
        );
        let mut of_control_plane = vec![
            "label/kops.k8s.io/kops-controller-pki=",
            "label/master=yes",
            "label/node-role.kubernetes.io/control-plane=",
            "label/node.kubernetes.io/exclude-from-external-load-balancers=",
        ];
        assert_eq!(tags(cluster.clone(), json!({"role": "Master"}), false), of_control_plane);
        of_control_plane.insert(2, "label/node-role.kubernetes.io/api-server=");
        assert_eq!(tags(cluster.clone(), json!({"role": "Master"}), true), of_control_plane);
        assert_eq!(tags(json!({}), json!({"role": "Bastion"}), true), [""; 0]);
    }

    #[test]
    fn runtimes_of_containers_add_theirs() {
        let on = json!({"containerd": {"nvidiaGPU": {"enabled": true}}});
        let of_bastion = |more: Json| {
            let mut group = json!({"role": "Bastion"});
            group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            group
        };
        let both = ["label/kops.k8s.io/gpu=1", "taint/nvidia.com/gpu=:NoSchedule"];
        assert_eq!(tags(on.clone(), of_bastion(json!({})), false), both);
        assert_eq!(tags(json!({}), of_bastion(on.clone()), false), both);
        let tainted = of_bastion(json!({"taints": ["nvidia.com/gpu=x:NoExecute"]}));
        let expected = ["label/kops.k8s.io/gpu=1", "taint/nvidia.com/gpu=x:NoExecute"];
        assert_eq!(tags(on, tainted, false), expected);
        let gvisor = json!({"role": "Node", "containerd": {"gvisor": {"enabled": true}}});
        let expected = ["label/kops.k8s.io/gvisor=1", "label/node-role.kubernetes.io/node="];
        assert_eq!(tags(json!({}), gvisor, false), expected);
    }
}
