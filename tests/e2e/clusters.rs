//! kops' own integration cases (`tests/goldens/clusters`): each cluster becomes every
//! resource and field that kops gives it, settles, and goes without a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::World;

/// Fields that are policy documents, of which the meaning counts.
const DOCUMENTS: [&str; 2] = ["document", "trust"];

/// What is told of AWS and not of kops: what is in user data, that there is some being told apart;
/// and the key of a volume for which none is named.
const UNCOMPARED: [&str; 2] = ["kmsKey", "userData"];

/// The tags that kapstan sets also where kops sets none, so that an owner is told by them.
const OUR_TAGS: [&str; 2] = ["kapstan.io/region", "kapstan.io/store"];

/// What AWS makes by itself in each VPC.
const OF_AWS: &str = "SecurityGroupRule/default ";

macro_rules! cases {
    ($($test:ident: $case:literal $(, warned: $told:expr)?;)*) => {
        $(#[test]
        fn $test() {
            check($case, &[], &[$($told,)? NO_BOOTSTRAP]);
        })*
    };
}

cases! {
    a_minimal_cluster: "minimal-aws";
    a_cluster_without_dns: "minimal-dns-none";
    a_cluster_that_gossips: "minimal_gossip";
    a_cluster_of_ipv6: "minimal-ipv6-calico", warned: PRIVATE;
    a_cluster_with_a_long_name: "minimal-longclustername";
    a_cluster_with_a_warm_pool: "minimal-warmpool";
    a_cluster_behind_load_balancers_of_its_owner: "externallb";
    a_highly_available_cluster: "ha";
    a_cluster_with_roles_of_service_accounts: "irsa";
    a_cluster_whose_nodes_are_karpenters: "karpenter";
    a_cluster_with_many_add_ons: "many-addons";
    a_cluster_with_spot_instances: "mixed_instances_spot";
    a_cluster_without_a_queue: "nth-imds-processor";
    a_private_cluster_with_addresses_of_its_owner: "private-shared-ip", warned: PRIVATE;
    a_private_cluster_with_a_bastion: "privatecalico";
    a_private_cluster_whose_network_keeps_its_state_in_etcd: "privateciliumadvanced", warned: PRIVATE;
    a_cluster_with_private_dns: "privatedns1", warned: PRIVATE;
    a_cluster_in_subnets_of_its_owner: "shared_subnet";
    a_cluster_of_ipv6_in_a_vpc_of_its_owner: "shared_vpc_ipv6", warned: PRIVATE;
    a_cluster_whose_ways_out_are_its_owners: "unmanaged", warned: PRIVATE;
    a_cluster_with_the_load_balancer_controller: "aws-lb-controller";
    a_cluster_with_security_groups_of_its_owner: "existing_sg";
    a_cluster_with_api_servers: "apiservernodes";
    a_cluster_with_a_store_of_its_own: "vfs-said";
}

#[test]
fn a_cluster_with_existing_profiles() {
    let kinds = ["IAMRole", "IAMRolePolicy", "IAMInstanceProfileRole"];
    let overrides = kinds.map(|kind| format!("{kind}=ExistsAndWarnIfChanges")).join(",");
    let told = [
        "! IAMRolePolicy/kops-custom-master-role",
        "! IAMRolePolicy/kops-custom-node-role",
        NO_BOOTSTRAP,
        "IAMRolePolicy/kops-custom-master-role: is not as wanted, and is left so",
        "IAMRolePolicy/kops-custom-node-role: is not as wanted, and is left so",
    ];
    check("existing_iam", &["--lifecycle-overrides", &overrides], &told);
}

/// What kops' specs are warned of: they do not say what starts Kubernetes.
const PRIVATE: &str = "associatePublicIp is ignored in private subnets";
const NO_BOOTSTRAP: &str = "nothing will start Kubernetes on the instances of";

/// What a spec names by id lies in another VPC than the cluster's own.
#[test]
fn a_cluster_with_security_groups_of_another_vpc_is_not_begun() {
    let (world, name, _, _) = begin("externalpolicies");
    let before = world.everything();
    let error = world.fails(&["update", "cluster", &name, "--yes"]);
    assert!(error.contains("sg-"), "{error}");
    assert_eq!(world.everything(), before);
}

/// A world that has what a case takes for granted, with its specs in the store; the cluster's name,
/// what stands for what there, and what there was before.
fn begin(case: &str) -> (World, String, Json, Json) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/clusters").join(case);
    let text = std::fs::read_to_string(folder.join("cluster.yaml")).unwrap();
    let world = World::bare(&format!("golden_{}", case.replace(['-', '.'], "_")));
    let mut laid_out = world.lay_out(&text);
    laid_out["clusters.example.com"] = json!(world.bucket);
    let mut real: Vec<(&String, &str)> = laid_out
        .as_object()
        .unwrap()
        .iter()
        .map(|(told, id)| (told, id.as_str().unwrap()))
        .collect();
    // One may begin with another.
    real.sort_by_key(|(told, _)| std::cmp::Reverse(told.len()));
    let spec = real.iter().fold(text, |spec, (told, id)| spec.replace(*told, id));
    let before = world.observe(&laid_out);
    world.create(&spec);
    let name = named(&spec);
    world.keep_ssh_key(&name);
    (world, name, laid_out, before)
}

/// The cluster's name in its spec.
fn named(spec: &str) -> String {
    let cluster = spec.split("---").find(|document| document.contains("kind: Cluster\n")).unwrap();
    let metadata = cluster.split_once("metadata:\n").unwrap().1;
    let line = metadata.lines().find(|line| line.starts_with("  name: ")).unwrap();
    line.trim_start_matches("  name: ").trim_matches('"').to_owned()
}

/// `told` is what the settled cluster leaves and warns of beside.
fn check(case: &str, args: &[&str], told: &[&str]) {
    let (world, name, laid_out, before) = begin(case);
    let ids = world.everything();
    world.ok(&[&["update", "cluster", &name, "--yes"], args].concat());
    let expected = Expected::of(case, before);
    assert_eq!(expected.differences(&world.observe(&laid_out)), [""; 0]);
    world.assert_settled_but(&name, args, told);
    world.ok(&["delete", "cluster", &name, "--yes"]);
    assert_eq!(world.everything(), ids);
    world.fails(&["get", "cluster", &name]);
}

/// Three rules more than kops gives, and a tag, a field and a resource of every kind.
#[test]
fn what_is_too_much_is_a_difference() {
    let whole = Expected::of("privatecalico", json!({}));
    let found = json!(whole.resources);
    assert_eq!(whole.differences(&found), [""; 0]);

    let kinds: BTreeSet<&str> =
        whole.resources.keys().filter_map(|id| Some(id.split_once('/')?.0)).collect();
    for kind in kinds {
        let of_kind = |id: &&String| id.starts_with(&format!("{kind}/"));
        let gone: Vec<&String> = whole.resources.keys().filter(of_kind).take(3).collect();
        let mut less = Expected::of("privatecalico", json!({}));
        less.resources.retain(|id, _| !gone.contains(&id));
        let differences = less.differences(&found);
        assert_eq!(differences.len(), gone.len(), "{differences:#?}");
        let is_told = |told: &String| told.starts_with(kind) && told.contains("is not expected");
        assert!(differences.iter().all(is_told), "{differences:#?}");
    }

    let mut more = found.clone();
    more["VPC/privatecalico.example.com"]["tags"]["team"] = json!("web");
    more["IAMRolePolicy/nodes.privatecalico.example.com/nodes.privatecalico.example.com"]["document"]
        ["Statement"][0]["Action"] = json!("*");
    assert_eq!(whole.differences(&more).len(), 2);
}

/// What an account must hold: what it held before, with what kops gives a cluster.
struct Expected {
    before: Json,
    resources: BTreeMap<String, Json>,
}

impl Expected {
    fn of(case: &str, before: Json) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/clusters");
        let text = std::fs::read_to_string(folder.join(case).join("expected.json")).unwrap();
        let all: Vec<Json> = serde_json::from_str(&text).unwrap();
        let resources = all.iter().map(|one| {
            let text = |field: &str| one[field].as_str().unwrap();
            let mut fields = one["fields"].clone();
            for document in DOCUMENTS {
                if let Some(statements) = fields.get(document) {
                    fields[document] = json!({"Statement": statements});
                }
            }
            (format!("{}/{}", text("kind"), text("name")), fields)
        });
        Self { before, resources: resources.collect() }
    }

    /// All that is lacking, otherwise or too much, of every kind.
    fn differences(&self, found: &Json) -> Vec<String> {
        let found = found.as_object().unwrap();
        let mut differences = Vec::new();
        for (id, wanted) in &self.resources {
            match found.get(id) {
                None => differences.push(format!("{id} is missing")),
                Some(live) => differences.extend(fields(id, wanted, live)),
            }
        }
        for (id, live) in found {
            if self.resources.contains_key(id) || id.starts_with(OF_AWS) {
                continue;
            }
            match self.before.get(id) {
                None => differences.push(format!("{id} is not expected: {live}")),
                Some(before) => differences.extend(fields(id, before, &without_marks(live))),
            }
        }
        differences
    }
}

/// Something that a cluster shares, but for the tags that it then has.
fn without_marks(live: &Json) -> Json {
    let mut live = live.clone();
    if let Some(tags) = live["tags"].as_object_mut() {
        tags.retain(|tag, value| {
            let is_owner = tag.starts_with("kubernetes.io/cluster/") && value == "shared";
            !is_owner && !tag.starts_with("kubernetes.io/role/") && tag != "SubnetType"
        });
    }
    live
}

/// How the fields of one resource differ. One that is not expected must be empty.
fn fields(id: &str, wanted: &Json, live: &Json) -> Vec<String> {
    let names: BTreeSet<&String> =
        [wanted, live].into_iter().flat_map(|all| all.as_object().unwrap().keys()).collect();
    let mut differences = Vec::new();
    for field in names.into_iter().filter(|field| !UNCOMPARED.contains(&field.as_str())) {
        let [wanted, live] = [wanted, live].map(|all| meaning(field, &all[field]));
        if wanted != live {
            differences.push(format!("{id} {field}: {live} instead of {wanted}"));
        }
    }
    differences
}

/// What counts of a field: what is nothing, is null.
fn meaning(field: &str, value: &Json) -> Json {
    let mut value = value.clone();
    if DOCUMENTS.contains(&field) {
        return json!(grants(&value));
    }
    if let Some(tags) = value.as_object_mut().filter(|_| field == "tags") {
        tags.retain(|tag, _| !OUR_TAGS.contains(&tag.as_str()));
    }
    let is_empty = match &value {
        Json::Null => true,
        Json::Bool(is_set) => !is_set,
        Json::Number(number) => number.as_i64() == Some(0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
    };
    if is_empty { Json::Null } else { value }
}

/// What a policy document means: effect, principal, action, resource and condition of each pair.
fn grants(document: &Json) -> BTreeSet<String> {
    let listed = |json: &Json| match json {
        Json::Array(items) => items.clone(),
        Json::Null => vec![json!("")],
        one => vec![one.clone()],
    };
    let mut grants = BTreeSet::new();
    let statements = listed(&document["Statement"]);
    for statement in statements.iter().filter(|statement| statement.is_object()) {
        let principals: Vec<String> = match &statement["Principal"] {
            Json::Object(kinds) => {
                let each = |(kind, all): (&String, &Json)| {
                    listed(all).into_iter().map(|one| format!("{kind}={one}")).collect::<Vec<_>>()
                };
                kinds.iter().flat_map(each).collect()
            }
            other => vec![other.to_string()],
        };
        let conditions: BTreeMap<&String, BTreeMap<&String, BTreeSet<String>>> =
            statement["Condition"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(operator, keys)| {
                    let keys = keys.as_object().into_iter().flatten();
                    let values = |all| {
                        listed(all).iter().map(|one| one.to_string().replace('"', "")).collect()
                    };
                    (operator, keys.map(|(key, all)| (key, values(all))).collect())
                })
                .collect();
        for principal in &principals {
            for action in listed(&statement["Action"]) {
                for resource in listed(&statement["Resource"]) {
                    let action = action.to_string().to_lowercase();
                    let effect = &statement["Effect"];
                    grants
                        .insert(format!("{effect} {principal} {action} {resource} {conditions:?}"));
                }
            }
        }
    }
    grants
}
