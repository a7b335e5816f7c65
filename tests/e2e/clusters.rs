//! kops' own integration cases (`tests/goldens/clusters`): each cluster becomes every
//! resource and field that kops gives it, settles, and goes without a trace.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::harness::World;

/// What is told of AWS but not compared: whether kops sent user data.
const UNCOMPARED: [&str; 1] = ["userData"];

#[test]
fn a_complex_cluster() {
    check("complex", "complex.example.com", &[""], &[]);
}

#[test]
fn a_cluster_with_existing_profiles() {
    let kinds = ["IAMRole", "IAMRolePolicy", "IAMInstanceProfileRole"];
    let overrides = kinds.map(|kind| format!("{kind}=ExistsAndWarnIfChanges")).join(",");
    let args = ["--lifecycle-overrides", &overrides];
    check("existing_iam", "existing-iam.example.com", &[""], &args);
}

#[test]
fn a_cluster_behind_load_balancers_of_its_owner() {
    check("externallb", "externallb.example.com", &[""], &[]);
}

#[test]
fn a_highly_available_cluster() {
    check("ha", "ha.example.com", &[""], &[]);
}

#[test]
fn a_cluster_built_phase_by_phase() {
    let phases = ["network", "security", "cluster"];
    check("lifecycle_phases", "lifecyclephases.example.com", &phases, &[]);
}

#[test]
fn a_minimal_cluster() {
    check("minimal", "minimal.example.com", &[""], &[]);
}

#[test]
fn a_private_cluster_with_a_bastion() {
    check("privatecalico", "privatecalico.example.com", &[""], &[]);
}

#[test]
fn a_cluster_in_a_shared_vpc() {
    check("shared_vpc", "sharedvpc.example.com", &[""], &[]);
}

fn check(case: &str, name: &str, phases: &[&str], args: &[&str]) {
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
    world.create(&spec);
    world.keep_ssh_key(name);
    for phase in phases {
        let mut apply = vec!["update", "cluster", name, "--yes"];
        if !phase.is_empty() {
            apply.extend(["--phase", phase]);
        }
        apply.extend(args);
        world.ok(&apply);
        assert_becomes(&expected(&folder, phase), &world.observe(&laid_out));
    }
    world.assert_settled(name, args);
    world.ok(&["delete", "cluster", name, "--yes"]);
    assert_eq!(world.everything(), before);
    world.fails(&["get", "cluster", name]);
}

fn expected(folder: &Path, phase: &str) -> Json {
    let path: PathBuf = match phase {
        "" => folder.join("expected.json"),
        phase => folder.join(format!("expected-{phase}.json")),
    };
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Asserts that every resource is there with every field; more tags may stand beside.
#[track_caller]
fn assert_becomes(expected: &Json, found: &Json) {
    let mut problems = Vec::new();
    for resource in expected.as_array().unwrap() {
        let text = |field: &str| resource[field].as_str().unwrap();
        let id = format!("{}/{}", text("kind"), text("name"));
        let Some(live) = found.get(&id) else {
            problems.push(format!("{id} is missing"));
            continue;
        };
        for (field, wanted) in resource["fields"].as_object().unwrap() {
            // The zone of a record has another id in each account.
            let is_zone = field == "zone" && text("kind") == "DNSName";
            if UNCOMPARED.contains(&field.as_str()) || is_zone {
                continue;
            }
            let agrees = match field.as_str() {
                "tags" => wanted.as_object().unwrap().iter().all(|(k, v)| &live["tags"][k] == v),
                _ => live[field] == *wanted,
            };
            if !agrees {
                problems.push(format!("{id} {field}: {} instead of {wanted}", live[field]));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
