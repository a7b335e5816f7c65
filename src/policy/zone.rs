//! Hosted zones as documents name them: by their id.

/// Stands for the id of a hosted zone that only AWS knows.
pub(crate) const UNKNOWN_ZONE: &str = "HOSTED_ZONE_ID";

/// The id of a hosted zone without the path that Route 53 puts before it.
pub(crate) fn zone_id(zone: &str) -> &str {
    let zone = zone.strip_prefix('/').unwrap_or(zone);
    zone.strip_prefix("hostedzone/").unwrap_or(zone)
}
