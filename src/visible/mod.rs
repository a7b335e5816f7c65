//! Text that is not ours, made visible before anybody reads it.

pub(crate) mod text;
pub(crate) mod yaml;
