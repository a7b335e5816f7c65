//! The hosted zone that the cluster's names lie in, as it is wanted and as it is found.

use crate::aws::{Answer, Aws, AwsError};
use crate::core::id::{Id, Ref};
use crate::policy::zone::zone_id;
use crate::vpc::vpc::Vpc;

const LIST: &str = "route53:ListHostedZones";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsZone {
    /// Its name or id as the spec has it, or the cluster's name.
    pub(crate) name: String,
    pub(crate) region: String,
    /// The VPC that must see a private zone.
    pub(crate) private_to: Option<Ref<Vpc>>,
}

/// How the cluster's hosted zone is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum HostedZone {
    /// The cluster needs none: it finds itself by gossip.
    None,
    /// The spec gives its id.
    Id(String),
    /// The spec gives its name.
    Named { name: String, private: bool },
    /// The spec gives nothing: it is the nearest that the cluster's name lies in.
    Above { cluster: String, private: bool },
}

impl HostedZone {
    /// Whether AWS must be asked for the id.
    pub(crate) fn is_looked_up(&self) -> bool {
        matches!(self, Self::Named { .. } | Self::Above { .. })
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LiveZone {
    pub(crate) id: Id<DnsZone>,
    /// Without the dot at its end.
    pub(crate) name: String,
    pub(crate) private: bool,
}

/// Reads all hosted zones of the account.
pub(super) async fn read(aws: &Aws) -> Result<Vec<LiveZone>, AwsError> {
    let mut zones = Vec::new();
    let mut marker = None;
    loop {
        let call = aws.route53.list_hosted_zones().set_marker(marker);
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsError::new(LIST, "", error))?;
        for zone in answer.hosted_zones() {
            zones.push(LiveZone {
                id: Id::given(Answer::of(LIST, zone.name()), "Id", Some(zone_id(zone.id())))?,
                name: zone.name().trim_end_matches('.').to_owned(),
                private: zone.config().is_some_and(|config| config.private_zone()),
            });
        }
        marker = answer.next_marker().map(str::to_owned);
        if !answer.is_truncated() || marker.is_none() {
            return Ok(zones);
        }
    }
}

/// Whether the names of a cluster may lie in a zone: in the one that its spec names, and in each
/// that they are below.
pub(crate) fn may_hold(wanted: &HostedZone, zone: &LiveZone, cluster: &str) -> bool {
    let is_named = match wanted {
        HostedZone::Id(id) => zone.id == *zone_id(id),
        HostedZone::Named { name, .. } => name.trim_end_matches('.') == zone.name,
        HostedZone::None | HostedZone::Above { .. } => false,
    };
    is_named || format!(".{cluster}").ends_with(&format!(".{}", zone.name))
}

/// The id of the wanted zone among those of the account, found as kops finds it
/// (`upup/pkg/fi/cloudup/utils.go`, `dns.go`).
///
/// # Errors
/// Why there is no such zone, or not one only; with what to do.
pub(crate) fn find(wanted: &HostedZone, zones: &[LiveZone]) -> Result<Option<String>, String> {
    let kind = |private| if private { "private" } else { "public" };
    let (matches, what) = match wanted {
        HostedZone::None => return Ok(None),
        HostedZone::Id(id) => return Ok(Some(zone_id(id).to_owned())),
        HostedZone::Named { name, private } => {
            let name = name.trim_end_matches('.');
            let matches = zones.iter().filter(|zone| zone.name == name && zone.private == *private);
            (matches.collect::<Vec<_>>(), format!("{} hosted zone {name}", kind(*private)))
        }
        HostedZone::Above { cluster, private } => {
            let above = |zone: &&LiveZone| {
                zone.private == *private
                    && format!(".{cluster}").ends_with(&format!(".{}", zone.name))
            };
            let all: Vec<&LiveZone> = zones.iter().filter(above).collect();
            let longest = all.iter().map(|zone| zone.name.len()).max();
            let nearest = all.into_iter().filter(|zone| Some(zone.name.len()) == longest);
            (nearest.collect(), format!("{} hosted zone above {cluster}", kind(*private)))
        }
    };
    match matches[..] {
        [zone] => Ok(Some(zone.id.to_string())),
        [] => Err(format!("the account has no {what}")),
        ref several => {
            let ids: Vec<&str> = several.iter().map(|zone| zone.id.as_str()).collect();
            Err(format!("the account has {} times the {what}: {}", ids.len(), ids.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(id: &str, name: &str, private: bool) -> LiveZone {
        LiveZone { id: Id::imagined(id), name: name.to_owned(), private }
    }

    #[test]
    fn the_nearest_zone_of_the_right_kind_is_found() {
        let zones = [
            zone("Z1", "example.com", false),
            zone("Z2", "dev.example.com", false),
            zone("Z3", "a.dev.example.com", true),
            zone("Z4", "ample.com", false),
        ];
        let above = |cluster: &str, private| {
            find(&HostedZone::Above { cluster: cluster.to_owned(), private }, &zones)
        };
        assert_eq!(above("a.dev.example.com", false), Ok(Some("Z2".to_owned())));
        assert_eq!(above("a.dev.example.com", true), Ok(Some("Z3".to_owned())));
        assert_eq!(above("x.example.com", false), Ok(Some("Z1".to_owned())));
        assert!(above("x.example.org", false).is_err());
        let named = HostedZone::Named { name: "example.com.".to_owned(), private: false };
        assert_eq!(find(&named, &zones), Ok(Some("Z1".to_owned())));
    }

    #[test]
    fn two_zones_of_a_name_are_told() {
        let zones = [zone("Z1", "a.com", false), zone("Z2", "a.com", false)];
        let wanted = HostedZone::Above { cluster: "x.a.com".to_owned(), private: false };
        let error = find(&wanted, &zones).unwrap_err();
        assert_eq!(error, "the account has 2 times the public hosted zone above x.a.com: Z1, Z2");
    }
}
