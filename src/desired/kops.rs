//! What kops has to do with a cluster that kapstan updates: which kops last wrote it, and
//! which fields of its specs only kops carries to nodes and add-ons.

use std::cmp::Ordering;
use std::fmt;

use crate::spec::cluster::Version;
pub(crate) use crate::spec::reach::NotCarried;
use crate::visible::text::visible;

/// The kops whose model kapstan has.
const KNOWN: Version = Version(1, 36);

#[derive(Clone, Debug, Default)]
pub(crate) struct OfKops {
    pub(crate) last_writer: Option<LastWriter>,
    pub(crate) not_carried: Vec<NotCarried>,
}

/// The kops that last wrote a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LastWriter {
    pub(crate) version: String,
    age: Ordering,
}

impl LastWriter {
    /// Of the text of `kops-version.txt`; `None` if it tells no version.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let version = text.trim();
        Some(Self { version: version.to_owned(), age: Version::parse(version)?.cmp(&KNOWN) })
    }

    pub(crate) fn is_older(&self) -> bool {
        self.age == Ordering::Less
    }

    pub(crate) fn is_newer(&self) -> bool {
        self.age == Ordering::Greater
    }

    /// Whether kapstan knows this kops' own values.
    pub(crate) fn is_known(&self) -> bool {
        self.age == Ordering::Equal
    }

    /// How it stands to the kops whose model kapstan has.
    pub(crate) fn age(&self) -> &'static str {
        match self.age {
            Ordering::Less => "older",
            Ordering::Equal => "known",
            Ordering::Greater => "newer",
        }
    }
}

impl fmt::Display for LastWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "last written by kops {}", visible(&self.version))
    }
}

/// The commands of kops that carry fields on.
pub(crate) fn commands(cluster: &str, not_carried: &[NotCarried]) -> Vec<String> {
    let mut commands = vec![format!("kops update cluster {cluster} --yes")];
    if not_carried.iter().any(|field| field.reach.needs_new_nodes()) {
        commands.push(format!("kops rolling-update cluster {cluster} --yes"));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_kops_tells_how_old_a_store_is() {
        for (text, age) in [
            ("1.30.2", Some("older")),
            ("1.35.0\n", Some("older")),
            ("1.36.0-alpha.1", Some("known")),
            ("v1.36.2", Some("known")),
            ("1.37.0-beta.1", Some("newer")),
            ("2.0", Some("newer")),
            ("dev", None),
            ("", None),
        ] {
            let writer = LastWriter::of(text);
            assert_eq!(writer.as_ref().map(LastWriter::age), age, "{text:?}");
        }
    }
}
