//! What becomes of all that a spec no longer has.

use super::examples;
use super::imagined::{Imagined, options};
use crate::autoscaling::autoscaling_group::AutoscalingGroup;
use crate::catalogue::kinds::{self, Resource, Write};
use crate::catalogue::live::Live;
use crate::core::drift::Drift;
use crate::core::id::Id;
use crate::core::in_use::User;
use crate::core::kind::ResourceId;
use crate::core::seen::{Looked, Seen};
use crate::desired::DesiredCluster;
use crate::ec2::launch_template::{LaunchTemplate, LiveTemplate, TemplateUser};
use crate::plan::{Action, Change, Options, Plan, Prune, make, order};
use crate::resolve::lifecycle::{Lifecycle, Override};
use crate::vpc::cidr_block::LiveCidrBlock;
use crate::vpc::vpc::{LiveVpc, VpcDeletion};

/// Examples as they were built, of which the specs have no more than the VPC.
fn bare() -> Vec<(&'static str, DesiredCluster, Live)> {
    let examples = examples::all().into_iter();
    let bare = examples.map(|(name, mut desired)| {
        let mut live = Imagined::settled(&desired).live;
        add_ranges(&mut live.seen);
        desired.resources.retain(|one| matches!(one, Resource::Vpc(_)));
        (name, desired, live)
    });
    bare.collect()
}

/// Has the VPC tell its ranges too, as it does.
fn add_ranges(seen: &mut Seen) {
    let ranges = seen.rows::<LiveCidrBlock>().iter();
    let ranges: Vec<_> =
        ranges.map(|one| (one.cidr.clone(), "vpc-cidr-assoc-1".to_owned())).collect();
    let vpcs = seen.rows::<LiveVpc>().iter();
    let vpcs = vpcs.map(|vpc| LiveVpc { more_cidrs: ranges.clone(), ..vpc.clone() }).collect();
    seen.put(Looked::Found(vpcs));
}

/// A plan, once it is known who uses what.
fn asked(desired: &DesiredCluster, live: &mut Live, options: &Options, users: &[User]) -> Plan {
    for thing in make(desired, live, options).unasked() {
        live.in_use.put(thing.clone(), Ok(users.to_vec()));
    }
    let plan = make(desired, live, options);
    assert!(plan.unasked().is_empty(), "{:?}", plan.unasked());
    plan
}

/// The plan that deletes all of it, with these using all that instances may use.
fn swept(desired: &DesiredCluster, live: &mut Live, prune: Prune, users: &[User]) -> Plan {
    let plan = asked(desired, live, &Options { prune, ..options(&[]) }, users);
    let refusals: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(refusals, [""; 0]);
    plan
}

fn told(name: &str, plan: &Plan) -> String {
    let lines = plan.removals.iter().map(|change| {
        let mark = if change.action == Action::Delete { "-" } else { "=" };
        format!("  {mark} {}  {}\n", change.id, change.reason)
    });
    format!("{name}\n{}", lines.collect::<String>())
}

#[test]
fn all_that_left_the_spec_goes_or_says_why_not() {
    let mut table = String::new();
    for (name, desired, mut live) in bare() {
        let mut plan = swept(&desired, &mut live, Prune::Everything, &[]);
        table.push_str(&told(name, &plan));
        order::sort(&mut plan.removals).unwrap();
        for (position, change) in plan.removals.iter().enumerate() {
            let later = plan.removals[position..].iter().find(|later| {
                change.action == Action::Delete
                    && later.action == Action::Delete
                    && kinds::swept_behind(change.id.kind).contains(&later.id.kind)
            });
            assert!(later.is_none(), "{} before {later:?}", change.id);
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_an_instance_uses_stays_with_all_that_it_needs() {
    let user = User { id: "i-theirs".to_owned(), scaling_group: None, version: None };
    let mut table = String::new();
    for (name, desired, mut live) in bare() {
        let plan = swept(&desired, &mut live, Prune::ButVolumes, std::slice::from_ref(&user));
        table.push_str(&told(name, &plan));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_a_group_runs_on_stays_where_groups_are_left_alone() {
    let (_, desired, mut live) = bare().remove(0);
    let templates = live.seen.rows::<LiveTemplate>().iter().map(|template| TemplateUser {
        group: ResourceId::new(AutoscalingGroup::KIND, &template.name),
        template: template.id.clone(),
        tags: template.tags.clone(),
    });
    live.seen.put(Looked::Found(templates.collect::<Vec<_>>()));
    let templates = |live: &mut Live, overrides: &[Override]| -> Vec<String> {
        let options = Options { prune: Prune::Everything, ..options(overrides) };
        let plan = asked(&desired, live, &options, &[]);
        let found = plan.removals.iter().filter(|one| one.id.kind == LaunchTemplate::KIND);
        found.map(|one| format!("{:?} {}", one.action, one.reason)).collect()
    };
    let goes = templates(&mut live, &[]);
    assert!(goes.len() == 4 && goes.iter().all(|one| one.starts_with("Delete ")), "{goes:?}");
    let left = Override::new(AutoscalingGroup::KIND, Lifecycle::ExistsAndWarnIfChanges);
    let stays = templates(&mut live, &[left]);
    let why = "Stay stays: run by AutoscalingGroup/";
    assert!(stays.len() == 4 && stays.iter().all(|one| one.starts_with(why)), "{stays:?}");
}

#[test]
fn no_kind_goes_behind_one_that_goes_behind_it() {
    let deletion = |id: ResourceId| Change {
        behind: kinds::swept_behind(id.kind),
        id,
        action: Action::Delete,
        drift: Drift::default(),
        reason: String::new(),
        needs: Vec::new(),
        write: Some(Write::Delete(VpcDeletion(Id::imagined("vpc-1")).into())),
    };
    let all = kinds::ALL.iter().map(|kind| deletion(ResourceId::new(*kind, "one")));
    order::check(all.collect::<Vec<_>>().iter()).unwrap();
}
