//! Names that become paths in the state store and names in AWS, valid by type: whoever
//! holds one knows that it leads nowhere but to its own place.

use std::fmt;

/// Why a text is not a DNS name, or `None` if it is one: lower-case letters, digits,
/// `-` and `.`, at most 253 characters, each part 1 to 63 of them and neither beginning nor
/// ending with `-` (RFC 1123, as Kubernetes reads it).
pub(crate) fn not_a_dns_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("is empty".to_owned());
    }
    if name.len() > 253 {
        return Some(format!("has {} characters; a DNS name has at most 253", name.len()));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if let Some(c) = name.chars().find(|c| !allowed(*c)) {
        return Some(format!(
            "holds {c:?}; a DNS name has lower-case letters, digits, - and . only"
        ));
    }
    let bad = |part: &&str| {
        part.is_empty() || part.len() > 63 || part.starts_with('-') || part.ends_with('-')
    };
    name.split('.').find(bad).map(|part| {
        format!(
            "has the part {part:?}; between dots stand 1 to 63 characters that neither begin \
             nor end with -"
        )
    })
}

/// Why a text is no name of an object inside a cluster, or `None` if it is one. kops takes
/// any text here; this is what is safe as a path and in the names of AWS.
pub(crate) fn not_an_object_name(name: &str) -> Option<String> {
    const LONGEST: usize = 200;
    if name.is_empty() {
        return Some("is empty".to_owned());
    }
    if name.len() > LONGEST {
        return Some(format!("has {} characters; at most {LONGEST} are allowed", name.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._+=,@".contains(c);
    if let Some(c) = name.chars().find(|c| !allowed(*c)) {
        return Some(format!("holds {c:?}; allowed are letters, digits and -._+=,@"));
    }
    name.starts_with('.').then(|| "begins with a dot".to_owned())
}

/// The name of a cluster.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ClusterName(String);

/// The name of an object inside a cluster: an instance group or an SSH credential.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ObjectName(String);

#[derive(Debug, thiserror::Error)]
#[error("the name {name:?} {reason}")]
pub(crate) struct NameError {
    name: String,
    reason: String,
}

macro_rules! checked_name {
    ($name:ident, $check:ident) => {
        impl $name {
            pub(crate) fn new(name: &str) -> Result<Self, NameError> {
                match $check(name) {
                    None => Ok(Self(name.to_owned())),
                    Some(reason) => Err(NameError { name: name.to_owned(), reason }),
                }
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name!(ClusterName, not_a_dns_name);
checked_name!(ObjectName, not_an_object_name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", "..", "../x", "a/b", "a..b", "A.b", "-a", "a-", "a\0b", "ä.de", ".a"] {
            assert!(ClusterName::new(name).is_err(), "{name:?}");
        }
        for name in ["a", "dev.example.com", "a-1.b.k8s.local"] {
            assert!(ClusterName::new(name).is_ok(), "{name:?}");
        }
        for name in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\0b", "a b", "ä"] {
            assert!(ObjectName::new(name).is_err(), "{name:?}");
        }
        // kops has them, so they are read.
        for name in ["nodes", "Nodes_A", "m5.large", "a..b"] {
            assert!(ObjectName::new(name).is_ok(), "{name:?}");
        }
    }
}
