//! Roles that pods take, the provider by which AWS trusts who signs for them, policies of the user's
//! own that are attached, and the boundary of all roles.

use serde_json::{Value as Json, json};

use crate::harness::{World, actions, document, specs, wait};

const NAME: &str = "dev.example.com";
const NODES: &str = "nodes.dev.example.com";
const READER: &str = "reader.team-wildcard.sa.dev.example.com";
const DNS: &str = "dns-controller.kube-system.sa.dev.example.com";
const HOST: &str = "found.s3.us-west-2.amazonaws.com/dev";

/// A managed policy of the account; its ARN.
fn managed(world: &World, name: &str, action: &str) -> String {
    let says = document(json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]));
    let call = world.iam().create_policy().policy_name(name).policy_document(says.to_string());
    wait(call.send()).unwrap().policy.unwrap().arn.unwrap()
}

fn attached(world: &World, role: &str) -> Vec<String> {
    let answer = wait(world.iam().list_attached_role_policies().role_name(role).send()).unwrap();
    let arns = answer.attached_policies().iter().filter_map(|policy| policy.policy_arn());
    let mut arns: Vec<String> = arns.map(str::to_owned).collect();
    arns.sort();
    arns
}

fn attach(world: &World, role: &str, arn: &str) {
    wait(world.iam().attach_role_policy().role_name(role).policy_arn(arn).send()).unwrap();
}

fn role(world: &World, name: &str) -> Option<aws_sdk_iam::types::Role> {
    wait(world.iam().get_role().role_name(name).send()).ok()?.role
}

fn boundary(world: &World, name: &str) -> Option<String> {
    role(world, name)?.permissions_boundary?.permissions_boundary_arn
}

fn providers(world: &World) -> Vec<String> {
    let answer = wait(world.iam().list_open_id_connect_providers().send()).unwrap();
    let all = answer.open_id_connect_provider_list().iter();
    all.filter_map(|provider| provider.arn()).map(str::to_owned).collect()
}

/// A cluster of today's kops; `more` is spec on top, as indented YAML lines.
fn of_today(more: &str) -> String {
    specs(NAME, more).replace("kubernetesVersion: 1.10.3", "kubernetesVersion: 1.32.0")
}

fn with_accounts(reader: &str) -> String {
    of_today(&format!(
        "  iam:
    useServiceAccountExternalPermissions: true
    serviceAccountExternalPermissions:
    - {{name: reader, namespace: team-*, aws: {{policyARNs: ['{reader}']}}}}
    - name: writer
      namespace: team
      aws:
        inlinePolicy: '[{{\"Effect\": \"Allow\", \"Action\": \"s3:PutObject\", \"Resource\": \"*\"}}]'
  serviceAccountIssuerDiscovery:
    discoveryStore: s3://found/dev
    enableAWSOIDCProvider: true
    additionalAudiences: [sts.amazonaws.com]
"
    ))
}

#[test]
fn accounts_have_roles_and_aws_trusts_their_issuer() {
    let world = World::new("accounts_made");
    world.zone("example.com", "ZSANDBOX");
    let reads = managed(&world, "reads", "s3:GetObject");
    world.create(&with_accounts(&reads));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);

    let reader = role(&world, READER).unwrap();
    let tags = reader.tags().iter().map(|tag| format!("{}={}", tag.key(), tag.value()));
    let tags: Vec<String> = tags.filter(|tag| !tag.starts_with("kapstan.io/")).collect();
    for tag in [
        "KubernetesCluster=dev.example.com",
        "Name=reader.team-wildcard.sa.dev.example.com",
        "kubernetes.io/cluster/dev.example.com=owned",
        "service-account.kops.k8s.io/name=reader",
        "service-account.kops.k8s.io/namespace=team-wildcard",
    ] {
        assert!(tags.contains(&tag.to_owned()), "{tag} in {tags:#?}");
    }
    let trust = reader.assume_role_policy_document().unwrap();
    let trust = percent_encoding::percent_decode_str(trust).decode_utf8().unwrap();
    let trust: Json = serde_json::from_str(&trust).unwrap();
    let statement = &trust["Statement"][0];
    assert_eq!(statement["Action"], "sts:AssumeRoleWithWebIdentity");
    let subject = json!({format!("{HOST}:sub"): "system:serviceaccount:team-*:reader"});
    assert_eq!(statement["Condition"]["StringLike"], subject);
    let [provider] = &providers(&world)[..] else { panic!("{:?}", providers(&world)) };
    assert_eq!(statement["Principal"]["Federated"], **provider);
    assert!(provider.ends_with(&format!(":oidc-provider/{HOST}")), "{provider}");
    assert_eq!(attached(&world, READER), [reads]);
    assert_eq!(world.policy(READER, READER), None);
    assert!(world.policy(DNS, DNS).unwrap().to_string().contains("route53:"));

    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert_eq!(providers(&world), [""; 0]);
    let roles = wait(world.iam().list_roles().send()).unwrap();
    assert!(roles.roles().is_empty(), "{roles:#?}");
}

#[test]
fn what_the_spec_drops_of_accounts_goes_with_prune_alone() {
    let world = World::new("accounts_dropped");
    world.zone("example.com", "ZSANDBOX");
    let reads = managed(&world, "reads", "s3:GetObject");
    world.create(&with_accounts(&reads));
    world.apply(NAME);
    let fewer = of_today(
        "  iam: {useServiceAccountExternalPermissions: false}\n  serviceAccountIssuerDiscovery: \
         {discoveryStore: 's3://found/dev'}\n",
    );
    world.replace(&fewer);
    world.apply(NAME);
    let told = world.run(&["update", "cluster", NAME, "--detailed-exitcode"]);
    assert_eq!(told.code, 2, "{told:#?}");
    for said in [
        format!("- IAMRole/{READER}  no service account of the spec has this role"),
        format!("- IAMRole/{DNS}  no service account of the spec has this role"),
        format!("- IAMOIDCProvider/{HOST}  not in the spec any more"),
    ] {
        assert!(told.stdout.contains(&said), "{said} in {told:#?}");
    }
    assert!(role(&world, READER).is_some());
    // Whatever the spec says of accounts, a plan that prunes looks for all of them.
    world.replace(&of_today("  iam: {}\n"));
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    assert!(role(&world, READER).is_none() && role(&world, DNS).is_none());
    assert_eq!(providers(&world), [""; 0]);
    world.assert_settled(NAME, &["--prune"]);
}

#[test]
fn attached_policies_are_the_spec_s_and_others_go_with_prune_alone() {
    let world = World::new("attachments");
    world.zone("example.com", "ZSANDBOX");
    let (own, other) = (managed(&world, "own", "s3:*"), managed(&world, "other", "iam:*"));
    let with =
        |key: &str| of_today(&format!("  iam: {{}}\n  externalPolicies: {{{key}: ['{own}']}}\n"));
    world.create(&with("node"));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(attached(&world, NODES), [own.as_str()]);

    // By hand; it stays, and is told with what it grants.
    attach(&world, NODES, &other);
    let id = format!("IAMRolePolicyAttachment/{NODES} {other}");
    let told = world.ok(&["update", "cluster", NAME, "--yes"]).stdout;
    assert!(told.contains(&format!("- {id}")), "{told}");
    assert!(told.contains("- Allow  iam:*  on *"), "{told}");
    assert_eq!(attached(&world, NODES), [other.as_str(), own.as_str()]);
    // So does what the spec drops.
    world.replace(&with("control-plane"));
    world.apply(NAME);
    assert_eq!(attached(&world, NODES).len(), 2);
    assert_eq!(attached(&world, "masters.dev.example.com"), [own.as_str()]);
    world.ok(&["update", "cluster", NAME, "--yes", "--prune"]);
    assert_eq!(attached(&world, NODES), [""; 0]);
    world.assert_settled(NAME, &[]);

    // A role that has one by hand can go for all that.
    attach(&world, NODES, &other);
    world.ok(&["delete", "cluster", NAME, "--yes"]);
    assert!(role(&world, NODES).is_none());
}

#[test]
fn a_policy_that_does_not_exist_is_refused_before_anything_is_written() {
    let world = World::new("attachment_lacking");
    world.zone("example.com", "ZSANDBOX");
    let arn = "arn:aws:iam::123456789012:policy/nowhere";
    world.create(&of_today(&format!(
        "  iam: {{permissionsBoundary: '{arn}'}}\n  externalPolicies: {{node: ['{arn}']}}\n"
    )));
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    for object in [&format!("IAMRole/{NODES}"), &format!("IAMRolePolicyAttachment/{NODES} {arn}")] {
        let line =
            format!("{object}: the policy {arn} does not exist; create the policy, or correct");
        assert!(said.contains(&line), "{said}");
    }
    assert_eq!(world.iam_writes(), [""; 0]);
}

#[test]
fn both_keys_of_the_control_plane_and_what_is_no_policy_are_refused() {
    let world = World::new("attachment_wrong");
    let text = of_today(
        "  iam: {}\n  externalPolicies: {master: [], control-plane: [], node: [ReadOnlyAccess]}\n",
    );
    let file = world.write("specs.yaml", &text);
    let said = world.fails(&["create", "-f", &file]);
    let twice = "has both master and control-plane, which are one role; put them together";
    assert!(said.contains(&format!("spec.externalPolicies (line 29): {twice}")), "{said}");
    assert!(said.contains("\"ReadOnlyAccess\" is no ARN of a policy; write it like"), "{said}");
}

#[test]
fn the_boundary_is_set_changed_and_taken_away() {
    let world = World::new("boundary");
    world.zone("example.com", "ZSANDBOX");
    let (one, two) = (managed(&world, "one", "s3:*"), managed(&world, "two", "ec2:*"));
    let with = |boundary: &str| of_today(&format!("  iam: {{{boundary}}}\n"));
    world.create(&with(&format!("permissionsBoundary: '{one}'")));
    world.apply(NAME);
    world.assert_settled(NAME, &[]);
    assert_eq!(boundary(&world, NODES).as_ref(), Some(&one));

    for (spec, expected) in [
        (with(""), None),
        (with(&format!("permissionsBoundary: '{two}'")), Some(&two)),
        (with(&format!("permissionsBoundary: '{one}'")), Some(&one)),
    ] {
        world.replace(&spec);
        let plan = world.plan(NAME, &[]);
        let roles = ["masters", "nodes"].map(|role| format!("update IAMRole/{role}.{NAME}"));
        assert_eq!(actions(&plan), roles);
        assert_eq!(plan["changes"][0]["fields"][0]["field"], "permissionsBoundary");
        world.apply(NAME);
        world.assert_settled(NAME, &[]);
        assert_eq!(boundary(&world, NODES).as_ref(), expected);
    }
}

#[test]
fn with_the_policies_of_old_kops_accounts_have_no_roles_and_that_is_told() {
    let text = specs(NAME, "  iam: {useServiceAccountExternalPermissions: true}\n");
    let world = World::with("accounts_old", &text);
    let run = world.ok(&["update", "cluster", NAME, "--yes"]);
    assert!(run.stderr.contains("service accounts have no roles"), "{run:#?}");
    assert!(run.stderr.contains("kapstan iam upgrade dev.example.com --to 1.36"), "{run:#?}");
    assert!(role(&world, DNS).is_none());
}

#[test]
fn roles_of_add_ons_come_with_the_phase_of_the_cluster() {
    let world = World::with(
        "accounts_phases",
        &of_today("  iam: {useServiceAccountExternalPermissions: true}\n"),
    );
    world.ok(&["update", "cluster", NAME, "--phase", "security", "--yes"]);
    assert!(role(&world, NODES).is_some() && role(&world, DNS).is_none());
    world.ok(&["update", "cluster", NAME, "--phase", "cluster", "--yes"]);
    assert!(role(&world, DNS).is_some());
    world.assert_settled(NAME, &[]);
}

#[test]
fn a_role_of_an_account_that_is_not_the_cluster_s_is_left_alone() {
    let world = World::with(
        "accounts_foreign",
        &of_today("  iam: {useServiceAccountExternalPermissions: true}\n"),
    );
    let trust = crate::harness::trust("ec2.amazonaws.com").to_string();
    wait(world.iam().create_role().role_name(DNS).assume_role_policy_document(trust).send())
        .unwrap();
    let said = world.fails(&["update", "cluster", NAME, "--yes"]);
    assert!(said.contains(&format!("IAMRole/{DNS}: there is one already")), "{said}");
    assert_eq!(world.iam_writes().iter().filter(|one| *one != "CreateRole").count(), 0);
}
