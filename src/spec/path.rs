//! Field paths, as messages print them and as `set` and `unset` take them:
//! `spec.subnets[0].cidr`, `spec.cloudLabels["example.com/team"]`,
//! `spec.etcdClusters[*].version`.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
    /// `[*]`: each element of a list.
    Every,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct FieldPath(Vec<Segment>);

impl FieldPath {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    pub(crate) fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    pub(crate) fn from_segments(segments: &[Segment]) -> Self {
        Self(segments.to_vec())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if key.contains(['.', '[', ']', '"', '=']) => {
                    write!(f, "[{key:?}]")?;
                }
                Segment::Key(key) if index == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(number) => write!(f, "[{number}]")?,
                Segment::Every => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{path:?} is not a field path: {reason}; write it like spec.subnets[0].cidr")]
pub(crate) struct PathError {
    path: String,
    reason: &'static str,
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let error = |reason| PathError { path: path.to_owned(), reason };
        let mut segments = Vec::new();
        let mut rest = path;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                if let Some(quoted) = after.strip_prefix('"') {
                    let (key, tail) =
                        quoted.split_once("\"]").ok_or_else(|| error("a quote is not closed"))?;
                    segments.push(Segment::Key(key.to_owned()));
                    rest = tail;
                } else {
                    let (inner, tail) =
                        after.split_once(']').ok_or_else(|| error("a bracket is not closed"))?;
                    segments.push(match inner {
                        "*" => Segment::Every,
                        number => Segment::Index(
                            number.parse().map_err(|_| error("an index is a number or *"))?,
                        ),
                    });
                    rest = tail;
                }
            } else {
                let name = match rest.strip_prefix('.') {
                    Some(name) if !segments.is_empty() => name,
                    Some(_) => return Err(error("it begins with a dot")),
                    None if segments.is_empty() => rest,
                    None => return Err(error("a dot is missing after a bracket")),
                };
                let end = name.find(['.', '[']).unwrap_or(name.len());
                if end == 0 {
                    return Err(error("a name is empty"));
                }
                segments.push(Segment::Key(name[..end].to_owned()));
                rest = &name[end..];
            }
        }
        if segments.is_empty() {
            return Err(error("it is empty"));
        }
        Ok(Self(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_they_parse() {
        for path in ["spec.iam.legacy", "spec.a[0][*].b", r#"spec.labels["a.b/c"].d"#] {
            assert_eq!(path.parse::<FieldPath>().unwrap().to_string(), path);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", ".a", "a..b", "a[", "a[x]", "a[\"b", "a[0]b"] {
            assert!(path.parse::<FieldPath>().is_err(), "{path}");
        }
    }
}
