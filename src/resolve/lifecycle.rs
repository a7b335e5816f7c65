//! How far kapstan may go with a resource: its lifecycle, set by the phase and overridden
//! by kind. The tables are in `docs/iam.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::catalogue::kinds;
use crate::core::kind::{Kind, Layer};
use crate::ec2::instance::Instance;
use crate::spec::spelling::nearest;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lifecycle {
    Sync,
    Ignore,
    WarnIfInsufficientAccess,
    ExistsAndValidates,
    ExistsAndWarnIfChanges,
}

impl Lifecycle {
    pub(crate) const ALL: [Self; 5] = [
        Self::Sync,
        Self::Ignore,
        Self::WarnIfInsufficientAccess,
        Self::ExistsAndValidates,
        Self::ExistsAndWarnIfChanges,
    ];

    /// Whether the cluster's own is written; what the user brings along, `Sync` alone writes.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Sync | Self::WarnIfInsufficientAccess)
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Assets,
    Network,
    Security,
    Cluster,
}

/// Whether the plan is to be carried out, which makes the phase `cluster` stricter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    DryRun,
    Apply,
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    Managed,
    /// Of an add-on, which comes with the cluster and not with what it stands on.
    AddOn,
    /// Of an instance profile that the user brings along.
    Existing,
}

/// `KIND=LIFECYCLE` of `--lifecycle-overrides`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Override {
    word: Word,
    lifecycle: Lifecycle,
}

/// What an override names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    Kind(Kind),
    /// A kind of older kops, by its place in [`kinds::ONCE`].
    Once(usize),
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.name(),
            Self::Once(place) => kinds::ONCE[place].0,
        }
    }
}

impl Override {
    pub(crate) fn new(kind: Kind, lifecycle: Lifecycle) -> Self {
        Self { word: Word::Kind(kind), lifecycle }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.word.text(), self.lifecycle)
    }
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, lifecycle) = text.split_once('=').ok_or_else(|| {
            format!("{text:?} is no override; write KIND=LIFECYCLE, such as IAMRole=Ignore")
        })?;
        // Instances are only ever deleted.
        let planned = kinds::ALL.iter().filter(|kind| **kind != Instance::KIND);
        let kinds: Vec<_> = planned.map(|kind| (kind.name(), Word::Kind(*kind))).collect();
        let once = kinds::ONCE.iter().position(|(word, ..)| *word == kind.trim());
        let word = match once {
            Some(place) => Word::Once(place),
            None => one_of(kind, "kind", &kinds)?,
        };
        let lifecycles = Lifecycle::ALL.map(|lifecycle| (format!("{lifecycle:?}"), lifecycle));
        let lifecycles = lifecycles.each_ref().map(|(name, value)| (name.as_str(), *value));
        Ok(Self { word, lifecycle: one_of(lifecycle, "lifecycle", &lifecycles)? })
    }
}

fn one_of<T: Copy>(word: &str, what: &str, known: &[(&str, T)]) -> Result<T, String> {
    let word = word.trim();
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let hint = nearest(word, names.iter().copied()).map(|name| format!("; did you mean {name}?"));
    Err(format!(
        "{word:?} is no {what} that kapstan knows: {}{}",
        names.join(", "),
        hint.unwrap_or_default()
    ))
}

/// The lifecycle of every resource of a run.
#[derive(Clone, Debug)]
pub(crate) struct Lifecycles {
    phase: Option<Phase>,
    mode: Mode,
    overrides: BTreeMap<Kind, Lifecycle>,
}

impl Lifecycles {
    /// # Errors
    /// One kind with two lifecycles.
    pub(crate) fn new(
        phase: Option<Phase>,
        mode: Mode,
        overrides: &[Override],
    ) -> Result<Self, String> {
        let (mut by_kind, mut once) = (BTreeMap::new(), BTreeMap::new());
        for Override { word, lifecycle } in overrides {
            let before = match word {
                Word::Kind(kind) => by_kind.insert(*kind, *lifecycle),
                Word::Once(place) => once.insert(*place, *lifecycle),
            };
            if let Some(other) = before.filter(|other| other != lifecycle) {
                let word = word.text();
                return Err(format!("{word} is overridden twice: {other} and {lifecycle}"));
            }
        }
        let mut overrides = by_kind.clone();
        let mut stand_for = |kinds: &[Kind], lifecycle: Lifecycle| {
            if !kinds.iter().any(|kind| by_kind.contains_key(kind)) {
                overrides.extend(kinds.iter().map(|kind| (*kind, lifecycle)));
            }
        };
        for (whole, lifecycle) in &by_kind {
            let parts = kinds::ALSO_BY.iter().filter(|(_, of)| of == whole);
            let parts: Vec<Kind> = parts.map(|(part, _)| *part).collect();
            stand_for(&parts, *lifecycle);
        }
        for (place, lifecycle) in once {
            let (_, kind, others) = kinds::ONCE[place];
            stand_for(&[kind], lifecycle);
            stand_for(others, lifecycle);
        }
        Ok(Self { phase, mode, overrides })
    }

    /// The lifecycle of a resource. What the user brings along is only looked at, whatever
    /// the phase writes, unless an override says `Sync`.
    pub(crate) fn of(&self, kind: Kind, origin: Origin) -> Lifecycle {
        if let Some(lifecycle) = self.overridden(kind) {
            return lifecycle;
        }
        let layer = if origin == Origin::AddOn { Layer::Cluster } else { kind.layer() };
        match (self.of_layer(layer), origin) {
            (lifecycle, Origin::Managed | Origin::AddOn) => lifecycle,
            (Lifecycle::Ignore, Origin::Existing) => Lifecycle::Ignore,
            (_, Origin::Existing) => Lifecycle::ExistsAndWarnIfChanges,
        }
    }

    pub(crate) fn overridden(&self, kind: Kind) -> Option<Lifecycle> {
        self.overrides.get(&kind).copied()
    }

    fn of_layer(&self, layer: Layer) -> Lifecycle {
        let looked_at = match self.mode {
            Mode::DryRun => Lifecycle::ExistsAndWarnIfChanges,
            Mode::Apply => Lifecycle::ExistsAndValidates,
        };
        match (self.phase, layer) {
            (None, _)
            | (Some(Phase::Network), Layer::Network)
            | (Some(Phase::Security), Layer::Security)
            | (Some(Phase::Cluster), Layer::Cluster) => Lifecycle::Sync,
            (Some(Phase::Security), Layer::Network) => Lifecycle::ExistsAndWarnIfChanges,
            (Some(Phase::Cluster), Layer::Network | Layer::Security) => looked_at,
            (Some(Phase::Assets | Phase::Network | Phase::Security), _) => Lifecycle::Ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elb::listener::Listener;
    use crate::elb::load_balancer::LoadBalancer;
    use crate::elb::network_load_balancer::NetworkLoadBalancer;
    use crate::elb::target_group::TargetGroup;
    use crate::iam::role::IamRole;

    fn lifecycle(
        phase: Option<Phase>,
        mode: Mode,
        overrides: &[&str],
        origin: Origin,
    ) -> Lifecycle {
        let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        Lifecycles::new(phase, mode, &overrides).unwrap().of(IamRole::KIND, origin)
    }

    #[test]
    fn phases_set_the_lifecycle_of_the_security_layer() {
        use Lifecycle::{ExistsAndValidates, ExistsAndWarnIfChanges, Ignore, Sync};
        use Mode::{Apply, DryRun};
        for (phase, mode, managed, existing) in [
            (None, DryRun, Sync, ExistsAndWarnIfChanges),
            (None, Apply, Sync, ExistsAndWarnIfChanges),
            (Some(Phase::Network), Apply, Ignore, Ignore),
            (Some(Phase::Assets), Apply, Ignore, Ignore),
            (Some(Phase::Security), Apply, Sync, ExistsAndWarnIfChanges),
            (Some(Phase::Cluster), DryRun, ExistsAndWarnIfChanges, ExistsAndWarnIfChanges),
            (Some(Phase::Cluster), Apply, ExistsAndValidates, ExistsAndWarnIfChanges),
        ] {
            assert_eq!(lifecycle(phase, mode, &[], Origin::Managed), managed, "{phase:?} {mode:?}");
            let of_add_on = match phase {
                None | Some(Phase::Cluster) => Sync,
                Some(_) => Ignore,
            };
            assert_eq!(lifecycle(phase, mode, &[], Origin::AddOn), of_add_on, "{phase:?} {mode:?}");
            assert_eq!(
                lifecycle(phase, mode, &[], Origin::Existing),
                existing,
                "{phase:?} {mode:?}"
            );
        }
    }

    #[test]
    fn overrides_win_over_phases() {
        let of = |overrides: &[&str], origin| {
            lifecycle(Some(Phase::Network), Mode::Apply, overrides, origin)
        };
        assert_eq!(of(&["IAMRole=Sync"], Origin::Managed), Lifecycle::Sync);
        assert_eq!(of(&["IAMRole=Sync"], Origin::Existing), Lifecycle::Sync);
        assert_eq!(of(&["IAMRolePolicy=Sync"], Origin::Managed), Lifecycle::Ignore);
    }

    #[test]
    fn a_load_balancer_s_name_stands_for_its_parts_as_long_as_none_of_them_is_named() {
        use Lifecycle::{ExistsAndValidates, Ignore, Sync};
        let of = |overrides: &[&str]| {
            let overrides: Vec<Override> = overrides.iter().map(|o| o.parse().unwrap()).collect();
            let lifecycles = Lifecycles::new(None, Mode::Apply, &overrides).unwrap();
            let kinds =
                [LoadBalancer::KIND, NetworkLoadBalancer::KIND, TargetGroup::KIND, Listener::KIND];
            kinds.map(|kind| lifecycles.of(kind, Origin::Managed))
        };
        assert_eq!(of(&[]), [Sync; 4]);
        assert_eq!(of(&["LoadBalancer=Ignore"]), [Ignore; 4]);
        assert_eq!(of(&["ClassicLoadBalancer=Ignore"]), [Ignore, Sync, Sync, Sync]);
        let named = of(&["TargetGroup=ExistsAndValidates", "LoadBalancer=Ignore"]);
        assert_eq!(named, [Ignore, Sync, ExistsAndValidates, Sync]);
        assert_eq!(of(&["NetworkLoadBalancer=Ignore"]), [Sync, Ignore, Sync, Sync]);
    }

    #[test]
    fn unknown_words_are_refused_with_the_known_ones() {
        let error = |text: &str| text.parse::<Override>().unwrap_err();
        let unknown = error("IAMRol=Sync");
        assert!(
            unknown.starts_with("\"IAMRol\" is no kind that kapstan knows: VPC, "),
            "{unknown}"
        );
        assert!(unknown.ends_with("; did you mean IAMRole?"), "{unknown}");
        assert!("LaunchConfiguration=Ignore".parse::<Override>().is_ok());
        assert_eq!(
            error("IAMRole=ExistAndValidates"),
            "\"ExistAndValidates\" is no lifecycle that kapstan knows: Sync, Ignore, \
             WarnIfInsufficientAccess, ExistsAndValidates, ExistsAndWarnIfChanges; did you mean \
             ExistsAndValidates?"
        );
        assert!(error("IAMRole").contains("KIND=LIFECYCLE"));
        let twice = ["IAMRole=Sync", "IAMRole=Ignore"].map(|text| text.parse().unwrap());
        assert!(Lifecycles::new(None, Mode::Apply, &twice).is_err());
    }
}
