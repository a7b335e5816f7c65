//! What of a spec becomes part of a policy: none of it stands for more than itself, and what
//! holds other clusters is told.

use crate::harness::{Run, STRICT, World, cluster, group, specs, wait};

const NAME: &str = "dev.example.com";

#[test]
fn what_would_be_a_pattern_in_a_policy_is_refused_with_its_field_and_line() {
    let world = World::new("patterns");
    let text = specs(NAME, STRICT);
    let spec_line = |line: &str| text.replace("  iam: {}\n", &format!("  iam: {{}}\n  {line}\n"));
    let of_etcd = |line: &str| {
        let main = "  - name: main\n";
        text.replacen(main, &format!("{main}    {line}\n"), 1)
    };
    let of_member = |line: &str| {
        let member = "    - name: a\n";
        text.replacen(member, &format!("{member}      encryptedVolume: true\n      {line}\n"), 1)
    };
    let of_group = |line: &str| {
        let volume = format!("  rootVolumeEncryption: true\n  {line}\n");
        [
            cluster(NAME, STRICT),
            group(NAME, "masters", "Master", ""),
            group(NAME, "nodes", "Node", &volume),
        ]
        .join("---\n")
    };
    for (specs, field, reason) in [
        (spec_line("configBase: s3://*/dev"), "spec.configBase", "the bucket \"*\" has 1"),
        (spec_line("configBase: s3://clu?ters/dev"), "spec.configBase", "holds '?'"),
        (spec_line("configBase: s3://clusters/${aws:username}"), "spec.configBase", "holds '$'"),
        (spec_line("configBase: s3://clusters/../other"), "spec.configBase", "holds . or .."),
        (spec_line("configBase: s3://Clus_ters!/dev"), "spec.configBase", "holds 'C'"),
        (spec_line("configBase: \"s3://clusters/a\\nb\""), "spec.configBase", "holds '\\n'"),
        (spec_line("configBase: s3:/clusters/a"), "spec.configBase", "is written s3://BUCKET/KEY"),
        (spec_line("configBase: S3://*/a"), "spec.configBase", "is written s3://BUCKET/KEY"),
        (spec_line("configStore: s3://clusters/?"), "spec.configStore", "holds '?'"),
        (spec_line("keyStore: s3://clusters/*/pki"), "spec.keyStore", "holds '*'"),
        (spec_line("secretStore: \"s3://*\""), "spec.secretStore", "has 1 characters"),
        (spec_line("dnsZone: \"*\""), "spec.dnsZone", "neither the id of a hosted zone"),
        (spec_line("dnsZone: \"*.example.com\""), "spec.dnsZone", "nor the name of one"),
        (
            of_etcd("backups: {backupStore: \"s3://*/x\"}"),
            "spec.etcdClusters[0].backups.backupStore",
            "has 1 characters",
        ),
        (of_member("kmsKeyId: \"*\""), "etcdMembers[0].kmsKeyId", "no id, alias or ARN of a key"),
        (
            of_member("kmsKeyId: arn:aws:kms:us-west-2:123456789012:key/*"),
            "etcdMembers[0].kmsKeyId",
            "no id, alias or ARN of a key",
        ),
        (
            of_group("rootVolumeEncryptionKey: \"*\""),
            "spec.rootVolumeEncryptionKey",
            "no id, alias",
        ),
        (
            of_group("iam: {profile: \"arn:aws:iam::123456789012:instance-profile/*/nodes\"}"),
            "spec.iam.profile",
            "is no ARN of an instance profile",
        ),
    ] {
        let said = world.fails(&["create", "-f", &world.write("specs.yaml", &specs)]);
        let line = said.lines().find(|line| line.contains(field)).unwrap_or_default();
        assert!(line.contains(" (line ") && line.contains(reason), "{field}: {reason}: {said}");
        let listed = wait(world.s3().list_objects_v2().bucket(&world.bucket).send()).unwrap();
        assert!(listed.contents().is_empty(), "{listed:?}");
    }
}

#[test]
fn what_is_kept_already_and_would_be_a_pattern_gives_no_right() {
    let world = World::with("kept_pattern", &specs(NAME, STRICT));
    let text = cluster(NAME, "  iam: {}\n  configBase: s3://*/dev\n");
    let put = world.s3().put_object().bucket(&world.bucket).key(format!("{NAME}/config"));
    wait(put.body(text.into_bytes().into()).send()).unwrap();
    for args in [["update", "cluster", NAME], ["iam", "diff", NAME], ["iam", "show", NAME]] {
        let said = world.fails(&args);
        assert!(said.contains("spec.configBase (line "), "{said}");
    }
}

#[test]
fn a_place_that_holds_other_clusters_is_a_warning_that_names_them() {
    let world = World::with("shared_place", &specs("b.example.com", STRICT));
    let bucket = &world.bucket;
    let of = |place: &str| specs(NAME, &format!("  iam: {{}}\n  configBase: s3://{place}\n"));
    let warned = |run: &Run, what: &str| {
        let warning = format!("warning: Cluster/{NAME}: s3://{what}, not {NAME} alone");
        assert!(run.stderr.contains(&warning), "{warning}: {run:#?}");
    };
    let file = world.write("specs.yaml", &of(bucket));
    warned(&world.ok(&["create", "-f", &file]), &format!("{bucket} holds b.example.com"));
    for args in [["update", "cluster", NAME], ["iam", "diff", NAME], ["iam", "show", NAME]] {
        warned(&world.ok(&args), &format!("{bucket} holds b.example.com"));
    }
    // Whatever changes the spec tells it.
    for args in [
        ["set", "cluster", NAME, "spec.sshAccess=[10.0.0.0/8]"],
        ["unset", "cluster", NAME, "spec.sshAccess"],
        ["replace", "-f", &file, "--force"],
    ] {
        warned(&world.ok(&args), &format!("{bucket} holds b.example.com"));
    }
    let editor = world.write("editor", "#!/bin/sh\necho '# a comment' >> \"$1\"\n");
    let mut edit = world.command(&["edit", "cluster", NAME]);
    let edited = Run::from(edit.env("EDITOR", format!("sh {editor}")).output().unwrap());
    warned(&edited, &format!("{bucket} holds b.example.com"));
    assert_eq!(edited.code, 0, "{edited:#?}");
    let plan = world.plan(NAME, &[]);
    assert!(plan["warnings"].to_string().contains("holds b.example.com"), "{plan:#}");
    // The other's place is one of its own.
    world.ok(&["set", "cluster", "b.example.com", "spec.keyStore=s3://elsewhere/team/b"]);
    world.replace(&of("elsewhere/team"));
    warned(&world.ok(&["iam", "show", NAME]), "elsewhere/team holds b.example.com");
    world.replace(&of("elsewhere"));
    warned(&world.ok(&["iam", "show", NAME]), "elsewhere holds b.example.com");
    for own in [format!("{bucket}/{NAME}"), "elsewhere/team-b".to_owned()] {
        world.replace(&of(&own));
        let run = world.ok(&["iam", "show", NAME]);
        assert!(!run.stderr.contains("warning"), "{run:#?}");
    }
}
