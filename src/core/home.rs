//! Where a cluster is: that tells it from others of its name, where AWS has one namespace for all of
//! an account.

use std::fmt;

use crate::aws::tags::{REGION_TAG, STORE_TAG, Tags};
use crate::limits::tag;

/// A region, and a folder of a state store in S3; each only where it is known. A folder elsewhere
/// has other names on other machines, so that it tells nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Home {
    region: Option<String>,
    store: Option<String>,
}

impl Home {
    pub(crate) fn new(region: &str, store: Option<&str>) -> Self {
        let is_told = |store: &&str| {
            store.starts_with("s3://")
                && tag::is_plain(store)
                && tag::VALUE.refusal(store).is_none()
        };
        let region = (!region.is_empty()).then(|| region.to_owned());
        Self { region, store: store.filter(is_told).map(str::to_owned) }
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// What marks something as being of the cluster here.
    pub(crate) fn tags(&self) -> Tags {
        let known = |(key, value): (&str, &Option<String>)| Some((key.to_owned(), value.clone()?));
        self.pairs().into_iter().filter_map(known).collect()
    }

    /// `KEY=VALUE` of tags by which something is of a cluster elsewhere, if they say so. What is
    /// not told, or not known here, is no difference.
    pub(crate) fn other(&self, tags: &Tags) -> Option<String> {
        let found: Vec<(&str, &String, &Option<String>)> = self
            .pairs()
            .into_iter()
            .filter_map(|(key, own)| Some((key, tags.get(key)?, own)))
            .collect();
        let differs =
            found.iter().any(|(_, value, own)| own.as_ref().is_some_and(|own| own != *value));
        let told = found.iter().map(|(key, value, _)| format!("{key}={value}"));
        differs.then(|| told.collect::<Vec<_>>().join(" "))
    }

    /// The store in which something says that its cluster is kept, which is in this region too.
    pub(crate) fn other_store<'a>(&self, tags: &'a Tags) -> Option<&'a str> {
        let is_here =
            tags.get(REGION_TAG).is_some() && tags.get(REGION_TAG) == self.region.as_ref();
        let own = self.store.as_ref()?;
        tags.get(STORE_TAG).filter(|store| is_here && *store != own).map(String::as_str)
    }

    fn pairs(&self) -> [(&'static str, &Option<String>); 2] {
        [(REGION_TAG, &self.region), (STORE_TAG, &self.store)]
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_region = self.region.as_ref().map(|region| format!("in {region}"));
        let in_store = self.store.as_ref().map(|store| format!("kept in {store}"));
        let known: Vec<String> = in_region.into_iter().chain(in_store).collect();
        f.write_str(&known.join(" and "))
    }
}

/// Wanted tags without the marks of a cluster's home where these are absent and all else is as
/// wanted: what was made before there were any is settled, and gets them with its next tags.
pub(crate) fn without_late_marks(wanted: &Tags, found: &Tags) -> Tags {
    let is_mark = |key: &str| key == REGION_TAG || key == STORE_TAG;
    let is_late = |key: &str| is_mark(key) && !found.contains_key(key);
    let differs = |(key, value): (&String, &String)| !is_mark(key) && found.get(key) != Some(value);
    if wanted.iter().any(differs) {
        return wanted.clone();
    }
    let kept = wanted.iter().filter(|(key, _)| !is_late(key));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stores_that_are_the_same_from_everywhere_tell() {
        let tags = |store| Home::new("us-west-2", Some(store)).tags();
        assert_eq!(tags("s3://a/b").get(STORE_TAG).map(String::as_str), Some("s3://a/b"));
        for store in ["/home/alice/state/a.com", "s3://a/b!", &format!("s3://{}", "x".repeat(256))]
        {
            assert_eq!(tags(store).keys().collect::<Vec<_>>(), [REGION_TAG], "{store}");
        }
    }

    #[test]
    fn marks_come_with_other_tags_and_not_alone() {
        let tags = |text: &str| -> Tags {
            let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let wanted = tags("Name=x kapstan.io/region=r kapstan.io/store=s");
        for (found, expected) in [
            ("Name=x", "Name=x"),
            ("Name=x kapstan.io/region=r", "Name=x kapstan.io/region=r"),
            ("Name=y", "Name=x kapstan.io/region=r kapstan.io/store=s"),
            ("", "Name=x kapstan.io/region=r kapstan.io/store=s"),
        ] {
            assert_eq!(without_late_marks(&wanted, &tags(found)), tags(expected), "{found}");
        }
    }
}
