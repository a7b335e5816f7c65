//! Every kind in every state, under every lifecycle; and every field.

use std::collections::{BTreeMap, BTreeSet};

use super::examples::{self, group};
use super::imagined::{Imagined, outcome, planned};
use crate::catalogue::kinds::{self, Resource};
use crate::catalogue::live::Live;
use crate::core::drift::Drift;
use crate::core::kind::Kind;
use crate::core::manage::Ownership;
use crate::core::seen::Looked;
use crate::desired::DesiredCluster;
use crate::ec2::instance::Instance;
use crate::ec2::key_pair::LiveKeyPair;
use crate::ec2::launch_template::LaunchTemplate;
use crate::resolve::lifecycle::{Lifecycle, Override};
use crate::route53::dns_zone::ZoneVpc;
use crate::vpc::nat_gateway::{LiveNatGateway, NatGateway};

/// One of each kind, and of each line of the table of kinds, in the first example that has it;
/// those of IAM stand alone.
fn one_of_each() -> Vec<(DesiredCluster, Resource)> {
    let iam = examples::of_iam(&[group("nodes", "Node", None)]);
    let examples = examples::all().map(|(_, desired)| desired);
    let mut found = BTreeMap::new();
    for desired in std::iter::once(&iam).chain(&examples) {
        for resource in &desired.resources {
            found.entry((resource.id().kind, resource.line())).or_insert((desired, resource));
        }
    }
    let found = found.into_values();
    found.map(|(desired, resource)| (desired.clone(), resource.clone())).collect()
}

#[test]
fn every_kind_stands_in_the_examples() {
    let examples = one_of_each();
    let found: BTreeSet<Kind> = examples.iter().map(|(_, one)| one.id().kind).collect();
    // This one is only ever deleted.
    let wanted = kinds::ALL.iter().filter(|kind| **kind != Instance::KIND);
    assert_eq!(found, wanted.copied().collect());
    let found: BTreeSet<&str> = examples.iter().map(|(_, one)| one.line()).collect();
    assert_eq!(found, Resource::LINES.iter().copied().collect());
}

#[test]
fn what_is_settled_needs_nothing() {
    for (name, desired) in examples::all() {
        let plan = planned(&desired, &Imagined::settled(&desired).live, &[]);
        assert_eq!(outcome(&plan), "nothing", "{name}: {:#?}", plan.changes);
        assert_eq!(plan.removals.iter().map(|one| one.id.to_string()).collect::<Vec<_>>(), [""; 0]);
        let wanted: BTreeSet<_> = desired.resources.iter().map(Resource::id).collect();
        let found: BTreeSet<_> = plan.unchanged.iter().cloned().collect();
        let lacking: Vec<_> = wanted.difference(&found).map(ToString::to_string).collect();
        // Roles without a policy of the user's own have none, and one has nothing but what is attached.
        let is_absent = |one: &String| {
            one.starts_with("IAMRolePolicy/additional.") || one.starts_with("IAMRolePolicy/reader.")
        };
        assert!(lacking.iter().all(is_absent), "{lacking:?}");
    }
}

/// Every cell of the table in `docs/iam.md`, and a read that AWS refuses, for every kind.
#[test]
fn the_table_of_lifecycles_holds_for_every_kind() {
    let mut table = String::new();
    for (desired, resource) in one_of_each() {
        let aws = Imagined::settled(&desired);
        let kind = resource.id().kind;
        let is_mended = |live: &Live| planned(&desired, live, &[]).writes().next().is_some();
        let mut disturbed = aws.disturbed(&resource).into_iter().map(|(_, live)| live);
        let states = [
            ("equal", Some(aws.live.clone())),
            ("differs", disturbed.find(is_mended)),
            ("missing", Some(aws.without(&desired, &resource))),
            ("denied", Some(aws.denied(&resource))),
        ];
        for lifecycle in Lifecycle::ALL {
            for (state, live) in &states {
                // What is found by all that it has cannot differ.
                let Some(live) = live else { continue };
                let plan = planned(&desired, live, &[Override::new(kind, lifecycle)]);
                let cell = format!("{kind}={lifecycle}");
                table.push_str(&format!("{cell:47} {state:8} {}\n", outcome(&plan)));
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// Fields that no one finds otherwise.
const BY_WHICH_IT_IS_FOUND: [(&str, &[&str]); 6] = [
    ("Listener", &["port"]),
    ("VpcAmazonIpv6CidrBlock", &["vpc"]),
    ("VpcCidrBlock", &["vpc"]),
    ("SecurityGroupRule", &["group", "from", "to", "protocol", "ports"]),
    ("LoadBalancerAttachment", &["group", "to"]),
    ("EventBridgeTarget", &["rule", "queue"]),
];

/// Fields that other tests disturb, since no row of the kind tells of them.
const ELSEWHERE: [(&str, &[&str]); 5] = [
    // Whatever stands in the place of a placeholder is left.
    ("DnsName", &["address"]),
    // Set where one is made, and not looked at.
    ("Listener", &["tags"]),
    // `a_private_zone_that_the_vpc_does_not_see`
    ("DnsZone", &["vpc"]),
    // `one_role_in_two_existing_profiles_is_refused_where_it_would_be_written_twice`
    ("IamRolePolicy", &["permissions"]),
    // Old versions are no reason for a write; they go with one.
    ("LaunchTemplate", &["versions"]),
];

/// Whether a drift tells of one field, and of no other; documents tell permissions.
fn is_of(field: &str, drift: &Drift) -> bool {
    let is_document = ["trust", "document"].contains(&field);
    let is_its = |told: &str| {
        let rest = told.strip_prefix(field);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(|c: char| c == '[' || c.is_uppercase())
        })
    };
    match is_document {
        true => drift.fields.is_empty() && !drift.permissions.is_empty(),
        false => !drift.fields.is_empty() && drift.fields.iter().all(|one| is_its(&one.field)),
    }
}

#[test]
fn every_field_is_a_difference() {
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // What is shared is asked by itself.
    let mut asked = BTreeSet::new();
    for (_, desired) in examples::all() {
        let aws = Imagined::settled(&desired);
        for resource in &desired.resources {
            let (line, is_shared) = (resource.line(), resource.ownership() == Ownership::Shared);
            wanted.entry(line).or_default().extend(resource.field_names());
            for (field, live) in aws.disturbed(resource) {
                if asked.contains(&(line, is_shared, field)) {
                    continue;
                }
                let plan = planned(&desired, &live, &[]);
                let mut own = plan.changes.iter().filter(|change| change.id == resource.id());
                let Some(change) = own.next() else { continue };
                let drift = &change.drift;
                assert!(is_of(field, drift), "{} {field}: {drift:#?}", resource.id());
                assert!(own.next().is_none(), "{} {field} is told twice", resource.id());
                told.entry(line).or_default().insert(field);
                asked.insert((line, is_shared, field));
            }
        }
    }
    for (line, fields) in BY_WHICH_IT_IS_FOUND.into_iter().chain(ELSEWHERE) {
        let told = told.entry(line).or_default();
        assert!(fields.iter().all(|field| told.insert(field)), "{line} {fields:?} need no mention");
    }
    for (line, fields) in wanted {
        let told = told.remove(line).unwrap_or_default();
        let lacking: Vec<_> = fields.difference(&told).collect();
        assert!(lacking.is_empty(), "no test finds {lacking:?} of {line} otherwise");
    }
}

#[test]
fn a_private_zone_that_the_vpc_does_not_see() {
    let (_, desired) = examples::all().into_iter().find(|(name, _)| *name == "private").unwrap();
    let mut live = Imagined::settled(&desired).live;
    live.seen.put(Looked::<ZoneVpc>::Found(Vec::new()));
    let plan = planned(&desired, &live, &[]);
    assert_eq!(outcome(&plan), "update DNSZone");
    assert!(is_of("vpc", &plan.changes[0].drift));
}

#[test]
fn a_gateway_that_several_zones_share_is_one_resource() {
    let desired = examples::one_way_out();
    let gateways = desired.resources.iter().filter(|one| one.id().kind == NatGateway::KIND);
    assert_eq!(gateways.count(), 1);
    let mut aws = Imagined::settled(&desired);
    assert_eq!(outcome(&planned(&desired, &aws.live, &[])), "nothing");
    let mut gateways = aws.live.seen.rows::<LiveNatGateway>().to_vec();
    gateways[0].tags.clear();
    aws.live.seen.put(Looked::Found(gateways));
    assert_eq!(outcome(&planned(&desired, &aws.live, &[])), "update NatGateway");
}

#[test]
fn a_key_pair_with_another_key_is_a_change_unless_the_spec_names_it() {
    for (name, expected) in [("public", "update SSHKey"), ("shared", "nothing")] {
        let (_, desired) = examples::all().into_iter().find(|(own, _)| *own == name).unwrap();
        let mut aws = Imagined::settled(&desired);
        let mut keys = aws.live.seen.rows::<LiveKeyPair>().to_vec();
        let public = [
            ("d9:ce:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd", "another key"),
            // The SHA-1 of a private key.
            (
                "d9:ce:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11",
                "EC2 made this pair itself",
            ),
        ];
        for (fingerprint, remark) in public {
            keys[0].fingerprint = fingerprint.to_owned();
            aws.live.seen.put(Looked::Found(keys.clone()));
            let plan = planned(&desired, &aws.live, &[]);
            assert_eq!(outcome(&plan), expected, "{name}");
            let told = plan.changes.iter().filter_map(|change| change.drift.remark);
            assert!(told.into_iter().all(|told| told.contains(remark)), "{fingerprint}");
        }
    }
}

#[test]
fn whose_image_it_is_is_told_with_all_that_is_made_of_it() {
    let (_, desired) = examples::all().into_iter().find(|(name, _)| *name == "gossip").unwrap();
    let aws = Imagined::settled(&desired);
    let templates = desired.resources.iter().filter(|one| one.id().kind == LaunchTemplate::KIND);
    let template: &Resource = templates.into_iter().next().unwrap();
    let told = |live: &Live| {
        let plan = planned(&desired, live, &[]);
        let change = plan.changes.into_iter().find(|change| change.id == template.id()).unwrap();
        change.drift.image.map(|image| (image.id, image.owner))
    };
    let expected = Some(("ami-1".to_owned(), "123456789012".to_owned()));
    assert_eq!(told(&aws.without(&desired, template)), expected);
    for (field, live) in aws.disturbed(template) {
        let expected = expected.clone().filter(|_| !["tags", "defaultVersion"].contains(&field));
        assert_eq!(told(&live), expected, "{field}");
    }
}

/// Numbers that are the same in every run (Knuth, "The Art of Computer Programming", 3.3.4).
struct Numbers(u64);

impl Numbers {
    fn take<T>(&mut self, all: &mut Vec<T>) -> Option<T> {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(self.0 >> 33).unwrap().checked_rem(all.len())?;
        Some(all.swap_remove(place))
    }
}

/// Each plan is held to what must hold of any.
#[test]
fn whatever_several_things_are_like_a_plan_holds_together() {
    let mut numbers = Numbers(1);
    for _ in 0..25 {
        for (_, desired) in examples::all() {
            let mut aws = Imagined::settled(&desired);
            let mut overrides = BTreeMap::new();
            let mut resources: Vec<&Resource> = desired.resources.iter().collect();
            for _ in 0..3 {
                let Some(resource) = numbers.take(&mut resources) else { continue };
                let mut states: Vec<Live> =
                    aws.disturbed(resource).into_iter().map(|(_, live)| live).collect();
                states.push(aws.without(&desired, resource));
                states.push(aws.denied(resource));
                aws.live = numbers.take(&mut states).unwrap();
                let kind = numbers.take(&mut resources).unwrap().id().kind;
                let lifecycle = numbers.take(&mut Lifecycle::ALL.to_vec()).unwrap();
                overrides.insert(kind, Override::new(kind, lifecycle));
            }
            let overrides: Vec<Override> = overrides.into_values().collect();
            planned(&desired, &aws.live, &overrides);
        }
    }
}
