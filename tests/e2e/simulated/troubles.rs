//! What goes wrong in the simulated cluster, or around it.

use super::cluster::Cluster;

/// What goes wrong. Times are in seconds from the beginning.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// New instances of a group never become nodes.
    NeverJoins(&'static str),
    /// New nodes of a group are never ready.
    NeverReady(&'static str),
    /// New nodes of a group have a taint, which an agent takes away so many seconds after they
    /// are ready.
    StartsTainted(&'static str, &'static str, i64),
    /// New instances of a group get the names of those that are gone.
    ReusesNames(&'static str),
    /// Nodes of instances that are gone stay.
    KeepsNodes,
    /// The API refuses connections between these times.
    Away(i64, i64),
    /// It takes them and says nothing.
    Hangs(i64, i64),
    /// It knows no token from this time on.
    ForgetsTokens(i64),
    /// The user lacks a right, as in `patch nodes`.
    Lacks(&'static str),
    /// The user has it in these namespaces only.
    Only(&'static str, &'static [&'static str]),
    /// A policy denies something, with this code and these words.
    Policy(Denial, u16, &'static str),
    /// Nodes have no provider id.
    Anonymous,
    /// Nodes are those of other instances.
    Strangers,
    /// This workload's pods are not ready every second look, between these times.
    Flaps(&'static str, i64, i64),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denial {
    Evictions,
    Cordons,
}

/// How the API is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    Answers,
    Refuses,
    Hangs,
}

/// Something that happens just before a request is answered.
pub type Happens = Box<dyn FnOnce(&mut Cluster) + Send>;

impl Cluster {
    pub fn reach(&self) -> Reach {
        let since = self.now - self.begun;
        let reach = self.troubles.iter().find_map(|trouble| match trouble {
            Trouble::Away(from, to) if (*from..*to).contains(&since) => Some(Reach::Refuses),
            Trouble::Hangs(from, to) if (*from..*to).contains(&since) => Some(Reach::Hangs),
            _ => None,
        });
        reach.unwrap_or(Reach::Answers)
    }

    pub fn has_forgotten_tokens(&self) -> bool {
        let since = self.now - self.begun;
        let forgets =
            |trouble: &Trouble| matches!(trouble, Trouble::ForgetsTokens(from) if *from <= since);
        self.troubles.iter().any(forgets)
    }

    /// Answers the next requests of a sort with 429, as API priority and fairness does.
    pub fn throttle(&mut self, what: &'static str, times: usize, seconds: u32) {
        self.throttles.push((what, times, seconds));
    }

    pub fn take_throttle(&mut self, what: &str) -> Option<u32> {
        let throttle = self.throttles.iter_mut().find(|one| one.0 == what && one.1 > 0)?;
        throttle.1 -= 1;
        Some(throttle.2)
    }

    /// Forgets what the next continued lists go on from.
    pub fn expire(&mut self, times: usize) {
        self.expiries = times;
    }

    pub fn take_expiry(&mut self) -> bool {
        let is_expired = self.expiries > 0;
        self.expiries -= usize::from(is_expired);
        is_expired
    }

    /// Lets something happen just before the next request of a sort is answered.
    pub fn before(&mut self, what: &'static str, happens: impl FnOnce(&mut Self) + Send + 'static) {
        self.interruptions.push((what, Box::new(happens)));
    }

    pub fn take_interruption(&mut self, what: &str) -> Option<Happens> {
        let at = self.interruptions.iter().position(|(when, _)| *when == what)?;
        Some(self.interruptions.remove(at).1)
    }
}
