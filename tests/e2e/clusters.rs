//! kops' own integration cases (`tests/goldens/clusters`): each cluster becomes every
//! resource and field that kops gives it, settles, and goes without a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::harness::World;

/// What is told of AWS but not compared: whether kops sent user data, and the version of a
/// launch template where kops made a launch configuration.
const UNCOMPARED: [&str; 2] = ["userData", "version"];

/// The tags that kapstan sets also where kops sets none, so that an owner is told by them.
const OUR_TAGS: [(&str, &[&str]); 4] = [
    ("EBSVolume", &["kubernetes.io/cluster/"]),
    ("ElasticIP", &["KubernetesCluster", "Name", "kubernetes.io/cluster/"]),
    ("LoadBalancer", &["kubernetes.io/cluster/"]),
    ("NatGateway", &["KubernetesCluster", "Name", "kubernetes.io/cluster/"]),
];

/// What kops' file of the last phase lacks, being older than its phases (another cluster of
/// the same shape, `privatecalico`, has all of it): these are there, with whatever fields.
const LAST_PHASE: [&str; 5] = [
    "DNSName/api.lifecyclephases.example.com A",
    "LoadBalancer/api-lifecyclephases-examp-racoev",
    "LoadBalancer/bastion-lifecyclephases-e-l87b1d",
    "LoadBalancerAttachment/bastion.lifecyclephases.example.com bastion-lifecyclephases-e-l87b1d",
    "LoadBalancerAttachment/master-us-west-2a.masters.lifecyclephases.example.com \
     api-lifecyclephases-examp-racoev",
];

/// What AWS makes by itself in each VPC.
const OF_AWS: [&str; 2] = ["SecurityGroup/default ", "SecurityGroupRule/default "];

#[test]
fn a_complex_cluster() {
    check("complex", "complex.example.com", &[""], &[], &[NO_BOOTSTRAP]);
}

#[test]
fn a_cluster_with_existing_profiles() {
    let kinds = ["IAMRole", "IAMRolePolicy", "IAMInstanceProfileRole"];
    let overrides = kinds.map(|kind| format!("{kind}=ExistsAndWarnIfChanges")).join(",");
    let args = ["--lifecycle-overrides", &overrides];
    let told = [
        "! IAMRolePolicy/kops-custom-master-role",
        "! IAMRolePolicy/kops-custom-node-role",
        "spec.roleCustomIamRoles (line 28): kops has no such field",
        "but accounts have 12 digits",
        NO_BOOTSTRAP,
        "IAMRolePolicy/kops-custom-master-role: is not as wanted, and is left so",
        "spec.iam.profile names the account 422917490108",
        "IAMRolePolicy/kops-custom-node-role: is not as wanted, and is left so",
    ];
    check("existing_iam", "existing-iam.example.com", &[""], &args, &told);
}

#[test]
fn a_cluster_behind_load_balancers_of_its_owner() {
    check("externallb", "externallb.example.com", &[""], &[], &[NO_BOOTSTRAP]);
}

#[test]
fn a_highly_available_cluster() {
    check("ha", "ha.example.com", &[""], &[], &[NO_BOOTSTRAP]);
}

#[test]
fn a_cluster_built_phase_by_phase() {
    let phases = ["network", "security", "cluster"];
    let told = [PRIVATE, NO_BOOTSTRAP];
    check("lifecycle_phases", "lifecyclephases.example.com", &phases, &[], &told);
}

#[test]
fn a_minimal_cluster() {
    check("minimal", "minimal.example.com", &[""], &[], &[NO_BOOTSTRAP]);
}

#[test]
fn a_private_cluster_with_a_bastion() {
    let told = [PRIVATE, NO_BOOTSTRAP];
    check("privatecalico", "privatecalico.example.com", &[""], &[], &told);
}

#[test]
fn a_cluster_in_a_shared_vpc() {
    check("shared_vpc", "sharedvpc.example.com", &[""], &[], &[NO_BOOTSTRAP]);
}

/// What kops' specs are warned of: they do not say what starts Kubernetes.
const NO_BOOTSTRAP: &str = "since spec.bootstrap is not set";

const PRIVATE: &str = "associatePublicIp is ignored in private subnets";

/// `told` is what the settled cluster leaves and warns of beside.
fn check(case: &str, name: &str, phases: &[&str], args: &[&str], told: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/clusters").join(case);
    let world = World::bare(&format!("golden_{case}"));
    world.zone("example.com", "golden");
    let text = std::fs::read_to_string(folder.join("cluster.yaml")).unwrap();
    let laid_out = world.lay_out(&text);
    let mut spec: String = text.lines().filter(|line| !line.contains("configBase:")).fold(
        String::new(),
        |mut spec, line| {
            spec.push_str(line);
            spec.push('\n');
            spec
        },
    );
    for (told, real) in laid_out.as_object().unwrap() {
        spec = spec.replace(told, real.as_str().unwrap());
    }
    let before = world.everything();
    let mut expected = Expected { before: world.observe(&laid_out), ..Expected::default() };
    world.create(&spec);
    world.keep_ssh_key(name);
    for phase in phases {
        let mut apply = vec!["update", "cluster", name, "--yes"];
        if !phase.is_empty() {
            apply.extend(["--phase", phase]);
        }
        apply.extend(args);
        world.ok(&apply);
        expected.add(&read(&folder, phase));
        if *phase == "cluster" {
            expected.named.extend(LAST_PHASE);
        }
        assert_eq!(expected.differences(&world.observe(&laid_out)), [""; 0]);
    }
    world.assert_settled_but(name, args, told);
    world.ok(&["delete", "cluster", name, "--yes"]);
    assert_eq!(world.everything(), before);
    world.fails(&["get", "cluster", name]);
}

/// Three rules more than kops gives, and a tag, a field and a resource of every kind.
#[test]
fn what_is_too_much_is_a_difference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/clusters/privatecalico");
    let all = read(&folder, "");
    let mut whole = Expected::default();
    whole.add(&all);
    let found = json!(whole.resources);
    assert_eq!(whole.differences(&found), [""; 0]);

    let all = all.as_array().unwrap();
    let mut kinds: Vec<&str> = all.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    kinds.dedup();
    for kind in kinds {
        let mut left = 3;
        let is_kept = |one: &&Json| {
            let goes = one["kind"] == kind && left > 0;
            left -= i32::from(goes);
            !goes
        };
        let kept: Vec<&Json> = all.iter().filter(is_kept).collect();
        let mut less = Expected::default();
        less.add(&json!(kept));
        let differences = less.differences(&found);
        assert_eq!(differences.len(), all.len() - kept.len(), "{differences:#?}");
        let is_told = |told: &String| told.starts_with(kind) && told.contains("is not expected");
        assert!(differences.iter().all(is_told), "{differences:#?}");
    }

    let mut more = found.clone();
    more["VPC/privatecalico.example.com"]["tags"]["team"] = json!("web");
    more["LoadBalancer/bastion-privatecalico-exa-hocohm"]["crossZone"] = json!(true);
    assert_eq!(whole.differences(&more).len(), 2);
}

fn read(folder: &Path, phase: &str) -> Json {
    let path: PathBuf = match phase {
        "" => folder.join("expected.json"),
        phase => folder.join(format!("expected-{phase}.json")),
    };
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What an account must hold: what it held before, with what kops gives a cluster.
#[derive(Default)]
struct Expected {
    before: Json,
    resources: BTreeMap<String, Json>,
    /// Ids of what must be there, whatever its fields.
    named: BTreeSet<&'static str>,
}

impl Expected {
    /// What a phase adds to the phases before it.
    fn add(&mut self, resources: &Json) {
        for resource in resources.as_array().unwrap() {
            let text = |field: &str| resource[field].as_str().unwrap();
            let id = format!("{}/{}", text("kind"), text("name"));
            self.resources.insert(id, resource["fields"].clone());
        }
    }

    /// All that is lacking, otherwise or too much, of every kind.
    fn differences(&self, found: &Json) -> Vec<String> {
        let found = found.as_object().unwrap();
        let mut differences = Vec::new();
        for (id, wanted) in &self.resources {
            match found.get(id) {
                None => differences.push(format!("{id} is missing")),
                Some(live) => {
                    differences.extend(fields(id, wanted, &without_ours(id, wanted, live)))
                }
            }
        }
        let missing = self.named.iter().filter(|id| !found.contains_key(**id));
        differences.extend(missing.map(|id| format!("{id} is missing")));
        for (id, live) in found {
            let is_known = self.resources.contains_key(id) || self.named.contains(id.as_str());
            if is_known || OF_AWS.iter().any(|own| format!("{id} ").starts_with(own)) {
                continue;
            }
            match self.before.get(id) {
                None => differences.push(format!("{id} is not expected: {live}")),
                Some(before) => differences.extend(fields(id, before, live)),
            }
        }
        differences
    }
}

/// What was found, but for the tags that kapstan sets on purpose beside those of kops.
fn without_ours(id: &str, wanted: &Json, live: &Json) -> Json {
    let mut live = live.clone();
    let kind = id.split('/').next();
    for (_, ours) in OUR_TAGS.iter().filter(|(of, _)| Some(*of) == kind) {
        if let Some(tags) = live["tags"].as_object_mut() {
            tags.retain(|tag, value| {
                let is_right = !tag.starts_with("kubernetes.io/") || value == "owned";
                let is_ours = is_right && ours.iter().any(|our| tag.starts_with(our));
                !is_ours || !wanted["tags"][tag].is_null()
            });
        }
    }
    live
}

/// How the fields of one resource differ. One that is not expected must be empty.
fn fields(id: &str, wanted: &Json, live: &Json) -> Vec<String> {
    let fields: BTreeSet<&String> =
        [wanted, live].into_iter().flat_map(|all| all.as_object().unwrap().keys()).collect();
    let mut differences = Vec::new();
    for field in fields {
        // The zone of a record has another id in each account.
        let is_zone = field == "zone" && id.starts_with("DNSName/");
        if UNCOMPARED.contains(&field.as_str()) || is_zone {
            continue;
        }
        if !agrees(&wanted[field], &live[field]) {
            differences.push(format!("{id} {field}: {} instead of {}", live[field], wanted[field]));
        }
    }
    differences
}

fn agrees(wanted: &Json, live: &Json) -> bool {
    let is_empty = |json: &Json| match json {
        Json::Null => true,
        Json::Bool(is_set) => !is_set,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        _ => false,
    };
    wanted == live || is_empty(wanted) && is_empty(live)
}
