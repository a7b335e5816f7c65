//! What is wanted, with what only AWS tells of it. What becomes of it is decided elsewhere.

pub(crate) mod beyond;
pub(crate) mod existing;
pub(crate) mod instances;
pub(crate) mod lifecycle;
pub(crate) mod policies;
pub(crate) mod reads;
pub(crate) mod roles;
pub(crate) mod subnets;
pub(crate) mod told;
pub(crate) mod versions;
pub(crate) mod wishes;
pub(crate) mod zone;
