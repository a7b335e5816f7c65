//! Plans made in memory: a spec, AWS as a test says it is, and what comes of it.

use serde_json::json;

use super::lifecycle::{Mode, Override};
use super::*;
use crate::autoscaling::autoscaling_group::{AutoscalingGroup, LiveGroup};
use crate::aws::Fault;
use crate::aws::tags::Tags;
use crate::catalogue::kinds;
use crate::core::document::LiveDocument;
use crate::core::seen::Looked;
use crate::desired::Input;
use crate::ec2::launch_template::LiveTemplate;
use crate::ec2::volume::EbsVolume;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::role::LiveInstanceProfile;
use crate::iam::role::{IamRole, LiveIamRole};
use crate::iam::role_policy::IamRolePolicy;
use crate::iam::role_policy::{Content, LivePolicies, LivePolicy};
use crate::policy::document::Document;
use crate::policy::parse::PrincipalRule;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;

const ROLE: &str = "nodes.dev.k8s.local";

fn group(name: &str, role: &str, profile: Option<&str>) -> InstanceGroup {
    let iam = profile.map(
        |name| json!({"profile": format!("arn:aws:iam::123456789012:instance-profile/{name}")}),
    );
    let spec = json!({"role": role, "iam": iam});
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

/// The IAM kinds of a cluster, which alone have tables here.
fn desired(groups: &[InstanceGroup]) -> DesiredCluster {
    let mut desired = whole(groups);
    desired.resources.retain(|resource| kinds::IAM.contains(&resource.id().kind));
    desired
}

/// A strict cluster below `k8s.local`, so that no hosted zone is looked for.
fn whole(groups: &[InstanceGroup]) -> DesiredCluster {
    let spec = json!({"iam": {}, "subnets": [{"name": "a", "zone": "us-west-2a"}]});
    let cluster: Cluster =
        serde_json::from_value(json!({"metadata": {"name": "dev.k8s.local"}, "spec": spec}))
            .unwrap();
    let groups: Vec<&InstanceGroup> = groups.iter().collect();
    let base = Some("s3://state/dev.k8s.local");
    let input = Input { cluster: &cluster, groups: &groups, base, ssh_keys: &[] };
    let mut desired = crate::desired::cluster(input).unwrap();
    desired.refusals.clear();
    desired
}

fn live_document(document: &Document) -> LiveDocument {
    LiveDocument::decode(&document.to_compact(), PrincipalRule::Expected)
}

fn put<T: Send + Sync + 'static>(live: &mut Live, name: &str, found: T) {
    live.seen.put_named(name, Looked::Found(vec![found]));
}

fn put_missing<T: Send + Sync + 'static>(live: &mut Live, name: &str) {
    live.seen.put_named::<T>(name, Looked::Found(Vec::new()));
}

fn put_denied<T: Send + Sync + 'static>(live: &mut Live, name: &str) {
    live.seen.put_named::<T>(name, Looked::Denied(denied()));
}

fn one<T: Clone + Send + Sync + 'static>(live: &Live, name: &str) -> T {
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

/// AWS exactly as desired.
fn settled(desired: &DesiredCluster) -> Live {
    let mut live = Live { account: "123456789012".to_owned(), ..Live::default() };
    for resource in &desired.resources {
        match resource {
            Resource::IamRole(role) => {
                let (trust, tags) = (live_document(&role.trust), role.tags.clone());
                put(&mut live, &role.name, LiveIamRole { name: role.name.clone(), trust, tags });
            }
            Resource::IamRolePolicy(policy) => {
                let document = policy.content.document(None);
                put_policy(&mut live, policy, document.map(|document| live_document(&document)));
            }
            Resource::IamInstanceProfile(profile) => {
                let found = LiveInstanceProfile {
                    name: profile.name.clone(),
                    arn: format!("arn:aws:iam::123456789012:instance-profile/{}", profile.name),
                    tags: profile.tags.clone(),
                    role: None,
                };
                put(&mut live, &profile.name, found);
            }
            Resource::IamInstanceProfileRole(link) => {
                let mut profile: LiveInstanceProfile = one(&live, &link.profile);
                profile.role = Some(one(&live, &link.role));
                put(&mut live, &link.profile, profile);
            }
            _ => {}
        }
    }
    live
}

fn denied() -> AwsError {
    let message = "AccessDenied: no".to_owned();
    AwsError { operation: "iam:Get", object: ROLE.to_owned(), fault: Fault::Denied, message }
}

#[derive(Clone, Copy, Debug)]
enum Found {
    Equal,
    Differs,
    Missing,
    Denied,
}

/// Puts one kind of the nodes' resources into a state.
fn disturb(live: &mut Live, kind: Kind, state: Found) {
    let other = || LiveDocument::decode(r#"{"Statement": []}"#, PrincipalRule::Expected);
    match (kind, state) {
        (_, Found::Equal) => {}
        (IamRole::KIND, Found::Differs) => {
            let role: LiveIamRole = one(live, ROLE);
            put(live, ROLE, LiveIamRole { trust: other(), ..role });
        }
        (IamRole::KIND, Found::Missing) => {
            put_missing::<LiveIamRole>(live, ROLE);
            put_missing::<LivePolicies>(live, ROLE);
        }
        (IamRole::KIND, Found::Denied) => put_denied::<LiveIamRole>(live, ROLE),
        (IamRolePolicy::KIND, Found::Denied) => put_denied::<LivePolicies>(live, ROLE),
        (IamRolePolicy::KIND, Found::Missing) => put_policy(live, &own(), None),
        (IamRolePolicy::KIND, _) => put_policy(live, &own(), Some(other())),
        (_, Found::Denied) => put_denied::<LiveInstanceProfile>(live, ROLE),
        (IamInstanceProfile::KIND, Found::Missing) => {
            put_missing::<LiveInstanceProfile>(live, ROLE);
        }
        (kind, state) => {
            let mut profile: LiveInstanceProfile = one(live, ROLE);
            match (kind, state) {
                (IamInstanceProfile::KIND, _) => profile.tags.clear(),
                (_, Found::Missing) => profile.role = None,
                (_, _) => {
                    let role: LiveIamRole = one(live, ROLE);
                    profile.role = Some(LiveIamRole { name: "another".to_owned(), ..role });
                }
            }
            put(live, ROLE, profile);
        }
    }
}

/// What a plan comes to, in few words.
fn outcome(plan: &Plan) -> String {
    let changes = plan.changes.iter().map(|change| {
        format!("{} {}", format!("{:?}", change.action).to_lowercase(), change.id.kind)
    });
    let warnings = plan.warnings.iter().map(|warning| format!("(warned: {})", warning.object));
    let refusals = plan.refusals.iter().map(|refusal| format!("REFUSED: {}", refusal.object));
    let all: Vec<String> = changes.chain(warnings).chain(refusals).collect();
    let text = all.join(", ").replace(&format!("/{ROLE}"), "");
    if text.is_empty() { "nothing".to_owned() } else { text }
}

fn options(overrides: &[Override]) -> Options {
    let lifecycles = Lifecycles::new(None, Mode::Apply, overrides).unwrap();
    Options { lifecycles, prune: Prune::Nothing }
}

/// Every cell of the table in `docs/iam.md`, and a read that AWS refuses, for every kind.
#[test]
fn the_table_of_lifecycles_holds_for_every_kind() {
    let desired = desired(&[group("nodes", "Node", None)]);
    let mut table = String::new();
    for kind in kinds::IAM {
        for lifecycle in Lifecycle::ALL {
            for state in [Found::Equal, Found::Differs, Found::Missing, Found::Denied] {
                let mut live = settled(&desired);
                disturb(&mut live, kind, state);
                let plan = make(&desired, &live, &options(&[Override::new(kind, lifecycle)]));
                let cell = format!("{kind}={lifecycle}");
                let state = format!("{state:?}").to_lowercase();
                table.push_str(&format!("{cell:47} {state:8} {}\n", outcome(&plan)));
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn nothing_is_put_into_a_role_of_somebody_else() {
    let desired = desired(&[group("nodes", "Node", None)]);
    let mut live = settled(&desired);
    disturb(&mut live, IamRolePolicy::KIND, Found::Missing);
    let theirs: LiveIamRole = one(&live, ROLE);
    put(&mut live, ROLE, LiveIamRole { tags: Tags::new(), ..theirs });
    let under = |lifecycle| {
        let plan = make(&desired, &live, &options(&[Override::new(IamRole::KIND, lifecycle)]));
        outcome(&plan)
    };
    assert_eq!(under(Lifecycle::Sync), "REFUSED: IAMRole");
    assert_eq!(under(Lifecycle::Ignore), "REFUSED: IAMRolePolicy");
    assert_eq!(
        under(Lifecycle::ExistsAndWarnIfChanges),
        "leave IAMRole, (warned: IAMRole), REFUSED: IAMRolePolicy"
    );
    // With the cluster's policy in it, it is as kops makes roles, and gets its tags.
    disturb(&mut live, IamRolePolicy::KIND, Found::Differs);
    let plan = make(&desired, &live, &options(&[]));
    assert_eq!(outcome(&plan), "update IAMRole, update IAMRolePolicy");
}

#[test]
fn what_is_settled_needs_nothing_and_a_plan_is_the_same_every_time() {
    let groups = [group("masters", "Master", None), group("nodes", "Node", None)];
    let desired = desired(&groups);
    let settled = make(&desired, &settled(&desired), &options(&[]));
    assert_eq!(outcome(&settled), "nothing");
    assert_eq!(settled.unchanged.len(), 8);
    let mut empty = Live::default();
    for resource in &desired.resources {
        let name = resource.id().name;
        put_missing::<LiveIamRole>(&mut empty, &name);
        put_missing::<LivePolicies>(&mut empty, &name);
        put_missing::<LiveInstanceProfile>(&mut empty, &name);
    }
    let plans = [0; 2].map(|_| format!("{:?}", make(&desired, &empty, &options(&[]))));
    assert_eq!(plans[0], plans[1]);
}

/// The existing profile `team` whose role `team-role` has one policy of its own.
fn existing() -> (DesiredCluster, Live) {
    let desired = desired(&[group("nodes", "Node", Some("team"))]);
    let trust = live_document(&desired.existing[0].trust);
    let role = LiveIamRole { name: "team-role".to_owned(), trust, tags: Tags::new() };
    let profile = LiveInstanceProfile {
        name: "team".to_owned(),
        arn: "arn:aws:iam::123456789012:instance-profile/team".to_owned(),
        tags: Tags::new(),
        role: Some(role),
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
            let plan = make(&desired, &live, &options(&[Override::new(kind, lifecycle)]));
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
    let plan = make(&desired, &live, &options(&sync));
    assert_eq!(outcome(&plan), "REFUSED: IAMRole/team, REFUSED: IAMRolePolicy/team");
}

#[test]
fn one_role_in_two_existing_profiles_is_refused_where_it_would_be_written_twice() {
    let groups = [group("masters", "Master", Some("front")), group("nodes", "Node", Some("back"))];
    let desired = desired(&groups);
    let (_, mut live) = existing();
    let shared: LiveInstanceProfile = one(&live, "team");
    for name in ["front", "back"] {
        put(&mut live, name, LiveInstanceProfile { name: name.to_owned(), ..shared.clone() });
    }
    let looked_at = make(&desired, &live, &options(&[]));
    assert_eq!(looked_at.refusals, []);
    assert_eq!(looked_at.count(Action::Leave), 2);
    let sync = [Override::new(IamRolePolicy::KIND, Lifecycle::Sync)];
    let written = make(&desired, &live, &options(&sync));
    assert_eq!(
        written.refusals[0].to_string(),
        "IAMRolePolicy/team-role: two instance profiles of different groups carry this role and \
         want it in different ways; give each profile a role of its own"
    );
}

#[test]
fn a_live_text_that_is_no_policy_is_replaced() {
    let desired = desired(&[group("nodes", "Node", None)]);
    let mut live = settled(&desired);
    let broken = LiveDocument::decode("%7Bbroken", PrincipalRule::Refused);
    put_policy(&mut live, &own(), Some(broken));
    let plan = make(&desired, &live, &options(&[]));
    assert_eq!(outcome(&plan), "update IAMRolePolicy");
    assert_eq!(plan.changes[0].drift.fields[0].before.as_deref(), Some("a text that is no policy"));
}

#[test]
fn what_needs_each_other_is_refused_by_name() {
    let mut desired = whole(&[group("nodes", "Node", None)]);
    for resource in &mut desired.resources {
        if let Resource::LaunchTemplate(template) = resource {
            template.after.push(ResourceId::new(AutoscalingGroup::KIND, &template.name));
        }
    }
    let mut live = settled(&desired);
    live.seen.put(Looked::<LiveTemplate>::Found(Vec::new()));
    live.seen.put(Looked::<LiveGroup>::Found(Vec::new()));
    let plan = make(&desired, &live, &options(&[]));
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
    let mut desired = whole(&[]);
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
        id: "vol-1".to_owned(),
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
            let plan = make(&desired, &live, &options(&overrides));
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
