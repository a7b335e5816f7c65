//! AWS as it would be, and what must hold of every plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::autoscaling::load_balancer_attachment::Target;
use crate::aws::{AwsError, Fault};
use crate::catalogue::kinds::{self, Resource, Write};
use crate::catalogue::live::Live;
use crate::core::id::{Id, Ids};
use crate::core::kind::{Kind, ResourceId};
use crate::core::manage::{Ownership, View};
use crate::core::seen::{Looked, Seen};
use crate::core::whose::Owner;
use crate::desired::DesiredCluster;
use crate::ec2::image::{Images, LiveImage};
use crate::ec2::instance_type::{LiveInstanceType, X86_64};
use crate::ec2::launch_template::ROOT_DEVICE;
use crate::elb::load_balancer::ClassicName;
use crate::elb::target_group::TargetGroupArn;
use crate::iam::attached::Attached;
use crate::iam::instance_profile::IamInstanceProfile;
use crate::iam::instance_profile_role::IamInstanceProfileRole;
use crate::iam::presence;
use crate::iam::role::IamRole;
use crate::iam::role_policy::IamRolePolicy;
use crate::plan::{Action, Options, Plan, Prune, make};
use crate::policy::zone::zone_id;
use crate::resolve::lifecycle::{Lifecycles, Mode, Override};
use crate::route53::dns_zone::{DnsZone, ZoneVpc};
use crate::route53::hosted_zone::HostedZone;
use crate::vpc::route::{Route, RouteInstance};
use crate::vpc::route_table_association::RouteTableAssociation;
use crate::vpc::security_group_rule::SecurityGroupRule;

const ACCOUNT: &str = "123456789012";

/// AWS as a test imagines it, with all by which a plan finds its way there.
pub(super) struct Imagined {
    pub(super) live: Live,
    ids: Ids,
    owner: Owner,
    zone: Option<String>,
}

impl Imagined {
    /// AWS exactly as desired.
    pub(super) fn settled(desired: &DesiredCluster) -> Self {
        let zone = match &desired.zone {
            HostedZone::None => None,
            HostedZone::Id(id) => Some(zone_id(id).to_owned()),
            HostedZone::Named { .. } | HostedZone::Above { .. } => Some("ZIMAGINED".to_owned()),
        };
        let live = Live { account: ACCOUNT.to_owned(), ..Live::default() };
        let mut aws = Self { live, ids: Ids::default(), owner: desired.owner.clone(), zone };
        // Each behind those whose ids it tells.
        let mut resources: Vec<&Resource> = desired.resources.iter().collect();
        resources.sort_by_key(|resource| resource.id().kind);
        for (number, resource) in resources.into_iter().enumerate() {
            let id = format!("{}-{number}", resource.id().kind.name().to_lowercase());
            let mut seen = aws.live.seen.clone();
            resource.imagine(&id, aws.view(), &mut seen);
            aws.live.seen = seen;
            aws.learn(resource);
        }
        aws.add_surroundings(desired);
        aws
    }

    fn view(&self) -> View<'_> {
        self.view_of(&self.live.seen)
    }

    fn view_of<'a>(&'a self, seen: &'a Seen) -> View<'a> {
        let zone = self.zone.as_deref();
        View { seen, ids: &self.ids, owner: &self.owner, account: ACCOUNT, zone }
    }

    /// Those of IAM go by their names.
    fn learn(&mut self, resource: &Resource) {
        if kinds::IAM.contains(&resource.id().kind) {
            return;
        }
        self.ids.learn(resource.find(self.view()).unwrap());
    }

    /// What is looked at, and is no resource.
    fn add_surroundings(&mut self, desired: &DesiredCluster) {
        let (mut images, mut types) = (Vec::new(), BTreeMap::new());
        let (mut instances, mut zones) = (Vec::new(), Vec::new());
        let (mut balancers, mut groups) = (Vec::new(), Vec::new());
        for resource in &desired.resources {
            match resource {
                Resource::IamRole(role)
                    if self.live.seen.named::<Attached>(&role.name).exists().is_none() =>
                {
                    let nothing = Attached { role: role.name.clone(), policies: Vec::new() };
                    self.live.seen.put_named(&role.name, Looked::Found(vec![nothing]));
                }
                Resource::LaunchTemplate(template) => {
                    images.extend(template.image.names().into_iter().map(|id| LiveImage {
                        id: id.to_owned(),
                        name: String::new(),
                        owner: ACCOUNT.to_owned(),
                        alias: None,
                        architecture: X86_64.to_owned(),
                        made: String::new(),
                        root_device: ROOT_DEVICE.to_owned(),
                        asked: None,
                    }));
                    let name = &template.machine_type;
                    let found: &mut LiveInstanceType = types.entry(name.clone()).or_default();
                    found.name.clone_from(name);
                    found.architectures = vec![X86_64.to_owned()];
                    found.zones.extend(template.zones.iter().cloned());
                }
                Resource::Route(route) => {
                    let instance = route.via.instance().map(str::to_owned);
                    instances.extend(instance.map(RouteInstance));
                }
                Resource::DnsZone(zone) => {
                    let vpc = zone.private_to.as_ref().map(|vpc| self.view().id_of(vpc));
                    let zone = Id::imagined(self.zone.as_deref().unwrap());
                    zones.extend(vpc.map(|vpc| ZoneVpc { zone, vpc }));
                }
                Resource::LoadBalancerAttachment(attachment) => match &attachment.to {
                    Target::ExternalClassic(name) => balancers.push(ClassicName(name.clone())),
                    Target::ExternalTargetGroup(arn) => groups.push(TargetGroupArn(arn.clone())),
                    Target::Classic(_) | Target::Network(_) => {}
                },
                _ => {}
            }
        }
        let images = Images::new(images, BTreeMap::new());
        self.live.seen.put(Looked::Found(vec![images]));
        self.live.seen.put(Looked::Found(types.into_values().collect()));
        self.live.seen.put(Looked::Found(instances));
        self.live.seen.put(Looked::Found(zones));
        self.live.seen.put(Looked::Found(balancers));
        self.live.seen.put(Looked::Found(groups));
    }

    /// AWS with one thing more.
    pub(super) fn with(&self, resource: &Resource) -> Live {
        let mut seen = self.live.seen.clone();
        resource.imagine("more", self.view(), &mut seen);
        Live { seen, ..self.live.clone() }
    }

    /// AWS with one field of a resource otherwise, for each field.
    pub(super) fn disturbed(&self, resource: &Resource) -> Vec<(&'static str, Live)> {
        let all = resource.disturbed(self.view()).into_iter();
        all.map(|(field, seen)| (field, Live { seen, ..self.live.clone() })).collect()
    }

    /// AWS without a resource, and without what cannot be there without it.
    pub(super) fn without(&self, desired: &DesiredCluster, resource: &Resource) -> Live {
        let mut gone = BTreeSet::from([resource.id()]);
        let mut seen = self.live.seen.clone();
        let mut waiting = vec![resource];
        while let Some(next) = waiting.pop() {
            let before = seen.clone();
            next.take_away(self.view_of(&before), &mut seen);
            let id = next.id();
            let hangs_on_it = |other: &&Resource| {
                // That a profile is without its role is a state of its own.
                other.id().kind != IamInstanceProfileRole::KIND && other.needs().contains(&id)
            };
            let others = desired.resources.iter().filter(hangs_on_it);
            waiting.extend(others.filter(|other| gone.insert(other.id())));
        }
        Live { seen, ..self.live.clone() }
    }

    /// AWS that does not let a resource be looked at.
    pub(super) fn denied(&self, resource: &Resource) -> Live {
        let mut seen = self.live.seen.clone();
        resource.deny(denied(), &mut seen);
        Live { seen, ..self.live.clone() }
    }
}

pub(super) fn denied() -> AwsError {
    let (operation, object) = ("aws:Look", "it".to_owned());
    AwsError { operation, object, fault: Fault::Denied, message: "AccessDenied: no".to_owned() }
}

pub(super) fn options(overrides: &[Override]) -> Options {
    let lifecycles = Lifecycles::new(None, Mode::Apply, overrides).unwrap();
    Options { lifecycles, prune: Prune::Nothing }
}

/// What a plan comes to, in few words: IAM by name, and of others the kinds, each with its count.
pub(super) fn outcome(plan: &Plan) -> String {
    let short = |object: &str| match object.split_once('/') {
        Some((kind, _)) if !kind.starts_with("IAM") => kind.to_owned(),
        _ => object.replace(&format!("/nodes.{}", plan.cluster), ""),
    };
    let changes = plan.changes.iter().map(|change| {
        format!("{} {}", format!("{:?}", change.action).to_lowercase(), change.id.kind)
    });
    let warnings =
        plan.warnings.iter().map(|warning| format!("(warned: {})", short(&warning.object)));
    let refusals =
        plan.refusals.iter().map(|refusal| format!("REFUSED: {}", short(&refusal.object)));
    let mut all: Vec<(String, usize)> = Vec::new();
    for told in changes.chain(warnings).chain(refusals) {
        match all.iter_mut().find(|(known, _)| *known == told) {
            Some((_, count)) => *count += 1,
            None => all.push((told, 1)),
        }
    }
    let told = all.into_iter().map(|(told, count)| match count {
        1 => told,
        count => format!("{told} ×{count}"),
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

/// A plan, which holds what must hold of each.
pub(super) fn planned(desired: &DesiredCluster, live: &Live, overrides: &[Override]) -> Plan {
    let plan = make(desired, live, &options(overrides));
    check(&plan, desired, live);
    plan
}

/// What must hold of any plan.
#[track_caller]
fn check(plan: &Plan, desired: &DesiredCluster, live: &Live) {
    let mut written = BTreeSet::new();
    for change in plan.writes() {
        assert!(written.insert(&change.id), "two writes to {}", change.id);
    }
    for change in plan.changes.iter().filter(|change| change.action == Action::Leave) {
        assert!(!change.reason.is_empty(), "{} is left without a reason", change.id);
        assert!(change.write.is_none(), "{} is left and written", change.id);
    }
    check_needs(plan, live, &written);
    let owner = crate::plan::owner(desired, live);
    let seen = &live.seen;
    let view = View { seen, ids: &plan.ids, owner: &owner, account: ACCOUNT, zone: None };
    for change in &plan.changes {
        let update = match &change.write {
            Some(Write::Update(update)) => update,
            Some(Write::Create(_) | Write::Delete(_)) | None => continue,
        };
        let (ownership, whose, drift) = update.faces(view);
        if let Some(whose) = whose.filter(|_| ownership == Ownership::Ours) {
            assert!(whose.is_owned(), "{} is written, though {whose:?}", change.id);
        }
        // A private zone is shown to the VPC, which changes nothing of it.
        let is_shared = ownership == Ownership::Shared && change.id.kind != DnsZone::KIND;
        let tags_alone = drift.fields.iter().all(|change| change.field.starts_with("tags["));
        assert!(!is_shared || tags_alone, "of {}, which is shared: {drift:?}", change.id);
    }
}

/// What a write needs is there, or comes before, or the plan says that it lacks.
#[track_caller]
fn check_needs(plan: &Plan, live: &Live, written: &BTreeSet<&ResourceId>) {
    // These come first where they come, but nothing refers to them.
    const UNNAMED: [Kind; 3] = [Route::KIND, RouteTableAssociation::KIND, SecurityGroupRule::KIND];
    let refused: Vec<&str> = plan.refusals.iter().map(|one| one.object.as_str()).collect();
    let mut done = BTreeSet::new();
    for change in plan.writes() {
        if change.action != Action::Delete {
            for need in &change.needs {
                let is_there = match need.kind {
                    IamRole::KIND => presence::has_role(&live.seen, &need.name) != Some(false),
                    IamInstanceProfile::KIND => {
                        presence::has_profile(&live.seen, &need.name) != Some(false)
                    }
                    IamRolePolicy::KIND | IamInstanceProfileRole::KIND => true,
                    kind => UNNAMED.contains(&kind) || plan.ids.get(need).is_some(),
                };
                let is_met = match written.contains(need) {
                    true => done.contains(need),
                    false => is_there,
                };
                let ids = [need.to_string(), change.id.to_string()];
                let is_told = ids.iter().any(|id| refused.contains(&id.as_str()));
                assert!(is_met || is_told, "{} before {need}", change.id);
            }
        }
        done.insert(&change.id);
    }
}
