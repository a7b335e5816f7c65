//! Input that means harm, or was given by mistake: refused fast and clearly.

use crate::harness::{STRICT, World, cluster, group, specs};

#[test]
fn hostile_text_is_refused() {
    let world = World::new("hostile");
    let bomb = {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, before) in "bcdefgh".chars().zip("abcdefg".chars()) {
            text.push_str(&format!(
                "{name}: &{name} [{}]\n",
                vec![format!("*{before}"); 9].join(",")
            ));
        }
        text
    };
    for (name, text) in [
        ("hostile_deep", "[".repeat(10_000)),
        ("hostile_bomb", bomb),
        ("hostile_nul", "kind: Cluster\nmetadata: {name: \"a\0b\"}\n".to_owned()),
        ("hostile_kind", "apiVersion: kops/v1alpha2\nkind: InstanceGruop\n".to_owned()),
        ("hostile_version", "apiVersion: kops/v1\nkind: Cluster\n".to_owned()),
        ("hostile_yaml", "kind: Cluster\nspec:\n  subnets: [a\n  b: c\n".to_owned()),
        ("hostile_path", cluster("../../etc", STRICT)),
        ("hostile_group_path", group("dev.example.com", "../config", "Node", "")),
        ("hostile_tab", "kind: Cluster\n\tspec: {}\n".to_owned()),
    ] {
        let file = world.write("specs.yaml", &text);
        let said = world.fails(&["create", "-f", &file]);
        assert!(said.len() < 2_000, "{said}");
        insta::assert_snapshot!(name, world.neutral(&said));
    }
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let world = World::new("huge");
    let path = world.path("huge.yaml");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(100 * 1024 * 1024).unwrap();
    let said = world.fails(&["create", "-f", &path.display().to_string()]);
    assert!(said.contains("100.0 MiB are more than a spec may have (4 MiB)"), "{said}");
    let run = world.run_with_input(&["create", "-f", "-"], &"x: y\n".repeat(1_000_000));
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("more than a spec may have"), "{}", run.stderr);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let world = World::with("names", &specs("dev.example.com", STRICT));
    for args in [
        &["get", "cluster", "../x"][..],
        &["get", "ig", "../config", "--name", "dev.example.com"],
        &["update", "cluster", "a/b"],
        &["get", "all", "--name", ".."],
    ] {
        let said = world.fails(args);
        assert!(
            said.contains("a DNS name")
                || said.contains("between dots")
                || said.contains("holds '/'"),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn a_private_key_is_not_repeated() {
    let world = World::with("private_key", &specs("dev.example.com", STRICT));
    let key =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nverysecret\n-----END OPENSSH PRIVATE KEY-----\n";
    let file = world.write("id_rsa", key);
    let args =
        ["create", "secret", "sshpublickey", "admin", "-i", &file, "--name", "dev.example.com"];
    let said = world.fails(&args);
    assert!(said.contains("this is a private key") && !said.contains("verysecret"), "{said}");
}
