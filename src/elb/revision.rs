//! Load balancers and target groups that stand in the place of an older one of the same name. A
//! tag tells which is newest, and AWS' name has the number in it (kops
//! `upup/pkg/fi/cloudup/awstasks/network_load_balancer.go`, `targetgroup.go`).

use std::time::{SystemTime, UNIX_EPOCH};

use crate::aws::tags::Tags;

/// The tag of what has replaced something: seconds since 1970.
const TAG: &str = "kops.k8s.io/revision";

/// The number of a revision; the first of a name has none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Revision(String);

impl Revision {
    pub(super) fn of(tags: &Tags) -> Option<Self> {
        tags.get(TAG).filter(|text| !text.is_empty()).cloned().map(Self)
    }

    /// One that is newer than all that there are.
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs().to_string())
    }

    pub(super) fn known(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The tags of what has this revision.
    pub(super) fn on(&self, tags: &Tags) -> Tags {
        let mut tags = tags.clone();
        tags.insert(TAG.to_owned(), self.0.clone());
        tags
    }
}

/// Which of several of a name is newest; `None` where the tag is no number.
pub(super) fn rank(tags: &Tags) -> Option<u64> {
    match Revision::of(tags) {
        None => Some(0),
        Some(revision) => revision.0.parse().ok(),
    }
}
