//! Everything that is wrong with a spec, at once. What kops refuses (`pkg/apis/kops/validation`,
//! `populate_cluster_spec.go`) is refused here, each problem with the field's path, the value
//! found and what is allowed.

mod components;
mod etcd;
mod group;
mod labels;
mod look;
mod network;
mod stores;
mod today;
mod today_group;

use std::collections::BTreeMap;

use look::Look;

use super::cluster::{Cluster, FileAsset, Hook};
use super::document::{Document, Spec};
use super::instance_group::InstanceGroup;
use super::name::not_a_dns_name;
use super::object::filled;
use super::own;
use super::path::FieldPath;
use super::problem::Problem;
use super::role::Role;
use super::secret::quoted;
use super::ssh_credential::{SshCredential, not_for_ec2};
use crate::limits::volume::{Asked, Part, Use, refusals};
use crate::limits::{KEY_PAIR_NAME, Number, Words, tag};

/// Checks a cluster by itself.
pub(crate) fn cluster(cluster: &Cluster) -> Vec<Problem> {
    let mut check = Check::default();
    let name = FieldPath::root().key("metadata").key("name");
    match not_a_dns_name(cluster.name()) {
        Some(reason) => check.add(&name, reason),
        None if !cluster.name().contains('.')
            && !is_imported(cluster)
            && !cluster.is_without_dns() =>
        {
            let message = "must be a whole domain name, such as dev.example.com or dev.k8s.local";
            check.add(&name, message);
        }
        None => {
            let key = cluster.owner_key();
            if let Some(reason) = tag::key_refusal(&key) {
                let message = format!("becomes the tag {reason}; choose a shorter name");
                check.add(&name, message);
            }
        }
    }
    let spec = FieldPath::root().key("spec");
    if let Some(reason) =
        filled(&cluster.spec.ssh_key_name).and_then(|name| KEY_PAIR_NAME.refusal(name))
    {
        check.add(&spec.key("sshKeyName"), reason);
    }
    match filled(&cluster.spec.cloud_provider) {
        Some("aws") => {}
        Some(other) => check
            .add(&spec.key("cloudProvider"), format!("is {other:?}; kapstan provisions aws only")),
        None => check.add(&spec.key("cloudProvider"), "is required; write aws"),
    }
    check.one_of(&own::annotation(own::BOOTSTRAP), cluster.bootstrap(), &["none"]);
    if let Some(settings) = &cluster.spec.rolling_update {
        check.problems.extend(settings.problems(&spec.key("rollingUpdate")));
    }
    labels::check_cluster(cluster, &spec, &mut check);
    network::check(cluster, &spec, &mut check);
    etcd::check(cluster, &spec, &mut check);
    components::check(cluster, &spec, &mut check);
    stores::check(cluster, &spec, &mut check);
    check.problems
}

/// Checks an instance group, and against its cluster where that is known.
pub(crate) fn instance_group(group: &InstanceGroup, cluster: Option<&Cluster>) -> Vec<Problem> {
    let mut check = Check::default();
    group::check(group, &mut check);
    if let Some(cluster) = cluster {
        group::check_membership(group, cluster, &mut check);
        today_group::check_membership(group, cluster, &mut check);
    }
    check.problems
}

/// Checks what today's kops refuses in a document by itself.
pub(crate) fn today(document: &Document) -> Vec<Problem> {
    let mut check = Check::default();
    let spec = Look::spec(document);
    match &document.spec {
        Spec::Cluster(cluster) => today::check(cluster, &spec, &mut check),
        Spec::InstanceGroup(group) => today_group::check(group, &spec, &mut check),
        Spec::SshCredential(_) | Spec::Additional(_) => {}
    }
    check.problems
}

/// Checks what today's kops refuses for the sake of what runs on a cluster's nodes. An old
/// cluster may have it.
pub(crate) fn nodes(document: &Document) -> Vec<Problem> {
    let mut check = Check::default();
    if let Spec::Cluster(cluster) = &document.spec {
        today::check_nodes(cluster, &Look::spec(document), &mut check);
    }
    check.problems
}

/// Checks an SSH credential; that it holds a key was found when its place was.
pub(crate) fn ssh_credential(credential: &SshCredential) -> Vec<Problem> {
    let mut check = Check::default();
    let key = credential.spec.public_key.as_deref().unwrap_or_default();
    if let Some(reason) = not_for_ec2(key) {
        check.add(&FieldPath::root().key("spec").key("publicKey"), reason);
    }
    check.problems
}

/// Checks that a cluster's groups make it whole: masters and nodes there, each etcd member
/// in a master group. The problems are the cluster's.
pub(crate) fn completeness(cluster: &Cluster, groups: &[&InstanceGroup]) -> Vec<Problem> {
    let mut check = Check::default();
    let root = FieldPath::root();
    let has = |role| groups.iter().any(|group| group.spec.role == Some(role));
    if !has(Role::Master) {
        check.add(&root.key("spec"), "has no instance group with role Master; create one");
    }
    if !has(Role::Node) && !has(Role::Bastion) {
        check.add(&root.key("spec"), "has no instance group with role Node; create one");
    }
    etcd::check_groups(cluster, groups, &root.key("spec"), &mut check);
    check.problems.extend(distinct(cluster, groups));
    check.problems
}

/// Checks that no two groups become one in AWS. The problems are the cluster's.
pub(crate) fn distinct(cluster: &Cluster, groups: &[&InstanceGroup]) -> Vec<Problem> {
    let mut check = Check::default();
    let mut seen: BTreeMap<String, &InstanceGroup> = BTreeMap::new();
    for group in groups {
        let aws_name = group.aws_name(cluster.name());
        match seen.get(&aws_name) {
            None => {
                seen.insert(aws_name, group);
            }
            Some(first) => {
                let tell = |group: &InstanceGroup| {
                    let role = group.spec.role.map(|role| role.to_string()).unwrap_or_default();
                    format!("InstanceGroup/{} (spec.role {role})", group.name())
                };
                let message = format!(
                    "of {} and of {}: both are the Auto Scaling group and launch template \
                     {aws_name} in AWS; rename one of them",
                    tell(first),
                    tell(group)
                );
                check.add(&FieldPath::root().key("metadata").key("name"), message);
            }
        }
    }
    check.problems
}

/// Checks what may not change between two states of a cluster.
pub(crate) fn cluster_update(old: &Cluster, new: &Cluster) -> Vec<Problem> {
    let mut check = Check::default();
    etcd::check_update(old, new, &FieldPath::root().key("spec"), &mut check);
    check.problems
}

fn is_imported(cluster: &Cluster) -> bool {
    let annotations = cluster.metadata.annotations.as_ref();
    let management = annotations.and_then(|all| all.get("kops.kubernetes.io/management"));
    management.is_some_and(|value| value.as_deref() == Some("imported"))
}

/// How a spec names the fields of a volume.
#[derive(Clone, Copy)]
struct VolumeFields {
    kind: &'static str,
    size: &'static str,
    iops: &'static str,
    throughput: &'static str,
    key: &'static str,
}

/// Collects problems.
#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn add(&mut self, path: &FieldPath, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn within(&mut self, path: &FieldPath, value: Option<i64>, limit: &Number) {
        if let Some(reason) = value.and_then(|value| limit.refusal(value)) {
            self.add(path, reason);
        }
    }

    fn not_negative(&mut self, path: &FieldPath, value: Option<i64>) {
        if let Some(value) = value.filter(|value| *value < 0) {
            self.add(path, format!("is {value}; must not be negative"));
        }
    }

    fn word(&mut self, path: &FieldPath, value: Option<&str>, limit: &Words) {
        if let Some(value) = value.filter(|value| !limit.words.contains(value)) {
            let (value, allowed) = (quoted(path, value), limit.words.join(", "));
            self.add(path, format!("is {value}; allowed are {allowed} ({})", limit.source));
        }
    }

    /// A volume whose fields are named `fields`.
    fn volume(&mut self, path: &FieldPath, asked: &Asked, purpose: Use, fields: VolumeFields) {
        for (part, reason) in refusals(asked, purpose) {
            let field = match part {
                Part::Kind => fields.kind,
                Part::Size => fields.size,
                Part::Iops => fields.iops,
                Part::Throughput => fields.throughput,
                Part::Key => fields.key,
            };
            self.add(&path.key(field), reason);
        }
    }

    fn one_of(&mut self, path: &FieldPath, value: Option<&str>, allowed: &[&str]) {
        if let Some(value) = value.filter(|value| !allowed.contains(value)) {
            let value = quoted(path, value);
            self.add(path, format!("is {value}; allowed are {}", allowed.join(", ")));
        }
    }

    fn security_group(&mut self, path: &FieldPath, id: &str) {
        if !id.starts_with("sg-") {
            self.add(path, format!("is {id:?}, no id like sg-0123abcd"));
        }
    }

    fn security_groups(&mut self, path: &FieldPath, groups: &[String]) {
        for (index, id) in groups.iter().enumerate() {
            self.security_group(&path.index(index), id);
            if groups[..index].contains(id) {
                self.add(&path.index(index), format!("{id} is listed twice"));
            }
        }
    }

    fn hooks(&mut self, path: &FieldPath, hooks: Option<&[Hook]>) {
        for (index, hook) in hooks.unwrap_or_default().iter().enumerate() {
            if hook.disabled.unwrap_or(false) {
                continue;
            }
            match &hook.exec_container {
                None if filled(&hook.manifest).is_none() => {
                    self.add(&path.index(index), "needs a manifest or an execContainer");
                }
                Some(container) if filled(&container.image).is_none() => {
                    let path = path.index(index).key("execContainer").key("image");
                    self.add(&path, "is required");
                }
                _ => {}
            }
        }
    }

    fn file_assets(&mut self, path: &FieldPath, assets: Option<&[FileAsset]>) {
        for (index, asset) in assets.unwrap_or_default().iter().enumerate() {
            for (field, value) in [("name", &asset.name), ("content", &asset.content)] {
                if filled(value).is_none() {
                    self.add(&path.index(index).key(field), "is required");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::document::read_one;

    /// What today's kops refuses in a spec, by field.
    fn refused(kind: &str, spec: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: {kind}\nmetadata: {{name: a.example.com}}\n\
             spec: {spec}\n"
        );
        let document = read_one(&text, "spec.yaml").unwrap();
        let problems = today(&document).into_iter().chain(nodes(&document));
        problems.map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn what_today_s_kops_refuses_in_a_cluster_is_told_with_field_and_value() {
        let specs = [
            "{kubernetesVersion: 1.30.1}",
            "{kubernetesVersion: 1.37.0}",
            "{topology: {dns: {type: None}}, api: {loadBalancer: {type: Public}}}",
            "{api: {loadBalancer: {class: Network, type: Internal, useForInternalApi: true}}}",
            "{api: {loadBalancer: {sslCertificate: arn, sslPolicy: x, securityGroupOverride: x}}}",
            "{api: {loadBalancer: {class: Network, sslPolicy: x}}}",
            "{subnets: [{name: a, cidr: 10.0.0.0/24, type: Private}], api: {loadBalancer: {class: \
             Network, type: Internal, subnets: [{name: b}, {name: a, privateIPv4Address: 10.0.1.1, \
             allocationId: eipalloc-1}]}}}",
            "{subnets: [{name: a, cidr: 10.0.0.0/24, type: Public}], api: {loadBalancer: {class: \
             Network, subnets: [{name: a, privateIPv4Address: x, allocationId: ''}]}}}",
            "{etcdClusters: [{name: main, version: 3.4.13}, {name: events, version: 3.6.13}]}",
            "{serviceAccountIssuerDiscovery: {discoveryStore: 's3://a.b', enableAWSOIDCProvider: \
             true, discoveryService: {}}}",
            "{serviceAccountIssuerDiscovery: {enableAWSOIDCProvider: true}}",
            "{karpenter: {enabled: true}, nodeTerminationHandler: {}}",
            "{nodeTerminationHandler: {enableSpotInterruptionDraining: false, \
             enableRebalanceMonitoring: true}}",
            "{awsLoadBalancerController: {enabled: true}, snapshotController: {enabled: true}}",
            "{metricsServer: {enabled: true}}",
            "{certManager: {enabled: true, hostedZoneIDs: [Z1]}}",
            "{cloudConfig: {awsEBSCSIDriver: {enabled: false}}}",
            "{warmPool: {additionalImages: [x]}}",
            "{topology: {dns: {type: None}}, externalDns: {provider: external-dns}}",
            "{networking: {calico: {}, cilium: {}}}",
            "{networking: {weave: {}}}",
            "{networking: {kubenet: {}}, nonMasqueradeCIDR: '::/0'}",
            "{networking: {cilium: {version: v1.15.1, enableNodePort: true, etcdManaged: true, \
             identityAllocationMode: kvstore, encryptionType: wireguard, bpfLBSockHostNSOnly: \
             true, enableL7Proxy: true, IPTablesRulesNoinstall: true, hubble: {enabled: true}}}, \
             kubeProxy: {}}",
            "{networking: {calico: {bpfEnabled: true, encapsulationMode: none, ipipMode: Always}}, \
             kubeProxy: {enabled: true}}",
            "{nonMasqueradeCIDR: '::/0', networking: {calico: {awsSrcDstCheck: Disable, \
             encapsulationMode: vxlan}}}",
            "{authentication: {aws: {backendMode: MountedFile, identityMappings: [{arn: x}]}}}",
            "{authorization: {rbac: {}}, kubeAPIServer: {authorizationMode: RBAC, oidcClientID: a, \
             authenticationConfigFile: b, enableBootstrapTokenAuth: true, admissionControl: [x]}}",
            "{docker: {}, nodeAuthorization: {}}",
            "{assets: {fileRepository: 's3://x'}, addons: [{manifest: 'file:///x'}]}",
            "{hooks: [{name: a, useRawManifest: true, before: [x]}]}",
        ];
        let told: Vec<String> = specs
            .iter()
            .map(|spec| format!("{spec}\n  {}", refused("Cluster", spec).join("\n  ")))
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn what_today_s_kops_refuses_in_a_group_is_told_with_field_and_value() {
        let specs = [
            "{role: ControlPlane, minSize: 3, maxSize: 3}",
            "{role: Node, tenancy: host, machineType: 't2.micro,m5.large'}",
            "{role: Node, rootVolumeThroughput: -1}",
            "{role: Node, volumeMounts: [{device: /dev/xvdd}]}",
            "{role: Node, maxInstanceLifetime: 12h}",
            "{role: Node, maxSize: 2, mixedInstancesPolicy: {onDemandBase: 3}}",
            "{role: Bastion, warmPool: {}}",
            "{role: Node, warmPool: {minSize: 1}, maxPrice: '0.1'}",
            "{role: ControlPlane, manager: Karpenter, maxSize: 0}",
            "{role: Node, externalLoadBalancers: [{loadBalancerName: \
             abcdefghijklmnopqrstuvwxyz-0123456}, {targetGroupArn: 'arn:aws:x'}, {targetGroupArn: \
             'arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/t/1'}]}",
            "{role: Node, nodeLabels: {a/b/c: d}, taints: ['a=b=c:NoSchedule', 'a=b:NoSchedule', \
             'a=b:NoSchedule'], sysctlParameters: [x]}",
            "{role: ControlPlane, containerd: {gvisor: {enabled: true}}}",
            "{role: Node, hooks: [{name: a, useRawManifest: true, manifest: x, execContainer: \
             {image: busybox}}]}",
        ];
        let told: Vec<String> = specs
            .iter()
            .map(|spec| format!("{spec}\n  {}", refused("InstanceGroup", spec).join("\n  ")))
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn what_today_s_kops_takes_is_no_problem() {
        for (kind, spec) in [
            ("Cluster", "{}"),
            ("Cluster", "{kubernetesVersion: v1.31.0}"),
            ("Cluster", "{kubernetesVersion: 1.36.2, networking: {cilium: {version: v1.18.6}}}"),
            ("Cluster", "{networking: {cilium: {ipam: eni}}, kubeProxy: {enabled: false}}"),
            (
                "Cluster",
                "{nodeTerminationHandler: {enabled: false}, karpenter: {enabled: true}, \
                          iam: {useServiceAccountExternalPermissions: true}}",
            ),
            ("Cluster", "{metricsServer: {enabled: true, insecure: true}}"),
            ("InstanceGroup", "{role: Node, maxPrice: cheap, suspendProcesses: [New]}"),
            ("InstanceGroup", "{role: Node, maxInstanceLifetime: 24h, warmPool: {}}"),
            ("InstanceGroup", "{role: ControlPlane, warmPool: {maxSize: 0}}"),
            ("InstanceGroup", "{role: Node, taints: ['a=b:NoSchedule', 'c:NoExecute']}"),
        ] {
            assert_eq!(refused(kind, spec), [""; 0], "{spec}");
        }
    }
}
