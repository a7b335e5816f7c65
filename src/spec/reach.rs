//! What a change of a spec reaches beside AWS: nodes read what kops writes into the state
//! store, and add-ons are manifests there. kapstan writes neither, so it tells which fields
//! changed that only kops carries on. Which these are, the tables of fields say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::cluster::Cluster;
use super::document::{Document, Spec};
use super::fields::{self, ByKops};
use super::instance_group::InstanceGroup;
use super::kind::{Field, Kind};
use super::path::FieldPath;
use super::quantity;
use super::role::Role;
use super::schema::{self, Findings};
use super::yaml;

/// Where a change goes, beside AWS.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reach {
    /// Nodes read it when they boot.
    node: bool,
    /// The control plane reads it when it boots.
    store: bool,
    /// An add-on's manifest has it.
    addon: bool,
}

impl Reach {
    const NODE: Self = Self { node: true, store: false, addon: false };
    const ADDON: Self = Self { node: false, store: false, addon: true };

    fn of(words: &str) -> Self {
        let has = |word: &str| words.split('+').any(|each| each == word);
        Self { node: has("node"), store: has("store"), addon: has("addon") }
    }

    /// Of everything below a field.
    fn below(kind: &Kind, reach: &str) -> Self {
        match kind {
            Kind::Object(object) if !object.fields.is_empty() => {
                let fields = object.fields.values().filter(|field| field.gone.is_none());
                let each = fields.map(|field| Self::below(&field.kind, field.reach));
                each.fold(Self::default(), Self::and)
            }
            Kind::List(inner) | Kind::Map(inner) => Self::below(inner, reach),
            _ => Self::of(reach),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            node: self.node || other.node,
            store: self.store || other.store,
            addon: self.addon || other.addon,
        }
    }

    fn is_any(self) -> bool {
        self != Self::default()
    }

    /// Whether instances must be replaced before they have it.
    pub(crate) fn needs_new_nodes(self) -> bool {
        self.node
    }

    pub(crate) fn words(self) -> Vec<&'static str> {
        let words = [(self.node, "nodes"), (self.store, "etcd"), (self.addon, "add-ons")];
        words.into_iter().filter_map(|(is_reached, word)| is_reached.then_some(word)).collect()
    }
}

/// A field whose change kapstan does not carry on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NotCarried {
    /// `Cluster/dev.example.com`
    pub(crate) object: String,
    pub(crate) field: FieldPath,
    pub(crate) reach: Reach,
}

/// What changes between two states of an object.
pub(crate) fn between(
    before: &Document,
    after: &Document,
    cluster: Option<&Cluster>,
) -> Vec<NotCarried> {
    let mut compared = Compared::new(after, How::States);
    if matches!(after.spec, Spec::Additional(_)) && before.json() != after.json() {
        compared.tell(&FieldPath::root(), Reach::NODE.and(Reach::ADDON));
    }
    if let Spec::InstanceGroup(group) = &after.spec {
        if group.spec.role == Some(Role::Bastion) {
            return Vec::new();
        }
        let changes = |field: &str| field_of(before, field) != field_of(after, field);
        let scales = cluster.is_some_and(scales_by_itself);
        for size in ["minSize", "maxSize"].iter().filter(|_| scales).filter(|size| changes(size)) {
            compared.tell(&spec().key(size), Reach::ADDON);
        }
        if cluster.is_some_and(counts_addresses) && changes("machineType") {
            compared.tell(&spec().key("machineType"), Reach::NODE);
        }
    }
    compared.spec(after.kind(), after.json().get("spec"), before.json().get("spec"));
    compared.found
}

/// What a cluster's spec says otherwise than what kops last worked out of it
/// (`cluster-completed.spec`). `exactly` tells that this is the kops whose values the tables
/// know, so that what the spec says no more can be told from what kops filled in.
///
/// # Errors
/// What kops wrote is no cluster.
pub(crate) fn since_kops(
    cluster: &Document,
    completed: &str,
    exactly: bool,
) -> Result<Vec<NotCarried>, String> {
    let kind = fields::of("Cluster").ok_or("there is no such kind")?;
    let completed = schema::read(&root(completed)?, kind, &mut Findings::default());
    let mut compared = Compared::new(cluster, How::Completed { exactly });
    compared.spec("Cluster", cluster.json().get("spec"), completed.get("spec"));
    Ok(compared.found)
}

/// Where the configuration of nodes has what a group's spec says.
const OF_NODES: [(&str, &str); 6] = [
    ("containerd", "containerdConfig"),
    ("kubelet", "KubeletConfig"),
    ("packages", "packages"),
    ("sysctlParameters", "SysctlParameters"),
    ("updatePolicy", "UpdatePolicy"),
    ("volumeMounts", "VolumeMounts"),
];

/// What kops puts elsewhere, or decides for a group by more than its spec.
const NOT_TOLD_OF_NODES: [&str; 3] =
    ["spec.containerd.gvisor", "spec.containerd.nvidiaGPU", "spec.kubelet.anonymousAuth"];

/// What a group's spec says otherwise than what kops last wrote for its nodes
/// (`igconfig/ROLE/GROUP/nodeupconfig.yaml`).
///
/// # Errors
/// What kops wrote is no configuration of nodes.
pub(crate) fn of_group_since_kops(
    group: &Document,
    cluster: &Cluster,
    configuration: &str,
) -> Result<Vec<NotCarried>, String> {
    let mut compared = Compared::new(group, How::Node);
    let Spec::InstanceGroup(spec_of_group) = &group.spec else { return Ok(Vec::new()) };
    let configuration = root(configuration)?;
    for (field, place) in OF_NODES {
        let Some(Field { kind, reach, .. }) = field_at("InstanceGroup", field) else { continue };
        let there = configuration.get(place);
        let there = there.map(|node| schema::read(node, kind, &mut Findings::default()));
        let at = Place { path: spec().key(field), row: format!("spec.{field}") };
        compared.field(kind, reach, &at, field_of(group, field), there.as_ref());
    }
    let kubelet = configuration.get("KubeletConfig").map(yaml::Node::to_json).unwrap_or_default();
    let text = |json: &Json| json.as_str().map(str::to_owned);
    let taints = kubelet.get("taints").and_then(Json::as_array).into_iter().flatten();
    let taints: BTreeSet<String> = taints.filter_map(text).collect();
    for (index, taint) in spec_of_group.spec.taints.iter().flatten().enumerate() {
        if !taints.contains(taint) {
            compared.tell(&spec().key("taints").index(index), Reach::NODE);
        }
    }
    let labels = kubelet.get("nodeLabels").and_then(Json::as_object).into_iter().flatten();
    let labels: BTreeMap<&String, String> =
        labels.map(|(key, value)| (key, text(value).unwrap_or_default())).collect();
    for (key, value) in spec_of_group.spec.node_labels.iter().flatten() {
        if labels.get(key).map(String::as_str) != Some(value.as_deref().unwrap_or_default()) {
            compared.tell(&spec().key("nodeLabels").key(key), Reach::NODE);
        }
    }
    let machine = configuration.get("DefaultMachineType").and_then(yaml::Node::text);
    if let Some(machine) = machine.filter(|_| counts_addresses(cluster))
        && first_machine_type(spec_of_group).is_some_and(|own| own != machine)
    {
        compared.tell(&spec().key("machineType"), Reach::NODE);
    }
    Ok(compared.found)
}

fn spec() -> FieldPath {
    FieldPath::root().key("spec")
}

/// The one document of a text that kops wrote.
fn root(text: &str) -> Result<yaml::Node, String> {
    let documents = yaml::parse(text).map_err(|error| error.message)?;
    let [document] = <[_; 1]>::try_from(documents).map_err(|_| "it is not one document")?;
    Ok(document.root)
}

fn field_of<'a>(document: &'a Document, field: &str) -> Option<&'a Json> {
    document.json().get("spec")?.get(field)
}

fn field_at(kind: &str, field: &str) -> Option<&'static Field> {
    let Kind::Object(object) = fields::of(kind)? else { return None };
    let Kind::Object(spec) = &object.fields.get("spec")?.kind else { return None };
    spec.fields.get(field)
}

fn first_machine_type(group: &InstanceGroup) -> Option<&str> {
    group.spec.machine_type.as_deref()?.split(',').next().map(str::trim)
}

/// Whether the cluster autoscaler runs, whose manifest has the sizes of groups.
fn scales_by_itself(cluster: &Cluster) -> bool {
    let autoscaler = cluster.spec.cluster_autoscaler.as_ref();
    autoscaler.and_then(|addon| addon.enabled).unwrap_or(false)
}

/// Whether pods have addresses of the network, so that a machine type bounds their number.
fn counts_addresses(cluster: &Cluster) -> bool {
    let cilium = cluster.networking("cilium").and_then(|cilium| cilium.get("ipam"));
    cluster.has_networking("amazonvpc") || cilium.and_then(Json::as_str) == Some("eni")
}

/// What one side is to the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    /// Two states of one spec.
    States,
    /// A spec, and what kops made of it.
    Completed { exactly: bool },
    /// A group's spec, and the configuration of nodes that it is part of.
    Node,
}

/// A field, as messages write its path and as the tables do.
struct Place {
    path: FieldPath,
    row: String,
}

impl Place {
    fn field(&self, name: &str) -> Self {
        Self { path: self.path.key(name), row: format!("{}.{name}", self.row) }
    }

    fn entry(&self, key: &str) -> Self {
        Self { path: self.path.key(key), row: format!("{}{{}}", self.row) }
    }

    fn element(&self, index: usize) -> Self {
        Self { path: self.path.index(index), row: format!("{}[]", self.row) }
    }
}

struct Compared {
    object: String,
    how: How,
    found: Vec<NotCarried>,
}

impl Compared {
    fn new(document: &Document, how: How) -> Self {
        Self { object: document.to_string(), how, found: Vec::new() }
    }

    fn tell(&mut self, field: &FieldPath, reach: Reach) {
        let is_told = |told: &NotCarried| told.field == *field;
        if reach.is_any() && !self.found.iter().any(is_told) {
            self.found.push(NotCarried {
                object: self.object.clone(),
                field: field.clone(),
                reach,
            });
        }
    }

    fn spec(&mut self, kind: &str, said: Option<&Json>, there: Option<&Json>) {
        let Some(Kind::Object(object)) = fields::of(kind) else { return };
        let Some(Field { kind, reach, .. }) = object.fields.get("spec") else { return };
        let place = Place { path: spec(), row: "spec".to_owned() };
        self.field(kind, reach, &place, said, there);
    }

    fn field(
        &mut self,
        kind: &Kind,
        reach: &str,
        place: &Place,
        said: Option<&Json>,
        there: Option<&Json>,
    ) {
        let said = said.filter(|said| !said.is_null());
        let there = there.filter(|there| !there.is_null());
        if said.is_none() && there.is_none() || self.is_kops_own(place) {
            return;
        }
        match kind {
            Kind::Object(object) if !object.fields.is_empty() => {
                for (name, field) in &object.fields {
                    let [said, there] = [said, there].map(|json| json.and_then(|j| j.get(name)));
                    if field.gone.is_none() {
                        self.field(&field.kind, field.reach, &place.field(name), said, there);
                    }
                }
                // A block counts by being there.
                let is_bare = |json: Option<&Json>| json == Some(&Json::Object(Default::default()));
                let appears = is_bare(said) && there.is_none();
                let goes = is_bare(there) && said.is_none() && self.how == How::States;
                if appears || goes {
                    self.tell(&place.path, Reach::below(kind, reach));
                }
            }
            Kind::List(inner) if matches!(**inner, Kind::Object(_)) => {
                self.list(inner, reach, place, elements(said), elements(there));
            }
            Kind::Map(inner) => {
                let keys = [said, there].into_iter().flatten().filter_map(Json::as_object);
                let keys: BTreeSet<&String> = keys.flat_map(serde_json::Map::keys).collect();
                for key in keys {
                    let [said, there] = [said, there].map(|json| json.and_then(|j| j.get(key)));
                    self.field(inner, reach, &place.entry(key), said, there);
                }
            }
            _ => self.leaf(kind, reach, place, said, there),
        }
    }

    /// Elements by their names where each has its own, else by their places.
    fn list(&mut self, inner: &Kind, reach: &str, place: &Place, said: &[Json], there: &[Json]) {
        let name = |json: &Json| json.get("name").and_then(Json::as_str).map(str::to_owned);
        let have_names = |list: &[Json]| {
            let names: BTreeSet<String> = list.iter().filter_map(name).collect();
            names.len() == list.len()
        };
        let are_named = have_names(said) && have_names(there);
        let pair = |index: usize, element: &Json, others: &'_ [Json]| match are_named {
            true => others.iter().position(|other| name(other) == name(element)),
            false => (index < others.len()).then_some(index),
        };
        for (index, element) in said.iter().enumerate() {
            let at = place.element(index);
            match pair(index, element, there).and_then(|index| there.get(index)) {
                Some(other) => self.field(inner, reach, &at, Some(element), Some(other)),
                None => self.tell(&at.path, Reach::below(inner, reach)),
            }
        }
        let goes = |(index, element): (usize, &Json)| pair(index, element, said).is_none();
        if there.iter().enumerate().any(goes) && self.tells_what_goes() {
            self.tell(&place.path, Reach::below(inner, reach));
        }
    }

    fn leaf(
        &mut self,
        kind: &Kind,
        reach: &str,
        place: &Place,
        said: Option<&Json>,
        there: Option<&Json>,
    ) {
        let is_same = match (said, there) {
            (Some(said), Some(there)) => self.is_same(kind, place, said, there),
            (Some(said), None) => is_nothing(said),
            (None, Some(there)) => {
                is_nothing(there) || !self.tells_what_goes() || self.is_filled_in(kind, place)
            }
            (None, None) => true,
        };
        if !is_same {
            self.tell(&place.path, Reach::below(kind, reach));
        }
    }

    fn is_same(&self, kind: &Kind, place: &Place, said: &Json, there: &Json) -> bool {
        if let (Kind::List(_), Json::Array(said), Json::Array(there)) = (kind, said, there) {
            let texts = |items: &[Json]| items.iter().map(told).collect::<BTreeSet<String>>();
            let (said, there) = (texts(said), texts(there));
            return match self.how {
                How::Node => said.is_subset(&there),
                How::States | How::Completed { .. } => said == there,
            };
        }
        let (said, there) = (told(said), told(there));
        let is_version = place.row == "spec.kubernetesVersion";
        let same_by = |is_same: fn(&str, &str) -> bool| is_same(&said, &there);
        said == there
            || match kind {
                Kind::Quantity => same_by(quantity::is_same),
                Kind::Duration => same_by(quantity::is_same_time),
                Kind::Text if is_version => {
                    said.trim().trim_start_matches('v') == there.trim().trim_start_matches('v')
                }
                _ => false,
            }
    }

    /// Whether kops gives the field its own value, so that what the spec says goes nowhere.
    fn is_kops_own(&self, place: &Place) -> bool {
        let rows = [place.row.clone(), format!("{}[]", place.row)];
        rows.iter().any(|row| fields::by_kops(row) == Some(ByKops::Sets))
            || self.how == How::Node && NOT_TOLD_OF_NODES.contains(&place.row.as_str())
    }

    /// Whether a value that the spec does not give may be one of kops' own.
    fn is_filled_in(&self, kind: &Kind, place: &Place) -> bool {
        let row = match kind {
            Kind::List(_) => format!("{}[]", place.row),
            _ => place.row.clone(),
        };
        self.how != How::States && fields::by_kops(&row).is_some()
    }

    fn tells_what_goes(&self) -> bool {
        matches!(self.how, How::States | How::Completed { exactly: true })
    }
}

fn elements(json: Option<&Json>) -> &[Json] {
    json.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A value as a text; roles by one word, however they are written.
fn told(json: &Json) -> String {
    match json {
        Json::String(text) => match text.as_str() {
            "Master" | "master" | "control-plane" => "ControlPlane".to_owned(),
            other => other.to_owned(),
        },
        other => other.to_string(),
    }
}

/// Whether a value leaves everything as it is without the field.
fn is_nothing(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => true,
        Json::Bool(true) => false,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::document::read_one;

    const HEAD: &str = "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: a.com}\n";

    fn cluster(spec: &str) -> Document {
        read_one(&format!("{HEAD}spec: {spec}\n"), "config").unwrap()
    }

    fn group(spec: &str) -> Document {
        let head = HEAD.replace("Cluster", "InstanceGroup").replace("a.com", "nodes");
        read_one(&format!("{head}spec: {spec}\n"), "nodes").unwrap()
    }

    fn spec_of(document: &Document) -> &Cluster {
        let Spec::Cluster(cluster) = &document.spec else { panic!("{document} is no cluster") };
        cluster
    }

    fn told(fields: &[NotCarried]) -> Vec<String> {
        let tell = |told: &NotCarried| format!("{} ({})", told.field, told.reach.words().join(" "));
        fields.iter().map(tell).collect()
    }

    /// What is told of a spec, when kops made `completed` of the one before.
    fn since(spec: &str, completed: &str) -> Vec<String> {
        told(&since_kops(&cluster(spec), &format!("{HEAD}spec: {completed}\n"), true).unwrap())
    }

    #[test]
    fn what_kops_filled_in_or_wrote_otherwise_is_no_change() {
        for (spec, completed) in [
            ("{}", "{kubernetesVersion: 1.35.5, kubelet: {logLevel: 2, evictionHard: x}}"),
            ("{kubernetesVersion: v1.35.5}", "{kubernetesVersion: 1.35.5}"),
            ("{networking: {calico: {}}}", "{networking: {calico: {encapsulationMode: ipip}}}"),
            ("{kubelet: {shutdownGracePeriod: 1m}}", "{kubelet: {shutdownGracePeriod: 1m0s}}"),
            ("{kubeAPIServer: {cpuRequest: '0.5'}}", "{kubeAPIServer: {cpuRequest: 500m}}"),
            (
                "{kubeAPIServer: {enableProfiling: false, image: mine}}",
                "{kubeAPIServer: {image: theirs}}",
            ),
            ("{externalDns: {disable: true}}", "{externalDns: {provider: none}}"),
            (
                "{hooks: [{name: x, manifest: run, roles: [ControlPlane]}]}",
                "{hooks: [{name: x, manifest: run, roles: [Master]}]}",
            ),
            ("{assets: {}}", "{assets: {containerProxy: ''}}"),
            // Of AWS alone, which the plan shows.
            ("{sshAccess: [10.0.0.0/8], cloudLabels: {a: b}}", "{}"),
            ("{unheardOf: 1}", "{}"),
        ] {
            assert_eq!(since(spec, completed), [""; 0], "{spec} {completed}");
        }
    }

    #[test]
    fn what_a_spec_says_otherwise_than_kops_made_of_it_is_told() {
        for (spec, completed, expected) in [
            (
                "{kubernetesVersion: 1.36.0}",
                "{kubernetesVersion: 1.35.5}",
                "spec.kubernetesVersion (nodes etcd add-ons)",
            ),
            (
                "{kubelet: {maxPods: 20}}", "{kubelet: {logLevel: 2}}",
                "spec.kubelet.maxPods (nodes)",
            ),
            (
                "{kubelet: {featureGates: {A: 'true'}}}",
                "{kubelet: {featureGates: {A: 'false'}}}",
                "spec.kubelet.featureGates.A (nodes)",
            ),
            (
                "{networking: {cilium: {}}}",
                "{networking: {calico: {encapsulationMode: ipip}}}",
                "spec.networking.cilium (nodes add-ons)",
            ),
            (
                "{clusterAutoscaler: {enabled: true}}",
                "{}",
                "spec.clusterAutoscaler.enabled (add-ons)",
            ),
            (
                "{etcdClusters: [{name: events, manager: {logLevel: 3}}, {name: main}]}",
                "{etcdClusters: [{name: main}, {name: events, manager: {logLevel: 2}}]}",
                "spec.etcdClusters[0].manager.logLevel (etcd)",
            ),
            (
                "{hooks: [{name: a}, {name: b, manifest: x}]}",
                "{hooks: [{name: a}]}",
                "spec.hooks[1] (nodes)",
            ),
            ("{additionalSans: [a, b]}", "{additionalSans: [a]}", "spec.additionalSans (nodes)"),
            // No more said, and nothing that kops says by itself.
            ("{}", "{kubelet: {maxPods: 20}}", "spec.kubelet.maxPods (nodes)"),
            ("{}", "{additionalSans: [a]}", "spec.additionalSans (nodes)"),
            ("{hooks: []}", "{hooks: [{name: a}]}", "spec.hooks (nodes)"),
        ] {
            assert_eq!(since(spec, completed), [expected], "{spec} {completed}");
        }
    }

    #[test]
    fn what_another_kops_filled_in_is_not_known() {
        let completed = format!("{HEAD}spec: {{kubelet: {{maxPods: 20}}}}\n");
        assert_eq!(since_kops(&cluster("{}"), &completed, false), Ok(Vec::new()));
    }

    #[test]
    fn a_text_that_is_no_cluster_is_told() {
        for text in ["", "a: b\n---\nc: d\n", "a: [\n"] {
            assert!(since_kops(&cluster("{}"), text, true).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_group_is_held_against_what_its_nodes_read() {
        let own = cluster("{networking: {amazonvpc: {}}}");
        let nodes = "DefaultMachineType: m5.large\nKubeletConfig:\n  evictionHard: x\n  maxPods: 20\n  \
                     nodeLabels: {a: b, node-role.kubernetes.io/node: ''}\n  taints: ['k=v:NoSchedule']\n\
                     UpdatePolicy: automatic\npackages: [ours, theirs]\n";
        for (spec, expected) in [
            (
                "{machineType: 'm5.large,m5a.large', kubelet: {maxPods: 20}, nodeLabels: {a: b}, \
                 taints: ['k=v:NoSchedule'], packages: [ours]}",
                &[] as &[&str],
            ),
            ("{role: Node}", &[]),
            (
                "{machineType: m5.xlarge, kubelet: {maxPods: 30}, nodeLabels: {a: c, d: e}, taints: \
                 ['k=w:NoSchedule'], updatePolicy: external, packages: [mine]}",
                &[
                    "spec.kubelet.maxPods (nodes)", "spec.packages (nodes)",
                    "spec.updatePolicy (nodes)", "spec.taints[0] (nodes)",
                    "spec.nodeLabels.a (nodes)", "spec.nodeLabels.d (nodes)",
                    "spec.machineType (nodes)",
                ],
            ),
        ] {
            let found = of_group_since_kops(&group(spec), spec_of(&own), nodes).unwrap();
            assert_eq!(told(&found), expected, "{spec}");
        }
    }

    #[test]
    fn what_changes_between_two_states_is_told_both_ways() {
        let [before, after] =
            ["{kubelet: {maxPods: 20}, sshAccess: []}", "{kubeProxy: {master: x}}"];
        let [before, after] = [before, after].map(cluster);
        let fields = ["spec.kubeProxy.master (nodes)", "spec.kubelet.maxPods (nodes)"];
        assert_eq!(told(&between(&before, &after, None)), fields);
        assert_eq!(told(&between(&after, &before, None)), fields);
        assert_eq!(between(&after, &after, None), []);
    }

    #[test]
    fn sizes_and_types_of_groups_reach_nodes_where_the_cluster_has_them_do_so() {
        let before = group("{role: Node, maxSize: 1, machineType: m5.large}");
        let after = group("{role: Node, maxSize: 2, machineType: m5.xlarge}");
        let plain = cluster("{}");
        assert_eq!(told(&between(&before, &after, Some(spec_of(&plain)))), [""; 0]);
        let scaled = cluster("{clusterAutoscaler: {enabled: true}, networking: {amazonvpc: {}}}");
        assert_eq!(
            told(&between(&before, &after, Some(spec_of(&scaled)))),
            ["spec.maxSize (add-ons)", "spec.machineType (nodes)"]
        );
        let bastion = group("{role: Bastion, taints: ['k=v:NoSchedule']}");
        assert_eq!(between(&before, &bastion, Some(spec_of(&scaled))), []);
    }
}
