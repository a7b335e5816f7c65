//! What a decision is made with.

use super::decision::Decision;
use super::run::Run;
use super::world::World;

/// A look on its way to a decision.
pub(super) struct Turn<'a> {
    pub(super) run: &'a mut Run,
    pub(super) world: &'a World,
    pub(super) decision: &'a mut Decision,
}
