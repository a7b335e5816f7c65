//! Secrets in specs: told by size and fingerprint, wherever a value would be repeated.

use std::process::Stdio;

use crate::harness::{Run, STRICT, World, cluster, group, specs};

const NAME: &str = "dev.example.com";
const TOKEN: &str = "t0ken-s3cr3t";

/// A world whose group `nodes` has a secret of each kind.
fn world(test: &str) -> World {
    let nodes = "  additionalUserData:\n  - {name: a, type: text/x-shellscript, content: echo}\n";
    let groups = [group(NAME, "masters", "Master", ""), group(NAME, "nodes", "Node", nodes)];
    World::with(test, &[vec![cluster(NAME, STRICT)], groups.to_vec()].concat().join("---\n"))
}

#[test]
fn errors_of_set_tell_a_secret_by_its_size() {
    let world = world("secret_set");
    let content = "spec.additionalUserData[0].content";
    for (what, argument, told) in [
        ("ig", format!("spec.additionalUserData={TOKEN}"), "is (12 bytes, "),
        ("ig", format!("{content}=[{TOKEN}"), "the value (13 bytes, "),
        ("ig", format!("{content} {TOKEN}"), "\"spec.additionalUserData[0].content\"… is no field"),
        ("ig", TOKEN.to_owned(), "an argument of 12 bytes is no field"),
        ("ig", format!("spec.fileAssets={{a: {TOKEN}, b"), "the value ("),
        ("ig", format!("spec.hooks[0].manifest: {TOKEN}"), "is no field"),
        ("cluster", format!("spec.docker={TOKEN}"), "takes a mapping of fields"),
        ("cluster", format!("spec.docker={{storage: {TOKEN}}}"), "is (12 bytes, "),
        ("cluster", format!("spec.docker.mtu={TOKEN}"), "is (12 bytes, "),
        ("cluster", format!("spec.encryptionConfig={TOKEN}"), "is (12 bytes, "),
        ("cluster", format!("spec.nodeAuthorization={TOKEN}"), "takes a mapping of"),
        ("cluster", format!("spec.nodeAuthorization.nodeAuthorizer.port={TOKEN}"), "is (12 bytes"),
        ("cluster", format!("spec.configBase=[s3://KEY:{TOKEN}@b"), "s3://…@b"),
        ("cluster", format!("spec.configBase=s3://KEY:{TOKEN}@b/x"), "s3://…@b/x"),
    ] {
        let object = if what == "ig" { "nodes" } else { NAME };
        let mut args = vec!["set", what, object, argument.as_str()];
        if what == "ig" {
            args.extend(["--name", NAME]);
        }
        let said = world.fails(&args);
        assert!(!said.contains(TOKEN), "{argument}: {said}");
        assert!(said.contains(told), "{argument}: {said}");
    }
}

#[test]
fn errors_of_files_show_no_line_of_a_secret() {
    let world = World::new("secret_file");
    let user_data =
        |lines: &str| group(NAME, "nodes", "Node", &format!("  additionalUserData:\n{lines}"));
    for text in [
        // Not closed, badly indented, with a tab, with a control character, no text.
        user_data(&format!("  - name: a\n    content: [{TOKEN}\n")),
        user_data(&format!("  - name: a\n    content: \"{TOKEN}\n")),
        user_data(&format!("  - name: a\n    content: |\n      #!/bin/sh\n   export A={TOKEN}\n")),
        user_data(&format!("  - name: a\n    content: |\n      #!/bin/sh\n  export A={TOKEN}\n")),
        user_data(&format!(
            "  - name: a\n    content: |\n      #!/bin/sh\n\nexport A: {TOKEN}: x\n"
        )),
        user_data(&format!("  - name: a\n\t{TOKEN}\n")),
        user_data(&format!("  - name: a\n    content: {TOKEN}\u{1}\n")),
        user_data(&format!("  - name: a\n    content: {{a: {TOKEN}}}\n    name: {TOKEN}\n")),
        user_data(&format!("  - {TOKEN}\n")),
        user_data("  - name: a\n    content: 0x7770ca11\n"),
        cluster(NAME, &format!("  docker:\n    logOpt: {TOKEN}\n    mtu: {TOKEN}\n")),
        cluster(NAME, &format!("  docker:\n    logOpt:\n    - [{TOKEN}\n")),
        cluster(NAME, &format!("  hooks:\n  - name: a\n    manifest: [{TOKEN}\n")),
        cluster(NAME, &format!("  fileAssets: {TOKEN}\n")),
        cluster(NAME, &format!("  encryptionConfig: {TOKEN}\n  nodeAuthorization: {TOKEN}\n")),
        format!("{{\"kind\": \"Cluster\", \"spec\": {{\"docker\": {{\"hosts\": \"{TOKEN}"),
        cluster(NAME, &format!("  configBase: s3://KEY:{TOKEN}@b: x\n")),
        format!("apiVersion: kops/v1alpha2\nkind: SSHCredential\nspec:\n  publicKey: [{TOKEN}\n"),
    ] {
        for said in [
            world.fails(&["create", "-f", &world.write("specs.yaml", &text)]),
            world.fails(&["iam", "show", "-f", &world.write("specs.yaml", &text)]),
        ] {
            assert!(!said.contains(TOKEN) && !said.contains("7770ca11"), "{text}\n{said}");
        }
    }
}

#[test]
fn a_conflict_tells_that_a_secret_changed_and_not_which_it_is() {
    let world = world("secret_conflict");
    let script = world.write(
        "editor",
        &format!(
            "sed -i 's/maxSize: 1/maxSize: 7/' \"$1\"\ntouch {0}/open\n\
             while ! test -e {0}/go; do sleep 0.05; done\n",
            world.home.path().display()
        ),
    );
    let mut command = world.command(&["edit", "ig", "nodes", "--name", NAME]);
    command.env("EDITOR", format!("sh {script}")).env("TMPDIR", world.home.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !world.path("open").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let content = format!("spec.additionalUserData[0].content={TOKEN}");
    world.ok(&["set", "ig", "nodes", &content, "--name", NAME]);
    world.write("go", "");
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("spec.additionalUserData[0].content: (4 bytes, "), "{run:#?}");
    assert!(run.stderr.contains(" → (12 bytes, "), "{run:#?}");
    assert!(!run.stderr.contains(TOKEN) && !run.stderr.contains("echo"), "{run:#?}");
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_told_without_its_token() {
    let world = World::with("secret_kubeconfig", &specs(NAME, STRICT));
    let text = format!("users:\n- name: u\n  user: {{token: {TOKEN}\n");
    let file = world.write("broken", &text);
    let said = world.fails(&["validate", "cluster", NAME, "--kubeconfig", &file]);
    assert!(said.contains("is no kubeconfig") && !said.contains(TOKEN), "{said}");
}
