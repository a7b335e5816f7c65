//! The report: its text, its JSON and YAML, exit codes, colours, and what must not be in it.

use crate::harness::{ECR, STRICT, World, specs};
use serde_json::{Value as Json, json};

const NAME: &str = "dev.example.com";

#[test]
fn a_new_cluster_in_full() {
    let world = World::with("report_new", &specs(NAME, STRICT));
    let run = world.ok(&["update", "cluster", NAME]);
    let zone = run.stdout.split("hostedzone/").nth(1).unwrap().split_whitespace().next().unwrap();
    insta::assert_snapshot!("new_cluster", world.neutral(&run.stdout).replace(zone, "ZONE"));
    let run = world.ok(&["update", "cluster", NAME, "--yes"]);
    assert!(
        run.stdout.ends_with("dev.example.com: 0 changed, 8 created, 0 deleted.\n"),
        "{run:#?}"
    );
    assert_eq!(run.stderr.lines().count(), 10, "{run:#?}");
    assert!(run.stderr.contains("\nThe state store remembers from now on"), "{run:#?}");
    assert!(run.stderr.contains("  + IAMRole/nodes.dev.example.com created\n"), "{run:#?}");
}

#[test]
fn whole_documents_come_with_v() {
    let world = World::with("report_documents", &specs(NAME, STRICT));
    world.apply(NAME);
    world.ok(&["set", "cluster", NAME, "spec.iam.allowContainerRegistry=true"]);
    let run = world.ok(&["update", "cluster", NAME, "-v"]);
    assert!(run.stdout.contains("      before:\n        {\n"), "{}", run.stdout);
    assert!(run.stdout.contains("\"Sid\": \"kopsK8sECR\""), "{}", run.stdout);
    assert!(!world.ok(&["update", "cluster", NAME]).stdout.contains("before:"));
}

#[test]
fn json_and_yaml_carry_the_same_facts() {
    let world = World::with("report_json", &specs(NAME, STRICT));
    world.apply(NAME);
    world.ok(&["set", "cluster", NAME, "spec.iam.allowContainerRegistry=true"]);
    let plan = world.plan(NAME, &[]);
    let yaml = world.ok(&["update", "cluster", NAME, "-o", "yaml"]).stdout;
    assert_eq!(serde_saphyr::from_str::<Json>(&yaml).unwrap(), plan);
    assert_eq!(plan["apiVersion"], "kapstan/v1");
    assert_eq!(plan["kind"], "Plan");
    assert_eq!(plan["stateStore"], format!("s3://{}/{NAME}", world.bucket));
    assert_eq!(plan["unchanged"].as_array().unwrap().len(), 6);
    let mut change = plan["changes"][1].clone();
    change["document"] = Json::Null;
    assert_eq!(
        change,
        json!({
            "id": "IAMRolePolicy/nodes.dev.example.com",
            "kind": "IAMRolePolicy",
            "name": "nodes.dev.example.com",
            "layer": "security",
            "action": "update",
            "dependsOn": ["IAMRole/nodes.dev.example.com"],
            "fields": [],
            "permissions": {
                "gained": [{
                    "Sid": "kopsK8sECR",
                    "Effect": "Allow",
                    "Action": [
                        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeRepositories",
                        "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
                        "ecr:GetRepositoryPolicy", "ecr:ListImages",
                    ],
                    "Resource": ["*"],
                }],
                "lost": [],
            },
            "document": null,
        })
    );
    let run = world.ok(&["update", "cluster", NAME, "--yes", "-o", "json"]);
    let report: Json = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["result"]["complete"], true);
    assert_eq!(report["result"]["done"].as_array().unwrap().len(), 2);
}

#[test]
fn exit_codes_tell_what_was_found() {
    let world = World::with("exit_codes", &specs(NAME, STRICT));
    let code = |args: &[&str]| world.run(args).code;
    assert_eq!(code(&["update", "cluster", NAME]), 0);
    assert_eq!(code(&["update", "cluster", NAME, "--detailed-exitcode"]), 2);
    assert_eq!(
        code(&["update", "cluster", NAME, "--yes", "--target", "dryrun", "--detailed-exitcode"]),
        2
    );
    assert_eq!(world.iam_writes(), [""; 0]);
    assert_eq!(code(&["update", "cluster", NAME, "--yes", "--detailed-exitcode"]), 0);
    assert_eq!(code(&["update", "cluster", NAME, "--detailed-exitcode"]), 0);
    assert_eq!(code(&["update", "cluster", "none.example.com", "--detailed-exitcode"]), 1);
    assert_eq!(code(&["update", "cluster", NAME, "--no-such-flag"]), 1);
    assert_eq!(code(&["--help"]), 0);
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let world = World::with("colours", &specs(NAME, STRICT));
    let escape = '\u{1b}';
    assert!(!world.ok(&["update", "cluster", NAME]).stdout.contains(escape));
    assert!(world.ok(&["update", "cluster", NAME, "--color", "always"]).stdout.contains(escape));
    assert!(!world.ok(&["update", "cluster", NAME, "--color", "never"]).stdout.contains(escape));
}

#[test]
fn secrets_reach_no_output() {
    let world = World::with("secrets", &specs(NAME, ECR));
    world.rules(json!([{"operation": "iam:CreateRole", "error": "SignatureDoesNotMatch"}]));
    for args in [
        &["update", "cluster", NAME, "-v"][..],
        &["update", "cluster", NAME, "--yes", "-v"],
        &["update", "cluster", NAME, "-o", "json"],
    ] {
        let run = world.run(args);
        assert!(!format!("{run:?}").contains("secret-of-the-sandbox"), "{run:#?}");
    }
}

#[test]
fn missing_credentials_are_told_plainly() {
    let world = World::with("credentials", &specs(NAME, STRICT));
    let store = world.path("state").display().to_string();
    let file = world.write("specs.yaml", &specs(NAME, STRICT));
    world.ok(&["create", "-f", &file, "--state", &store]);
    let output = world
        .command(&["update", "cluster", NAME, "--state", &store])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .output()
        .unwrap();
    let run = crate::harness::Run::from(output);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("no AWS credentials were found; set AWS_PROFILE"), "{run:#?}");
}

#[test]
fn credentials_may_come_from_a_process() {
    let world = World::with("credential_process", &specs(NAME, STRICT));
    let script = world.path("credentials");
    let profile = format!("[profile team]\ncredential_process = sh {}\n", script.display());
    let config = world.write("config", &profile);
    let run = |process: &str| {
        std::fs::write(&script, process).unwrap();
        let output = world
            .command(&["update", "cluster", NAME, "--yes"])
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_PROFILE", "team")
            .output();
        crate::harness::Run::from(output.unwrap())
    };
    let credentials = json!({
        "Version": 1, "AccessKeyId": world.key, "SecretAccessKey": "secret-of-the-sandbox",
    });
    let logged_in = run(&format!("echo '{credentials}'"));
    assert_eq!(logged_in.code, 0, "{logged_in:#?}");
    world.assert_settled(NAME, &[]);
    let expired = run("echo 'the token has expired' >&2; exit 1");
    assert_eq!(expired.code, 1, "{expired:#?}");
    assert!(expired.stderr.contains("the token has expired"), "{expired:#?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::with("pipe", &specs(NAME, STRICT));
    let update = world.command(&["update", "cluster", NAME]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "\"$0\" \"$@\" | head -n 1"]).arg(update.get_program());
    command.args(update.get_args());
    for (name, value) in update.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("pipe") && !said.contains("error"), "{said}");
}

#[test]
fn help_is_there_for_every_command_with_examples() {
    let world = World::new("help");
    for command in [
        "create", "create secret sshpublickey", "replace", "delete", "delete ig", "get",
        "get clusters", "get ig", "get all", "edit cluster", "edit ig", "set cluster", "set ig",
        "unset cluster", "unset ig", "update cluster", "rolling-update cluster",
        "validate cluster", "delete instance", "iam show", "iam diff", "iam upgrade", "completion",
    ] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.push("--help");
        let help = world.ok(&args).stdout;
        assert!(help.contains("Examples:\n"), "{command}: {help}");
        // Each example begins with words that the command line knows.
        for line in
            help.split("Examples:\n").nth(1).unwrap().lines().filter(|l| l.contains("kapstan "))
        {
            let words = line.split("kapstan ").nth(1).unwrap().split(' ');
            let known: Vec<&str> =
                words.take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
            let mut args = known.clone();
            args.push("--help");
            world.ok(&args);
        }
    }
}

#[test]
fn completions_and_version_are_printed() {
    let world = World::new("completion");
    for shell in ["bash", "zsh", "fish"] {
        assert!(world.ok(&["completion", shell]).stdout.contains("lifecycle-overrides"));
    }
    let version = format!("kapstan {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(world.ok(&["version"]).stdout, version);
    assert_eq!(world.ok(&["--version"]).stdout, version);
}
