//! DNS zones and the names in them.

pub(crate) mod dns_name;
pub(crate) mod dns_zone;
pub(crate) mod hosted_zone;
