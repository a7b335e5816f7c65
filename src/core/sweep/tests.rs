use super::*;
use crate::aws::tags::Tags;
use crate::aws::{Aws, Fault};
use crate::core::deletion::Delete;
use crate::core::holders::Holders;
use crate::core::id::Ids;
use crate::core::in_use::User;
use crate::core::kind::Layer;
use crate::core::seen::Seen;
use crate::core::whose::Owner;
use crate::core::work::Work;

const GROUP: Kind = Kind::new(0, "Group", Layer::Cluster);
const SUBNET: Kind = Kind::new(1, "Subnet", Layer::Network);
const GATEWAY: Kind = Kind::new(2, "Gateway", Layer::Network);
const ADDRESS: Kind = Kind::new(3, "Address", Layer::Network);

#[derive(Clone, Debug, PartialEq)]
struct Gone;

impl Delete for Gone {
    async fn attempt(&self, _: &Aws) -> Result<(), AwsError> {
        Ok(())
    }

    async fn holders(&self, _: &Work<'_>, _: &mut Holders) -> Result<(), AwsError> {
        Ok(())
    }
}

fn at(kind: Kind) -> Place {
    Place::new(kind, "1")
}

fn offer(kind: Kind) -> Offer {
    Offer::new(ResourceId::new(kind, "one"), at(kind), Gone)
}

/// What comes of a sweep: what goes, and what stays and why, apart from what command takes it.
fn swept(in_use: &InUse, tell: impl FnOnce(&mut Sweep<'_>)) -> (String, Swept) {
    let (seen, ids, wishes) = (Seen::default(), Ids::default(), Wishes::default());
    let owner = Owner::with_spec("a.com");
    let mut sweep = Sweep::new(Ground {
        view: View { seen: &seen, ids: &ids, owner: &owner, account: "", zone: None },
        in_use,
        wishes: &wishes,
        wanted: BTreeSet::new(),
        written: BTreeSet::new(),
        looked: BTreeSet::new(),
        swept: BTreeSet::new(),
        with_data: false,
    });
    tell(&mut sweep);
    let swept = sweep.outcome();
    let going = swept.going.iter().map(|one| format!("- {}", one.id.kind));
    let staying = swept.staying.iter().map(|(id, why)| {
        let mark = if swept.kept.contains(id) { "=" } else { "~" };
        format!("{mark} {}: {}", id.kind, why.split(';').next().unwrap_or_default())
    });
    let mut told: Vec<String> = going.chain(staying).collect();
    told.sort_by_key(|line| line[2..].to_owned());
    (told.join(", "), swept)
}

fn told(in_use: &InUse, tell: impl FnOnce(&mut Sweep<'_>)) -> String {
    swept(in_use, tell).0
}

fn used_by(user: User) -> InUse {
    let mut in_use = InUse::default();
    in_use.put(Thing::Subnet("1".to_owned()), Ok(vec![user]));
    in_use
}

fn instance(scaling_group: Option<&str>) -> User {
    let scaling_group = scaling_group.map(str::to_owned);
    User { id: "i-1".to_owned(), scaling_group, version: None }
}

/// A subnet that instances may use, a gateway that is the way out of it, and its address.
fn chain(sweep: &mut Sweep<'_>, order: [Kind; 3]) {
    for kind in order {
        match kind {
            SUBNET => sweep.offer(offer(kind).unless_used(Thing::Subnet("1".to_owned()))),
            _ => sweep.offer(offer(kind)),
        }
    }
    sweep.hold_unless_gone(at(GATEWAY), at(SUBNET), "the way out".to_owned());
    sweep.hold_unless_gone(at(ADDRESS), at(GATEWAY), "used by it".to_owned());
}

#[test]
fn what_is_held_holds_others_in_whatever_order_they_are_told() {
    let nobody = {
        let mut in_use = InUse::default();
        in_use.put(Thing::Subnet("1".to_owned()), Ok(Vec::new()));
        in_use
    };
    for order in [[SUBNET, GATEWAY, ADDRESS], [ADDRESS, GATEWAY, SUBNET]] {
        let goes = told(&nobody, |sweep| chain(sweep, order));
        assert_eq!(goes, "- Address, - Gateway, - Subnet", "{order:?}");
        let stays = told(&used_by(instance(None)), |sweep| chain(sweep, order));
        let all = "= Address: used by it, = Gateway: the way out, = Subnet: used by i-1";
        assert_eq!(stays, all, "{order:?}");
    }
}

#[test]
fn what_instances_use_goes_if_they_go_with_their_group() {
    let group = |members: &[&str]| {
        let members = members.iter().map(|id| (*id).to_owned()).collect();
        offer(GROUP).with_members(members)
    };
    let subnet = || offer(SUBNET).unless_used(Thing::Subnet("1".to_owned()));
    // By the group's own word, and by the instance's.
    for (members, user) in [(["i-1"], instance(None)), (["i-2"], instance(Some("1")))] {
        let goes = told(&used_by(user), |sweep| {
            sweep.offer(subnet());
            sweep.offer(group(&members));
        });
        assert_eq!(goes, "- Group, - Subnet");
    }
    let stays = told(&used_by(instance(Some("1"))), |sweep| {
        sweep.offer(subnet());
        sweep.offer(group(&["i-1"]));
        sweep.hold(at(GROUP), "held".to_owned());
    });
    assert_eq!(stays, "= Group: held, = Subnet: used by i-1");
}

#[test]
fn two_that_hold_each_other_go_together_and_stay_together() {
    let pair = |sweep: &mut Sweep<'_>| {
        sweep.offer(offer(GATEWAY));
        sweep.offer(offer(ADDRESS));
        sweep.hold_unless_gone(at(GATEWAY), at(ADDRESS), "by the address".to_owned());
        sweep.hold_unless_gone(at(ADDRESS), at(GATEWAY), "by the gateway".to_owned());
    };
    assert_eq!(told(&InUse::default(), pair), "- Address, - Gateway");
    let stays = told(&InUse::default(), |sweep| {
        pair(sweep);
        sweep.hold_unless_gone(at(GATEWAY), at(SUBNET), "by what is wanted".to_owned());
    });
    assert_eq!(stays, "= Address: by the gateway, = Gateway: by what is wanted");
}

#[test]
fn what_goes_with_something_is_told_only_if_that_goes() {
    let foreign = || Whose::Foreign("tagged".to_owned());
    let along = |whose: Whose, sweep: &mut Sweep<'_>| {
        sweep.offer(offer(ADDRESS).along_with(at(GATEWAY)).if_owned(whose));
        sweep.offer(offer(GATEWAY));
    };
    let none = InUse::default();
    assert_eq!(told(&none, |sweep| along(Whose::Owned, sweep)), "- Address, - Gateway");
    assert_eq!(told(&none, |sweep| along(foreign(), sweep)), "~ Address: tagged, - Gateway");
    for whose in [Whose::Owned, foreign()] {
        let stays = told(&none, |sweep| {
            along(whose, sweep);
            sweep.hold(at(GATEWAY), "held".to_owned());
        });
        assert_eq!(stays, "= Gateway: held");
    }
}

#[test]
fn what_stays_behind_a_kept_one_goes_where_there_is_none() {
    let kept = ResourceId::new(GATEWAY, "one");
    let behind = |sweep: &mut Sweep<'_>| {
        sweep.offer(offer(ADDRESS));
        sweep.hold_if_kept(at(ADDRESS), kept.clone(), "behind it".to_owned());
    };
    let none = InUse::default();
    assert_eq!(told(&none, behind), "- Address");
    let stays = told(&none, |sweep| {
        behind(sweep);
        sweep.keep(kept.clone(), "not known");
    });
    assert_eq!(stays, "= Address: behind it, = Gateway: not known");
    // What is somebody else's holds nothing.
    let foreign = told(&none, |sweep| {
        behind(sweep);
        sweep.offer(offer(GATEWAY).if_owned(Whose::Foreign("tagged".to_owned())));
    });
    assert_eq!(foreign, "- Address, ~ Gateway: tagged");
}

#[test]
fn all_that_may_go_is_asked_about_and_nothing_else() {
    let subnet = |id: &str| {
        let id = id.to_owned();
        Offer::new(ResourceId::new(SUBNET, &id), Place::new(SUBNET, &id), Gone)
            .unless_used(Thing::Subnet(id))
    };
    let (_, swept) = swept(&InUse::default(), |sweep| {
        sweep.offer(subnet("alone"));
        sweep.offer(subnet("of a kept one"));
        sweep.hold_unless_gone(Place::new(SUBNET, "of a kept one"), at(GATEWAY), String::new());
        sweep.offer(subnet("held"));
        sweep.hold(Place::new(SUBNET, "held"), String::new());
        sweep.offer(subnet("foreign").if_owned(Whose::Foreign(String::new())));
    });
    let asked = ["alone", "of a kept one"].map(|id| Thing::Subnet(id.to_owned()));
    assert_eq!(swept.unasked, BTreeSet::from(asked));
    assert!(swept.going.is_empty());
}

#[test]
fn what_could_not_be_looked_for_is_told_where_nobody_else_does() {
    #[derive(Clone, Debug)]
    struct Row;
    let error = AwsError {
        operation: "ec2:DescribeThings",
        object: String::new(),
        fault: Fault::Denied,
        message: String::new(),
    };
    let (mut seen, ids, wishes) = (Seen::default(), Ids::default(), Wishes::default());
    seen.put(Looked::<Row>::Denied(error));
    let (owner, in_use) = (Owner::with_spec("a.com"), InUse::default());
    let unseen = |wanted: &[Kind], swept: &[Kind]| {
        let wanted = wanted.iter().map(|kind| ResourceId::new(*kind, "one"));
        let mut sweep = Sweep::new(Ground {
            view: View { seen: &seen, ids: &ids, owner: &owner, account: "", zone: None },
            in_use: &in_use,
            wishes: &wishes,
            wanted: wanted.collect(),
            written: BTreeSet::new(),
            looked: BTreeSet::new(),
            swept: swept.iter().copied().collect(),
            with_data: false,
        });
        assert!(sweep.rows::<Row>(SUBNET).is_empty());
        sweep.outcome().unseen.len()
    };
    assert_eq!(unseen(&[], &[SUBNET]), 1);
    assert_eq!(unseen(&[SUBNET], &[SUBNET]), 0);
    assert_eq!(unseen(&[], &[]), 0);
}

#[test]
fn what_speaks_of_the_cluster_and_is_not_its_own_is_told() {
    let tags = |value: &str| -> Tags {
        [("kubernetes.io/cluster/a.com".to_owned(), value.to_owned())].into_iter().collect()
    };
    let none = InUse::default();
    for (tags, ours, told_of) in [
        (tags("owned"), true, ""),
        (tags("shared"), false, "~ Subnet: tagged kubernetes.io/cluster/a.com=shared"),
        (Tags::new(), false, ""),
    ] {
        let told = told(&none, |sweep| {
            let marks = Marks::of("1").tags(&tags);
            assert_eq!(sweep.is_ours(&ResourceId::new(SUBNET, "one"), &marks), ours);
        });
        assert_eq!(told, told_of);
    }
}
