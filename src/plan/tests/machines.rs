//! What only AWS tells of instance groups: machine types, images, user data, warm pools.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::examples::of_group;
use super::imagined::{Imagined, planned};
use crate::autoscaling::autoscaling_group::{LiveGroup, Sizes};
use crate::autoscaling::warm_pool::WarmPool;
use crate::catalogue::kinds::{Resource, Write};
use crate::catalogue::live::Live;
use crate::core::id::Ref;
use crate::core::seen::Looked;
use crate::desired::DesiredCluster;
use crate::ec2::image::{Images, LiveImage};
use crate::ec2::instance_type::{ARM64, LiveInstanceType, X86_64};
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate};
use crate::plan::Plan;
use crate::resolve::instances;
use crate::resolve::lifecycle::{Lifecycles, Mode};

const CANONICAL: &str = "099720109477";
const SCRIPT: &str = "#!/bin/bash\nnodeup\n";

fn image(id: &str, name: &str, architecture: &str) -> LiveImage {
    LiveImage {
        id: id.to_owned(),
        name: name.to_owned(),
        owner: CANONICAL.to_owned(),
        alias: None,
        architecture: architecture.to_owned(),
        made: String::new(),
        root_device: "/dev/xvda".to_owned(),
        asked: (!name.is_empty()).then(|| CANONICAL.to_owned()),
    }
}

fn machine(name: &str, architecture: &str, zones: &[&str]) -> LiveInstanceType {
    LiveInstanceType {
        name: name.to_owned(),
        architectures: vec![architecture.to_owned()],
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        has_gpus: name.starts_with('g'),
        ..LiveInstanceType::default()
    }
}

/// AWS without the group's template and group, with machine types and images to choose from.
fn choices(desired: &DesiredCluster) -> Live {
    let noble = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04";
    let images = [
        image("ami-amd64", &format!("{noble}-amd64-server-20260218"), X86_64),
        image("ami-arm64", &format!("{noble}-arm64-server-20260218"), ARM64),
        image("ami-1", "", X86_64),
        image("ami-2", "", ARM64),
    ];
    let here = &["us-west-2a"][..];
    let machines = [
        machine("t3.medium", X86_64, &["us-west-2b"]),
        machine("c5.large", X86_64, here),
        machine("t4g.medium", ARM64, here),
        machine("m6g.large", ARM64, here),
        machine("m5.large", X86_64, here),
        machine("g4dn.xlarge", X86_64, here),
        machine("t3.micro", X86_64, here),
    ];
    let mut live = Imagined::settled(desired).live;
    live.seen.put(Looked::Found(vec![Images::new(images.to_vec(), BTreeMap::new())]));
    live.seen.put(Looked::Found(machines.to_vec()));
    live.seen.put::<LiveTemplate>(Looked::Found(Vec::new()));
    live.seen.put::<LiveGroup>(Looked::Found(Vec::new()));
    live
}

fn template(resources: &[Resource]) -> &LaunchTemplate {
    let templates = resources.iter().filter_map(|resource| match resource {
        Resource::LaunchTemplate(template) => Some(template),
        _ => None,
    });
    templates.into_iter().next().unwrap()
}

/// The machine type and the image that a group comes to, or why it comes to none.
fn chosen(group: &Json) -> Result<String, String> {
    let desired = of_group(&json!({"kubernetesVersion": "1.36.2"}), group);
    let lifecycles = Lifecycles::new(None, Mode::Apply, &[]).unwrap();
    let filled = instances::resolve(&desired, &choices(&desired), &lifecycles);
    match filled.told.refusals.first() {
        Some(refusal) => Err(refusal.message.clone()),
        None => {
            let template = template(&filled.resources);
            Ok(format!("{} {}", template.machine_type, template.resolved.image.id))
        }
    }
}

#[test]
fn a_machine_type_and_an_image_that_are_not_named_are_chosen_as_kops_does() {
    for (group, expected) in [
        (json!({"role": "Node"}), "c5.large ami-amd64"),
        (json!({"role": "Node", "machineType": "m6g.large"}), "m6g.large ami-arm64"),
        (json!({"role": "Node", "machineType": "m5.large,m6g.large"}), "m5.large ami-amd64"),
        (json!({"role": "Node", "image": "ami-2"}), "t4g.medium ami-2"),
        (json!({"role": "Node", "image": "ami-1"}), "c5.large ami-1"),
        (json!({"role": "Bastion"}), "t3.micro ami-amd64"),
    ] {
        assert_eq!(chosen(&group).as_deref(), Ok(expected), "{group}");
    }
    for (group, expected) in [
        (
            json!({"role": "Node", "image": "ami-2", "machineType": "m5.large"}),
            "spec.image ami-2 is for arm64, and m5.large runs x86_64",
        ),
        (
            json!({"role": "Bastion", "image": "ami-2"}),
            "spec.machineType is missing, and none of those that kops chooses from for arm64 is \
             in us-west-2a",
        ),
        (
            json!({"role": "Node", "image": "kope.io/k8s-1.10"}),
            "spec.image kope.io/k8s-1.10: \"kope.io\" is no owner of images that kops knows any \
             more; known are amazon, amazon.com, debian, debian11, flatcar, redhat, redhat.com, \
             ubuntu, rocky, rockylinux, aws-marketplace and the numbers of accounts",
        ),
    ] {
        assert_eq!(chosen(&group), Err(expected.to_owned()), "{group}");
    }
}

#[test]
fn types_of_a_mixed_group_fit_its_image_and_its_own_type() {
    for (types, expected) in [
        (json!(["c5.large", "t3.medium"]), None),
        (json!(["c5.large", "m6g.large"]), Some("[1] m6g.large: it runs arm64, and the image is")),
        (json!(["g4dn.xlarge"]), Some("[0] g4dn.xlarge: g4dn.xlarge has GPUs and m5.large has")),
        (json!(["t9.huge"]), Some("[0] t9.huge: there is no such type in us-west-2")),
    ] {
        let group = json!({
            "role": "Node", "image": "ami-1", "machineType": "m5.large",
            "mixedInstancesPolicy": {"instances": types},
        });
        let told = chosen(&group).err();
        let is_so = |told: &String| {
            let field = "spec.mixedInstancesPolicy.instances";
            expected.is_some_and(|expected| told.starts_with(&format!("{field}{expected}")))
        };
        assert_eq!(told.is_some(), expected.is_some(), "{types}: {told:?}");
        assert!(told.iter().all(is_so), "{types}: {told:?}");
    }
}

#[test]
fn gpus_are_told_by_the_machine_type_on_the_template_and_its_group() {
    let tags = |machine_type: &str| {
        let cluster = json!({
            "kubernetesVersion": "1.36.2", "containerd": {"nvidiaGPU": {"enabled": true}},
        });
        let group = json!({"role": "Node", "image": "ami-1", "machineType": machine_type});
        let desired = of_group(&cluster, &group);
        let lifecycles = Lifecycles::new(None, Mode::Apply, &[]).unwrap();
        let filled = instances::resolve(&desired, &choices(&desired), &lifecycles);
        let of_group = filled.resources.iter().find_map(|resource| match resource {
            Resource::AutoscalingGroup(group) => Some(group.tags.clone()),
            _ => None,
        });
        let tags = template(&filled.resources).tags.clone();
        assert_eq!(of_group, Some(tags.clone()));
        let template = "k8s.io/cluster-autoscaler/node-template";
        ["label/kops.k8s.io/gpu", "taint/nvidia.com/gpu"]
            .map(|key| tags.get(&format!("{template}/{key}")).cloned())
    };
    assert_eq!(tags("g4dn.xlarge"), [Some("1".to_owned()), Some(":NoSchedule".to_owned())]);
    assert_eq!(tags("m5.large"), [None, None]);
}

/// The user data that a group comes to where a template has this, and what is told of it.
fn merged(role: &str, live_data: &str, parts: &Json) -> (Option<String>, Vec<String>) {
    let group = json!({
        "role": role, "image": "ami-1", "machineType": "m5.large", "additionalUserData": parts,
    });
    let desired = of_group(&json!({"kubernetesVersion": "1.36.2"}), &group);
    let mut live = Imagined::settled(&desired).live;
    let mut templates = live.seen.rows::<LiveTemplate>().to_vec();
    templates[0].content.user_data = Some(live_data.as_bytes().to_vec());
    live.seen.put(Looked::Found(templates));
    let lifecycles = Lifecycles::new(None, Mode::Apply, &[]).unwrap();
    let filled = instances::resolve(&desired, &live, &lifecycles);
    let data = template(&filled.resources).user_data.clone();
    let told = filled.told.warnings.iter().map(|warning| warning.message.clone());
    (data.map(|data| String::from_utf8(data).unwrap()), told.collect())
}

fn archive(parts: &[(&str, &str)]) -> String {
    let parts = parts.iter().map(|(name, content)| {
        format!(
            "\r\n--MIMEBOUNDARY\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: 7bit\r\nContent-Type: text/x-shellscript\r\n\
             Mime-Version: 1.0\r\n\r\n{content}"
        )
    });
    format!(
        "Content-Type: multipart/mixed; boundary=\"MIMEBOUNDARY\"\r\nMIME-Version: 1.0\r\n{}\r\n\
         --MIMEBOUNDARY--\r\n",
        parts.collect::<String>()
    )
}

#[test]
fn what_brings_up_kubernetes_stays_and_the_group_s_parts_are_put_beside_it() {
    let part =
        |content: &str| json!([{"name": "a.sh", "type": "text/x-shellscript", "content": content}]);
    let of_kops = archive(&[("nodeup.sh", SCRIPT), ("a.sh", "one")]);
    let none = json!([]);
    for (live, parts, expected) in [
        (SCRIPT, &none, SCRIPT),
        (SCRIPT, &part("one"), &of_kops),
        (&of_kops, &part("one"), &of_kops),
        (&of_kops, &part("two"), &archive(&[("nodeup.sh", SCRIPT), ("a.sh", "two")])),
        (&of_kops, &none, SCRIPT),
        // An archive of somebody else's is not looked into.
        ("#cloud-config\n", &part("one"), "#cloud-config\n"),
    ] {
        let (data, told) = merged("Node", live, parts);
        assert_eq!(data.as_deref(), Some(expected), "{live} {parts}");
        assert!(told[0].contains("was written by another tool, and is kept byte"), "{told:?}");
        let leaves_out = told[0].contains("is not added to it");
        assert_eq!(leaves_out, live.starts_with("#cloud"), "{told:?}");
    }
    let large = part(&"x".repeat(16_384 - SCRIPT.len()));
    let (_, told) = merged("Node", SCRIPT, &large);
    assert!(told[0].contains("what brings up Kubernetes"), "{told:?}");
}

#[test]
fn a_bastion_has_what_its_group_adds_and_nothing_else() {
    let part = json!([{"name": "a.sh", "type": "text/x-shellscript", "content": "one"}]);
    let own = archive(&[("a.sh", "one")]);
    assert_eq!(merged("Bastion", SCRIPT, &json!([])), (None, Vec::new()));
    assert_eq!(merged("Bastion", SCRIPT, &part), (Some(own.clone()), Vec::new()));
    // However its parts were framed.
    let old = own.replace("MIMEBOUNDARY", "KAPSTAN-PART");
    assert_eq!(merged("Bastion", &old, &part), (Some(old.clone()), Vec::new()));
}

fn pool_of(plan: &Plan) -> Option<(String, bool)> {
    let change = plan.changes.iter().find(|change| change.id.kind == WarmPool::KIND)?;
    let removes = change.write.as_ref().is_some_and(Write::removes);
    Some((format!("{:?}", change.action), removes))
}

#[test]
fn a_warm_pool_that_the_spec_no_longer_has_goes_and_none_is_told_of_where_none_is() {
    let group = json!({"role": "Node", "image": "ami-1", "machineType": "m5.large"});
    let desired = of_group(&json!({"kubernetesVersion": "1.36.2"}), &group);
    let mut live = Imagined::settled(&desired).live;
    assert_eq!(pool_of(&planned(&desired, &live, &[])), None);
    let groups = live
        .seen
        .rows::<LiveGroup>()
        .iter()
        .cloned()
        .map(|group| LiveGroup { warm_pool: Some(Sizes { least: 1, most: None }), ..group });
    let groups: Vec<LiveGroup> = groups.collect();
    let pool = WarmPool { group: Ref::to(&groups[0].name), sizes: None };
    live = Imagined::settled(&desired).with(&pool.into());
    live.seen.put(Looked::Found(groups));
    let plan = planned(&desired, &live, &[]);
    assert_eq!(pool_of(&plan), Some(("Delete".to_owned(), true)));
    // Who leaves groups alone leaves their pools alone.
    let ignored = ["AutoscalingGroup=Ignore".parse().unwrap()];
    assert_eq!(pool_of(&planned(&desired, &live, &ignored)), None);
}
