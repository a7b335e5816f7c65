//! Points in time.

/// Seconds since 1970.
pub(crate) type Time = i64;
