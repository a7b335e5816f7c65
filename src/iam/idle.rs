//! The IAM resources of roles that no instance group has any more, and of service accounts that have
//! none any more. A role of instances stays as long as they act by the profile that carries it.

use crate::core::in_use::Thing;
use crate::core::kind::ResourceId;
use crate::core::seen::Seen;
use crate::core::sweep::{Offer, Place, Sweep, Unclaimed, unknown};
use crate::iam::attached::Attached;
use crate::iam::instance_profile::{IamInstanceProfile, InstanceProfileDeletion};
use crate::iam::look::{OwnRole, RoleName, RoleTrust, may_be_of_account};
use crate::iam::presence::{Parts, deletion};
use crate::iam::role::{IamRole, LiveIamRole, LiveInstanceProfile};
use crate::iam::role_policy::LivePolicies;
use crate::vpc::security_group::{LiveSecurityGroup, SecurityGroup};

const NO_GROUP_OF_ROLE: &str = "no instance group of the spec has this role";
const NO_ACCOUNT: &str = "no service account of the spec has this role";

impl OwnRole {
    fn id(&self) -> ResourceId {
        ResourceId::new(IamRole::KIND, &self.name)
    }

    /// What keeps it from being known what there is of it, if anything does.
    fn unknown(&self, seen: &Seen) -> Option<String> {
        let name = &self.name;
        let refused = [
            seen.named::<LiveInstanceProfile>(name).refused(),
            seen.named::<LiveIamRole>(name).refused(),
            seen.named::<LivePolicies>(name).refused(),
            seen.named::<Attached>(name).refused(),
        ];
        refused.into_iter().flatten().next().map(|error| unknown("what there is of it", error))
    }

    fn thing(&self, seen: &Seen) -> Option<Thing> {
        let profile = seen.one::<LiveInstanceProfile>(&self.name)?;
        Some(Thing::InstanceProfile(profile.arn.clone()))
    }
}

/// The roles that the spec has no more.
fn idle<'a>(sweep: &Sweep<'a>) -> Vec<&'a OwnRole> {
    let own = sweep.wishes::<OwnRole>().iter();
    own.filter(|role| sweep.sweeps(IamRole::KIND) && !sweep.is_wanted(&role.id())).collect()
}

fn unless_used(offer: Offer, thing: Option<Thing>) -> Offer {
    match thing {
        Some(thing) => offer.unless_used(thing),
        None => offer,
    }
}

impl Unclaimed for IamRole {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        of_accounts(sweep);
        let view = sweep.view();
        let Some(trust) = sweep.wishes::<RoleTrust>().first() else { return };
        for role in idle(sweep) {
            // Its IAM resources are looked for as long as its security group is there.
            let groups = view.seen.rows::<LiveSecurityGroup>().iter();
            let is_its =
                |group: &&LiveSecurityGroup| role.security_group.as_ref() == Some(&group.name);
            for group in groups.filter(is_its) {
                let group = Place::new(SecurityGroup::KIND, &group.id);
                sweep.hold_if_kept(group, role.id(), format!("it goes after {}", role.id()));
            }
            if let Some(why) = role.unknown(view.seen) {
                sweep.keep(role.id(), &why);
                continue;
            }
            let found = view.seen.one::<LiveIamRole>(&role.name);
            let Some(deletion) = found.and_then(|found| deletion(found, view.seen)) else {
                continue;
            };
            let parts = Parts::among(view.seen, &role.name, &trust.0);
            let whose = sweep.whose(IamRole::KIND, &parts.role());
            let place = Place::new(IamRole::KIND, &role.name);
            let offer = Offer::new(role.id(), place, deletion).because(NO_GROUP_OF_ROLE);
            sweep.offer(unless_used(offer.if_owned(whose), role.thing(view.seen)));
        }
    }
}

/// The roles of service accounts that the spec has no more.
fn of_accounts(sweep: &mut Sweep<'_>) {
    if !sweep.sweeps(IamRole::KIND) {
        return;
    }
    let view = sweep.view();
    if let Some(error) = view.seen.of::<RoleName>().refused() {
        sweep.could_not_look(IamRole::KIND, error);
    }
    for (name, looked) in view.seen.all_named::<LiveIamRole>() {
        let id = ResourceId::new(IamRole::KIND, name);
        let is_of_group = sweep.wishes::<OwnRole>().iter().any(|own| own.name == name);
        if is_of_group || sweep.is_wanted(&id) || !may_be_of_account(name, view.owner.cluster()) {
            continue;
        }
        let Some(found) = looked.one() else { continue };
        if !view.owns(IamRole::KIND, &Parts::of_pods(view.seen, name).role()) {
            continue;
        }
        let place = Place::new(IamRole::KIND, name);
        match deletion(found, view.seen) {
            Some(deletion) => sweep.offer(Offer::new(id, place, deletion).because(NO_ACCOUNT)),
            None => sweep.keep(id, "not all of it could be looked at"),
        }
    }
}

impl Unclaimed for IamInstanceProfile {
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let Some(trust) = sweep.wishes::<RoleTrust>().first() else { return };
        for role in idle(sweep) {
            let found = view.seen.one::<LiveInstanceProfile>(&role.name);
            let found = found.filter(|_| role.unknown(view.seen).is_none());
            let Some(found) = found else { continue };
            let deletion = InstanceProfileDeletion {
                name: found.name.clone(),
                roles: found.roles().cloned().collect(),
            };
            let parts = Parts::among(view.seen, &role.name, &trust.0);
            let whose = sweep.whose(IamInstanceProfile::KIND, &parts.profile(view.owner));
            let id = ResourceId::new(IamInstanceProfile::KIND, &role.name);
            let place = Place::new(IamInstanceProfile::KIND, &role.name);
            let offer = Offer::new(id, place, deletion).because(NO_GROUP_OF_ROLE);
            sweep.offer(unless_used(offer.if_owned(whose), role.thing(view.seen)));
        }
    }
}
