//! Text that is not ours, made visible before anybody reads it.

pub(crate) mod fingerprint;
pub(crate) mod on_the_way;
pub(crate) mod text;
pub(crate) mod yaml;
