//! Rules in the cluster's security groups, and listeners of its load balancers, that nobody
//! asked kapstan for.
//!
//! Kubernetes and people add rules, so they stay; only where a port is the cluster's own, and
//! for what goes out, a rule too many is removed, as kops does
//! (`upup/pkg/fi/cloudup/awstasks/securitygroup.go`).

use std::collections::BTreeMap;

use super::lifecycle::{Lifecycle, Origin};
use super::{Action, Change, Planner};
use crate::catalogue::kinds::{Resource, Write};
use crate::core::drift::{Drift, FieldChange};
use crate::core::kind::ResourceId;
use crate::core::manage::Manage as _;
use crate::elb::listener::{Listener, LiveListener};
use crate::elb::load_balancer::{LiveLoadBalancer, LoadBalancer};
use crate::vpc::security_group::{LiveSecurityGroup, SecurityGroup};
use crate::vpc::security_group_rule::{SecurityGroupRule, SecurityGroupRuleDeletion};

const NOT_OURS: &str = "not kapstan's, left as it is";

pub(super) fn plan(planner: &mut Planner<'_>, resources: &[Resource]) {
    rules(planner, resources);
    // Listeners on other ports than ours are told, and left.
    classic_listeners(planner, resources);
    listeners(planner, resources);
}

fn classic_listeners(planner: &mut Planner<'_>, resources: &[Resource]) {
    if planner.lifecycles.of(LoadBalancer::KIND, Origin::Managed) == Lifecycle::Ignore {
        return;
    }
    let (view, live) = (planner.view(), planner.live);
    let mut told = Vec::new();
    for resource in resources {
        let Resource::LoadBalancer(balancer) = resource else { continue };
        let found = live.seen.rows::<LiveLoadBalancer>().iter().find(|row| balancer.is(row, view));
        let listeners = found.map(|row| row.listeners.as_slice()).unwrap_or_default();
        let foreign = listeners.iter().filter(|listener| !balancer.is_ours(listener));
        told.extend(foreign.map(|listener| {
            let name = format!("{}: listener {listener}", balancer.name);
            left(ResourceId::new(LoadBalancer::KIND, name))
        }));
    }
    planner.plan.changes.extend(told);
}

fn listeners(planner: &mut Planner<'_>, resources: &[Resource]) {
    if planner.lifecycles.of(Listener::KIND, Origin::Managed) == Lifecycle::Ignore {
        return;
    }
    let wanted = resources.iter().filter_map(|resource| match resource {
        Resource::Listener(listener) => Some(listener),
        _ => None,
    });
    let wanted: Vec<&Listener> = wanted.collect();
    let view = planner.view();
    let mut told = Vec::new();
    for found in planner.live.seen.rows::<LiveListener>() {
        let beside = wanted.iter().find(|one| view.is(&one.balancer, &found.balancer));
        if let (Some(one), false) = (beside, wanted.iter().any(|one| one.is(found, view))) {
            let name = format!("{}: {found}", one.balancer.name);
            told.push(left(ResourceId::new(Listener::KIND, name)));
        }
    }
    planner.plan.changes.extend(told);
}

fn left(id: ResourceId) -> Change {
    Change::left(id, Drift::default(), NOT_OURS.to_owned())
}

fn rules(planner: &mut Planner<'_>, resources: &[Resource]) {
    let lifecycle = planner.lifecycles.of(SecurityGroupRule::KIND, Origin::Managed);
    if lifecycle == Lifecycle::Ignore {
        return;
    }
    let mut wanted: BTreeMap<&ResourceId, Vec<&SecurityGroupRule>> = BTreeMap::new();
    for resource in resources {
        if let Resource::SecurityGroupRule(rule) = resource {
            wanted.entry(&rule.group).or_default().push(rule);
        }
    }
    let rows = planner.live.seen.rows::<LiveSecurityGroup>();
    let rows: BTreeMap<&str, &LiveSecurityGroup> =
        rows.iter().map(|found| (found.id.as_str(), found)).collect();
    for resource in resources {
        let Resource::SecurityGroup(group) = resource else { continue };
        if group.existing.is_some() {
            continue;
        }
        let id = resource.id();
        if let Some(found) = planner.ids.get(&id).and_then(|id| rows.get(id)) {
            let wanted = wanted.get(&id).map(Vec::as_slice).unwrap_or_default();
            plan_group(planner, wanted, group, found, lifecycle);
        }
    }
}

fn plan_group(
    planner: &mut Planner<'_>,
    wanted: &[&SecurityGroupRule],
    group: &SecurityGroup,
    found: &LiveSecurityGroup,
    lifecycle: Lifecycle,
) {
    let mut changes = Vec::new();
    for live in &found.rules {
        let view = planner.view();
        if wanted.iter().any(|rule| rule.is(live, view)) {
            continue;
        }
        let is_own_port = |port: &i32| live.from == Some(*port) && live.to == Some(*port);
        let goes = live.egress || group.own_ports.iter().any(is_own_port);
        let goes = goes && lifecycle.writes();
        let fields = vec![FieldChange {
            field: "rule".to_owned(),
            before: Some(live.to_string()),
            after: (!goes).then(|| live.to_string()),
        }];
        changes.push(Change {
            id: ResourceId::new(SecurityGroupRule::KIND, format!("{}: {live}", group.name)),
            action: if goes { Action::Delete } else { Action::Leave },
            drift: Drift { fields: if goes { fields } else { Vec::new() }, ..Drift::default() },
            reason: match goes {
                true => "no rule of this cluster, on a port that is its own".to_owned(),
                false => NOT_OURS.to_owned(),
            },
            needs: Vec::new(),
            behind: &[],
            write: goes.then(|| Write::Delete(SecurityGroupRuleDeletion(live.clone()).into())),
        });
    }
    planner.plan.changes.extend(changes);
}
