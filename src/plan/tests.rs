//! Plans made in memory: a spec, AWS as a test says it is, and what comes of it.

mod examples;
mod hostile;
mod imagined;
mod lifecycles;
mod machines;
mod removals;
mod termination;

use serde_json::{Value as Json, json};

use super::*;
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, LiveGroup};
use crate::aws::tags::Tags;
use crate::catalogue::kinds;
use crate::core::document::LiveDocument;
use crate::core::id::Id;
use crate::core::seen::{Looked, Row};
use crate::ec2::launch_template::LiveTemplate;
use crate::ec2::volume::EbsVolume;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::{IamRole, LiveIamRole, LiveInstanceProfile};
use crate::iam::role_policy::{Content, IamRolePolicy, LivePolicies, LivePolicy};
use crate::policy::document::Document;
use crate::policy::parse::PrincipalRule;
use crate::resolve::lifecycle::Override;
use crate::vpc::security_group::LiveSecurityGroup;
use crate::vpc::security_group_rule::{LiveRule, Peer, SecurityGroupRule};
use examples::group;
use imagined::{Imagined, denied, outcome, planned};

const ROLE: &str = "nodes.dev.k8s.local";

fn live_document(document: &Document) -> LiveDocument {
    LiveDocument::decode(&document.to_compact(), PrincipalRule::Expected)
}

fn put<T: Row>(live: &mut Live, name: &str, found: T) {
    live.seen.put_named(name, Looked::Found(vec![found]));
}

fn put_missing<T: Row>(live: &mut Live, name: &str) {
    live.seen.put_named::<T>(name, Looked::Found(Vec::new()));
}

fn put_denied<T: Row>(live: &mut Live, name: &str) {
    live.seen.put_named::<T>(name, Looked::Denied(denied()));
}

fn one<T: Row>(live: &Live, name: &str) -> T {
    live.seen.one::<T>(name).unwrap().clone()
}

/// Puts a policy into its role, or takes it out.
fn put_policy(live: &mut Live, policy: &IamRolePolicy, document: Option<LiveDocument>) {
    let found = live.seen.one::<LivePolicies>(&policy.role);
    let mut policies = found.map_or_else(Vec::new, |found| found.policies.clone());
    policies.retain(|other| other.name != policy.name);
    let name = policy.name.clone();
    policies.extend(document.map(|document| LivePolicy { name, document }));
    put(live, &policy.role, LivePolicies { role: policy.role.clone(), policies });
}

/// The nodes' own policy.
fn own() -> IamRolePolicy {
    let (name, role) = (ROLE.to_owned(), ROLE.to_owned());
    IamRolePolicy { name, role, content: Content::Absent, inside: None }
}

#[test]
fn nothing_is_put_into_a_role_of_somebody_else() {
    let desired = examples::of_iam(&[group("nodes", "Node", None)]);
    let mut live = Imagined::settled(&desired).live;
    put_policy(&mut live, &own(), None);
    let theirs: LiveIamRole = one(&live, ROLE);
    put(&mut live, ROLE, LiveIamRole { tags: Tags::new(), ..theirs });
    let under = |lifecycle| {
        let plan = planned(&desired, &live, &[Override::new(IamRole::KIND, lifecycle)]);
        outcome(&plan)
    };
    assert_eq!(under(Lifecycle::Sync), "REFUSED: IAMRole");
    assert_eq!(under(Lifecycle::Ignore), "REFUSED: IAMRolePolicy");
    assert_eq!(
        under(Lifecycle::ExistsAndWarnIfChanges),
        "leave IAMRole, (warned: IAMRole), REFUSED: IAMRolePolicy"
    );
    // With the cluster's policy in it, it is as kops makes roles, and gets its tags.
    let other = LiveDocument::decode(r#"{"Statement": []}"#, PrincipalRule::Expected);
    put_policy(&mut live, &own(), Some(other));
    let plan = planned(&desired, &live, &[]);
    assert_eq!(outcome(&plan), "update IAMRole, update IAMRolePolicy");
}

#[test]
fn what_is_settled_needs_nothing_and_a_plan_is_the_same_every_time() {
    let groups = [group("masters", "Master", None), group("nodes", "Node", None)];
    let desired = examples::of_iam(&groups);
    let settled = planned(&desired, &Imagined::settled(&desired).live, &[]);
    assert_eq!(outcome(&settled), "nothing");
    assert_eq!(settled.unchanged.len(), 8);
    let mut empty = Live::default();
    for resource in &desired.resources {
        let name = resource.id().name;
        put_missing::<LiveIamRole>(&mut empty, &name);
        put_missing::<LivePolicies>(&mut empty, &name);
        put_missing::<LiveInstanceProfile>(&mut empty, &name);
    }
    let plans = [0; 2].map(|_| format!("{:?}", planned(&desired, &empty, &[])));
    assert_eq!(plans[0], plans[1]);
}

/// The existing profile `team` whose role `team-role` has one policy of its own.
fn existing() -> (DesiredCluster, Live) {
    let desired = examples::of_iam(&[group("nodes", "Node", Some("team"))]);
    let trust = live_document(&desired.existing[0].trust);
    let name = Id::imagined("team-role");
    let role = LiveIamRole { name, trust, tags: Tags::new(), boundary: None };
    let profile = LiveInstanceProfile {
        name: Id::imagined("team"),
        arn: "arn:aws:iam::123456789012:instance-profile/team".to_owned(),
        tags: Tags::new(),
        role: Some(role),
        further: Vec::new(),
    };
    let own = r#"{"Statement": [{"Effect": "Allow", "Action": "es:*", "Resource": "*"}]}"#;
    let document = LiveDocument::decode(own, PrincipalRule::Refused);
    let policies = vec![LivePolicy { name: "own".to_owned(), document }];
    let mut live = Live { account: "123456789012".to_owned(), ..Live::default() };
    put(&mut live, "team", profile);
    put(&mut live, "team-role", LivePolicies { role: "team-role".to_owned(), policies });
    (desired, live)
}

#[test]
fn nothing_but_sync_writes_to_an_existing_profile() {
    let (desired, live) = existing();
    for lifecycle in Lifecycle::ALL {
        for kind in kinds::IAM {
            let plan = planned(&desired, &live, &[Override::new(kind, lifecycle)]);
            let written: Vec<Kind> = plan.writes().map(|change| change.id.kind).collect();
            let may_write = lifecycle == Lifecycle::Sync && kind == IamRolePolicy::KIND;
            assert_eq!(!written.is_empty(), may_write, "{kind}={lifecycle}: {written:?}");
            assert!(written.iter().all(|written| *written == kind));
        }
    }
}

#[test]
fn a_profile_that_may_not_be_read_is_not_written_by_guess() {
    let (desired, mut live) = existing();
    put_denied::<LiveInstanceProfile>(&mut live, "team");
    live.seen.put_named::<LivePolicies>("team-role", Looked::Not);
    let sync = [
        Override::new(IamInstanceProfile::KIND, Lifecycle::Ignore),
        Override::new(IamInstanceProfileRole::KIND, Lifecycle::Ignore),
        Override::new(IamRole::KIND, Lifecycle::Sync),
        Override::new(IamRolePolicy::KIND, Lifecycle::Sync),
    ];
    let plan = planned(&desired, &live, &sync);
    assert_eq!(outcome(&plan), "REFUSED: IAMRole/team, REFUSED: IAMRolePolicy/team");
}

#[test]
fn one_role_in_two_existing_profiles_is_refused_where_it_would_be_written_twice() {
    let groups = [group("masters", "Master", Some("front")), group("nodes", "Node", Some("back"))];
    let desired = examples::of_iam(&groups);
    let (_, mut live) = existing();
    let shared: LiveInstanceProfile = one(&live, "team");
    for name in ["front", "back"] {
        let profile = LiveInstanceProfile { name: Id::imagined(name), ..shared.clone() };
        put(&mut live, name, profile);
    }
    let looked_at = planned(&desired, &live, &[]);
    assert_eq!(looked_at.refusals, []);
    assert_eq!(looked_at.count(Action::Leave), 2);
    let sync = [Override::new(IamRolePolicy::KIND, Lifecycle::Sync)];
    let written = planned(&desired, &live, &sync);
    assert_eq!(
        written.refusals[0].to_string(),
        "IAMRolePolicy/team-role: two instance profiles of different groups carry this role and \
         want it in different ways; give each profile a role of its own"
    );
}

#[test]
fn a_live_text_that_is_no_policy_is_replaced() {
    let desired = examples::of_iam(&[group("nodes", "Node", None)]);
    let mut live = Imagined::settled(&desired).live;
    let broken = LiveDocument::decode("%7Bbroken", PrincipalRule::Refused);
    put_policy(&mut live, &own(), Some(broken));
    let plan = planned(&desired, &live, &[]);
    assert_eq!(outcome(&plan), "update IAMRolePolicy");
    assert_eq!(plan.changes[0].drift.fields[0].before.as_deref(), Some("a text that is no policy"));
}

#[test]
fn another_notation_of_a_policy_is_no_drift() {
    let desired = examples::of_iam(&[group("nodes", "Node", None)]);
    let mut live = Imagined::settled(&desired).live;
    let found: LivePolicies = one(&live, ROLE);
    let policy: Json = serde_json::from_str(&found.get(ROLE).unwrap().text).unwrap();
    let texts = |value: &Json| match value {
        Json::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    // Each action by itself, in reverse, with Sids and bare texts.
    let statements = policy["Statement"].as_array().unwrap().iter().rev().enumerate();
    let statements = statements.flat_map(|(index, statement)| {
        let resource = match &texts(&statement["Resource"])[..] {
            [one] => one.clone(),
            many => many.iter().rev().cloned().collect(),
        };
        let actions = texts(&statement["Action"]).into_iter().rev().enumerate();
        let by_itself = move |(number, action)| {
            let sid = format!("S{index}x{number}");
            json!({"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource})
        };
        actions.map(by_itself).collect::<Vec<_>>()
    });
    let other = json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()});
    let other = LiveDocument::decode(&other.to_string(), PrincipalRule::Refused);
    put_policy(&mut live, &own(), Some(other));
    assert_eq!(outcome(&planned(&desired, &live, &[])), "nothing");
}

#[test]
fn a_policy_of_another_name_in_a_role_of_ours_is_left_alone() {
    let desired = examples::of_iam(&[group("nodes", "Node", None)]);
    let mut live = Imagined::settled(&desired).live;
    let by_hand = IamRolePolicy { name: "by-hand".to_owned(), ..own() };
    let other = r#"{"Statement": [{"Effect": "Allow", "Action": "es:*", "Resource": "*"}]}"#;
    let other = LiveDocument::decode(other, PrincipalRule::Refused);
    put_policy(&mut live, &by_hand, Some(other));
    assert_eq!(outcome(&planned(&desired, &live, &[])), "leave IAMRolePolicy");
}

#[test]
fn what_a_write_needs_must_exist() {
    let desired = examples::of_iam(&[group("nodes", "Node", None)]);
    let aws = Imagined::settled(&desired);
    let mut roles = desired.resources.iter().filter(|one| one.id().kind == IamRole::KIND);
    let live = aws.without(&desired, roles.next().unwrap());
    for lifecycle in [Lifecycle::Ignore, Lifecycle::ExistsAndWarnIfChanges] {
        let plan = planned(&desired, &live, &[Override::new(IamRole::KIND, lifecycle)]);
        let refusals: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
        assert_eq!(
            refusals,
            [
                "IAMRolePolicy/nodes.dev.k8s.local: needs IAMRole/nodes.dev.k8s.local, which does not \
              exist and is not created; create it first, or let kapstan: --lifecycle-overrides \
              IAMRole=Sync"
            ]
        );
    }
}

#[test]
fn a_rule_too_many_goes_from_the_cluster_s_own_ports_and_stays_on_others() {
    let (_, desired) = examples::all().into_iter().next().unwrap();
    let mut live = Imagined::settled(&desired).live;
    let groups = live.seen.rows::<LiveSecurityGroup>();
    let nodes = groups.iter().find(|group| group.name == "nodes.public.example.com").unwrap();
    let rule = |port: i32, cidr: &str| LiveRule {
        id: Id::imagined(format!("sgr-{port}")),
        group: nodes.id.clone(),
        egress: false,
        protocol: "tcp".to_owned(),
        ports: (port, port),
        peer: Peer::Cidr(cidr.to_owned()),
        tags: Tags::new(),
    };
    let mut rules = live.seen.rows::<LiveRule>().to_vec();
    rules.extend([rule(22, "203.0.113.0/24"), rule(31000, "0.0.0.0/0")]);
    live.seen.put(Looked::Found(rules));
    let told = |lifecycle| {
        let overrides = [Override::new(SecurityGroupRule::KIND, lifecycle)];
        outcome(&planned(&desired, &live, &overrides))
    };
    let mended = "delete SecurityGroupRule, leave SecurityGroupRule";
    assert_eq!(told(Lifecycle::Sync), mended);
    assert_eq!(told(Lifecycle::WarnIfInsufficientAccess), mended);
    assert_eq!(told(Lifecycle::Ignore), "nothing");
    // Where nothing is written, it is told as what it is.
    let left = "leave SecurityGroupRule ×2";
    let warned = format!("{left}, (warned: SecurityGroupRule)");
    assert_eq!(told(Lifecycle::ExistsAndWarnIfChanges), warned);
    let refused = format!("{left}, REFUSED: SecurityGroupRule");
    assert_eq!(told(Lifecycle::ExistsAndValidates), refused);
    let overrides = [Override::new(SecurityGroupRule::KIND, Lifecycle::ExistsAndWarnIfChanges)];
    let plan = planned(&desired, &live, &overrides);
    let reasons: Vec<&str> = plan.changes.iter().map(|change| change.reason.as_str()).collect();
    let own = "no rule of this cluster, on a port that is its own; left as it is \
               (ExistsAndWarnIfChanges)";
    assert_eq!(reasons, [own, "not kapstan's, left as it is"]);
    let fields: Vec<usize> = plan.changes.iter().map(|one| one.drift.fields.len()).collect();
    assert_eq!(fields, [1, 0]);
}

#[test]
fn what_needs_each_other_is_refused_by_name() {
    let mut desired = examples::bare(&[group("nodes", "Node", None)]);
    for resource in &mut desired.resources {
        if let Resource::LaunchTemplate(template) = resource {
            template.after.push(ResourceId::new(AutoscalingGroup::KIND, &template.name));
        }
    }
    let mut live = Imagined::settled(&desired).live;
    live.seen.put(Looked::<LiveTemplate>::Found(Vec::new()));
    live.seen.put(Looked::<LiveGroup>::Found(Vec::new()));
    let plan = planned(&desired, &live, &[]);
    let refusals: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
    let cycle = "LaunchTemplate/nodes.dev.k8s.local: LaunchTemplate/nodes.dev.k8s.local needs \
                 AutoscalingGroup/nodes.dev.k8s.local needs LaunchTemplate/nodes.dev.k8s.local, so \
                 that none of them can come first; this is a fault of kapstan: report it with this \
                 plan, as -o json prints it";
    assert!(refusals.iter().any(|refusal| refusal == cycle), "{refusals:#?}");
}

/// A volume of 20 GiB that is wanted encrypted, as one that has lost a tag.
fn volume(size: i32, encrypted: bool) -> (DesiredCluster, Live) {
    use crate::ec2::volume::{EbsVolume, LiveVolume};
    let mut desired = examples::bare(&[]);
    let owned = ("kubernetes.io/cluster/dev.k8s.local".to_owned(), "owned".to_owned());
    let named = ("Name".to_owned(), "a.etcd-main".to_owned());
    let etcd = ("k8s.io/etcd/main".to_owned(), "a/a".to_owned());
    let tags: Tags = [owned, named].into_iter().collect();
    let wanted = EbsVolume {
        name: "a.etcd-main".to_owned(),
        zone: "us-west-2a".to_owned(),
        size: 20,
        volume_type: "gp2".to_owned(),
        iops: None,
        throughput: None,
        encrypted: true,
        kms_key: None,
        tags: tags.iter().map(|(key, value)| (key.clone(), value.clone())).chain([etcd]).collect(),
    };
    let found = LiveVolume {
        id: Id::imagined("vol-1"),
        zone: wanted.zone.clone(),
        size,
        volume_type: wanted.volume_type.clone(),
        iops: None,
        throughput: None,
        encrypted,
        kms_key: None,
        attached_to: Vec::new(),
        made: None,
        tags,
    };
    desired.resources = vec![Resource::EbsVolume(wanted)];
    let mut live = Live::default();
    live.seen.put(Looked::Found(vec![found]));
    (desired, live)
}

#[test]
fn fields_that_no_write_mends_are_told_beside_those_that_one_does() {
    let mut table = String::new();
    for (what, size, encrypted) in
        [("tag", 20, true), ("tag, size", 30, true), ("tag, size, fixed", 30, false)]
    {
        let (desired, live) = volume(size, encrypted);
        for lifecycle in Lifecycle::ALL {
            let overrides = [Override::new(EbsVolume::KIND, lifecycle)];
            let plan = planned(&desired, &live, &overrides);
            table.push_str(&format!("{what}, {lifecycle}\n"));
            for change in &plan.changes {
                let fields: Vec<&str> =
                    change.drift.fields.iter().map(|field| field.field.as_str()).collect();
                let action = format!("{:?}", change.action).to_lowercase();
                table.push_str(&format!("  {action} {} {}\n", fields.join(" "), change.reason));
            }
            for (mark, notices) in [("warned", &plan.warnings), ("REFUSED", &plan.refusals)] {
                for notice in notices {
                    table.push_str(&format!("  {mark} {notice}\n"));
                }
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn of_two_volumes_for_one_member_the_one_that_is_another_s_is_told_and_neither_is_offered() {
    use crate::ec2::volume::LiveVolume;
    let (mut desired, mut live) = volume(20, true);
    let own: LiveVolume = live.seen.rows::<LiveVolume>()[0].clone();
    let mut other = LiveVolume { id: Id::imagined("vol-2"), ..own.clone() };
    other.tags.insert("Name".to_owned(), "a.etcd-events".to_owned());
    other.tags.insert("k8s.io/etcd/main".to_owned(), "a/a".to_owned());
    live.seen.put(Looked::Found(vec![other, own]));
    let next_of = |desired: &DesiredCluster| {
        let plan = planned(desired, &live, &[]);
        assert!(plan.removals.is_empty(), "{:#?}", plan.removals);
        let refusal = plan.refusals.into_iter().find(|one| one.object == "EBSVolume/a.etcd-main");
        refusal.unwrap().next
    };
    // As far as is known it was renamed, and may be the one that was in use.
    assert_eq!(next_of(&desired), "none is used: delete all but one");
    let Resource::EbsVolume(main) = &desired.resources[0] else { panic!() };
    let mut events = main.clone();
    events.name = "a.etcd-events".to_owned();
    events.tags.remove("k8s.io/etcd/main");
    desired.resources.push(events.into());
    let next = "vol-2 belongs elsewhere: take the tags off it that tell of this, and keep vol-1";
    assert_eq!(next_of(&desired), next);
}

#[test]
fn what_another_cluster_has_is_not_to_be_made_this_one_s_too() {
    use crate::ec2::volume::LiveVolume;
    let (desired, mut live) = volume(20, true);
    let mut found: LiveVolume = live.seen.rows::<LiveVolume>()[0].clone();
    let named = ("Name".to_owned(), "a.etcd-main".to_owned());
    let others = ("kubernetes.io/cluster/other.k8s.local".to_owned(), "owned".to_owned());
    found.tags = [named, others].into_iter().collect();
    live.seen.put(Looked::Found(vec![found]));
    let plan = planned(&desired, &live, &[]);
    assert_eq!(outcome(&plan), "REFUSED: EBSVolume");
    let next = "it is the cluster other.k8s.local's: rename one of the two";
    assert_eq!(plan.refusals[0].next, next);
}
