//! What AWS tells of what happens, and where that goes.

pub(crate) mod rule;
pub(crate) mod target;
