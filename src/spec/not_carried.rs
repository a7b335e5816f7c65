//! What a spec may say that shapes AWS and that kapstan does not carry out yet. A plan would go
//! against it, so there is none.

use serde_json::Value as Json;

use super::document::Document;
use super::path::FieldPath;
use super::problem::Problem;
use super::secret::quoted;

/// A field that is not carried out: always, or with one of these values.
struct NotCarried {
    /// As in the tables of fields.
    path: &'static str,
    values: &'static [&'static str],
}

const fn field(path: &'static str) -> NotCarried {
    NotCarried { path, values: &[] }
}

const fn values(path: &'static str, values: &'static [&'static str]) -> NotCarried {
    NotCarried { path, values }
}

const CLUSTER: &[NotCarried] = &[
    field("spec.DisableSubnetTags"),
    field("spec.additionalPolicies.apiserver"),
    field("spec.api.loadBalancer.accessLog"),
    field("spec.api.loadBalancer.sslPolicy"),
    field("spec.api.loadBalancer.subnets"),
    field("spec.awsLoadBalancerController.enableShield"),
    field("spec.awsLoadBalancerController.enableWAF"),
    field("spec.awsLoadBalancerController.enableWAFv2"),
    field("spec.awsLoadBalancerController.enabled"),
    field("spec.certManager.enabled"),
    field("spec.certManager.hostedZoneIDs"),
    field("spec.certManager.managed"),
    field("spec.cloudConfig.awsEBSCSIDriver.managed"),
    field("spec.cloudConfig.nlbSecurityGroupMode"),
    field("spec.clusterAutoscaler.enabled"),
    field("spec.containerd.useECRCredentialsForMirrors"),
    values("spec.etcdClusters[].name", &["leases"]),
    values("spec.externalDns.provider", &["external-dns", "none"]),
    field("spec.externalPolicies"),
    field("spec.iam.permissionsBoundary"),
    field("spec.iam.serviceAccountExternalPermissions"),
    field("spec.iam.useServiceAccountExternalPermissions"),
    field("spec.karpenter.enabled"),
    field("spec.kubeAPIServer.serviceAccountIssuer"),
    field("spec.networking.calico.awsSrcDstCheck"),
    field("spec.networking.cilium.etcdManaged"),
    values("spec.networking.cilium.ipam", &["eni"]),
    field("spec.nodeTerminationHandler.enableRebalanceDraining"),
    field("spec.nodeTerminationHandler.enableSQSTerminationDraining"),
    field("spec.nodeTerminationHandler.enabled"),
    field("spec.nodeTerminationHandler.managedASGTag"),
    values("spec.nonMasqueradeCIDR", &["::/0"]),
    field("spec.serviceAccountIssuerDiscovery"),
    field("spec.snapshotController.enabled"),
    field("spec.subnets[].additionalRoutes"),
    field("spec.subnets[].ipv6CIDR"),
    values("spec.subnets[].type", &["DualStack"]),
    field("spec.topology.bastion.loadBalancer"),
    values("spec.topology.dns.type", &["None"]),
    field("spec.warmPool"),
];

const INSTANCE_GROUP: &[NotCarried] = &[
    values("spec.manager", &["Karpenter"]),
    field("spec.maxInstanceLifetime"),
    field("spec.mixedInstancesPolicy.instanceRequirements"),
    values("spec.role", &["APIServer"]),
    field("spec.spotDurationInMinutes"),
    field("spec.warmPool.enableLifecycleHook"),
    field("spec.warmPool.lifecycleHookTimeout"),
];

/// What a document says that kapstan does not carry out.
pub(crate) fn problems(document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in table(document.kind()) {
        look(document.json(), entry.path, &FieldPath::root(), entry, &mut problems);
    }
    problems
}

fn table(kind: &str) -> &'static [NotCarried] {
    match kind {
        "Cluster" => CLUSTER,
        "InstanceGroup" => INSTANCE_GROUP,
        _ => &[],
    }
}

fn look(
    json: &Json,
    rest: &str,
    path: &FieldPath,
    entry: &NotCarried,
    problems: &mut Vec<Problem>,
) {
    if rest.is_empty() {
        problems.extend(told(json, path, entry));
        return;
    }
    let (step, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let (name, in_list) = match step.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (step, false),
    };
    let path = path.key(name);
    match (json.get(name), in_list) {
        (Some(Json::Array(items)), true) => {
            for (index, item) in items.iter().enumerate() {
                look(item, rest, &path.index(index), entry, problems);
            }
        }
        (Some(value), false) => look(value, rest, &path, entry, problems),
        _ => {}
    }
}

fn told(json: &Json, path: &FieldPath, entry: &NotCarried) -> Option<Problem> {
    let value = match json {
        _ if is_nothing(json) => return None,
        Json::String(text) if !entry.values.is_empty() => text,
        _ => {
            let message = "kapstan does not carry out yet what this field does to AWS, and a plan \
                           would go against it; update the cluster with kops";
            return entry.values.is_empty().then(|| Problem::new(path, message));
        }
    };
    let message = format!(
        "kapstan does not carry out yet what {} does to AWS, and a plan would go against it; update \
         the cluster with kops",
        quoted(path, value)
    );
    entry.values.contains(&value.as_str()).then(|| Problem::new(path, message))
}

/// Whether a value leaves everything as it is without the field.
fn is_nothing(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => true,
        Json::Bool(true) => false,
        Json::Number(number) => number.as_i64() == Some(0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.iter().all(is_nothing),
        Json::Object(fields) => fields.values().all(is_nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::document::read_one;
    use crate::spec::fields::tests::rows;
    use crate::spec::structs::fields_of;

    /// Fields of v1.10, when they shaped nothing on AWS.
    const SHAPED_NOTHING: [&str; 5] = [
        "spec.encryptionConfig", "spec.externalDns.disable", "spec.kubelet.nodeLabels{}",
        "spec.masterKubelet.nodeLabels{}", "spec.networking.kubenet",
    ];

    fn is_within(path: &str, entry: &NotCarried) -> bool {
        let rest = path.strip_prefix(entry.path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
    }

    #[test]
    fn what_shapes_aws_is_read_or_refused() {
        for kind in ["Cluster", "InstanceGroup"] {
            let read = fields_of(kind);
            for row in rows(kind).iter().filter(|row| row.reach.split('+').any(|to| to == "aws")) {
                let is_read = read.contains_key(row.path);
                let is_told = table(kind).iter().any(|entry| is_within(row.path, entry));
                let is_old = SHAPED_NOTHING.contains(&row.path);
                assert!(is_read || is_told || is_old, "{kind} {}", row.path);
            }
        }
    }

    #[test]
    fn the_table_names_fields_and_values_that_kops_has() {
        for kind in ["Cluster", "InstanceGroup"] {
            let rows = rows(kind);
            for entry in table(kind) {
                let of_map = entry.path.rsplit_once('.').map(|(map, _)| format!("{map}{{}}"));
                let found = rows
                    .iter()
                    .find(|row| is_within(row.path, entry) || Some(row.path) == of_map.as_deref());
                let row = found.unwrap_or_else(|| panic!("{kind} has no {}", entry.path));
                let words: Vec<&str> = row.words.split('|').collect();
                let is_word = |value: &&str| row.kind != "enum" || words.contains(value);
                assert!(entry.values.iter().all(is_word), "{kind} {}", entry.path);
            }
        }
    }

    fn told(kind: &str, spec: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: {kind}\nmetadata: {{name: a.example.com}}\n\
             spec: {spec}\n"
        );
        let document = read_one(&text, "spec.yaml").unwrap();
        problems(&document).iter().map(|problem| problem.path.to_string()).collect()
    }

    #[test]
    fn what_changes_nothing_is_no_problem() {
        for spec in [
            "{}",
            "{warmPool: {}}",
            "{topology: {dns: {type: Public}}}",
            "{DisableSubnetTags: false}",
            "{nodeTerminationHandler: {enabled: false}}",
            "{externalPolicies: {node: []}}",
            "{networking: {cilium: {ipam: kubernetes}}}",
            "{nonMasqueradeCIDR: 100.64.0.0/10}",
        ] {
            assert_eq!(told("Cluster", spec), [""; 0], "{spec}");
        }
        assert_eq!(told("InstanceGroup", "{manager: CloudGroup, role: ControlPlane}"), [""; 0]);
    }

    #[test]
    fn each_place_is_told() {
        let cluster = "{subnets: [{name: a, type: Public}, {name: b, type: DualStack, ipv6CIDR: \
                       '/64#1'}], topology: {dns: {type: None}}, externalPolicies: {node: [x]}, \
                       additionalPolicies: {apiserver: '[]'}, nonMasqueradeCIDR: '::/0'}";
        assert_eq!(
            told("Cluster", cluster),
            [
                "spec.additionalPolicies.apiserver", "spec.externalPolicies",
                "spec.nonMasqueradeCIDR", "spec.subnets[1].ipv6CIDR", "spec.subnets[1].type",
                "spec.topology.dns.type",
            ]
        );
        let group = "{role: APIServer, maxInstanceLifetime: 48h, manager: Karpenter}";
        assert_eq!(
            told("InstanceGroup", group),
            ["spec.manager", "spec.maxInstanceLifetime", "spec.role"]
        );
    }
}
