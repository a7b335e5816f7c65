//! Changes single fields in a document's text and touches nothing else: comments, order
//! and style stay.
//!
//! The editing is yaml-edit's. Because a wrong edit here would corrupt a production spec,
//! each result is parsed again and must mean exactly what was asked, or it is thrown away.

use std::str::FromStr as _;

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::Value as Json;
use yaml_edit::{Mapping, ScalarValue, Sequence, YamlNode};

use super::path::{FieldPath, Segment};
use super::problem::{Problem, Problems};
use super::yaml::plain::Plain;
use super::yaml::{self, Node, Value, YamlError};
use super::{document, schema, secret};
use crate::visible::yaml::visible_yaml;

#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Sets a field to a value given as YAML.
    Set {
        path: FieldPath,
        value: String,
    },
    Unset {
        path: FieldPath,
    },
}

/// Applies edits in order to the text of one document of this kind.
///
/// # Errors
/// A path that leads through a single value or past the end of a list, a field to unset
/// that is not set, a value that is not YAML, or a text whose style cannot be edited in
/// place. The given text is never half changed.
pub(crate) fn apply(text: &str, kind: &str, edits: &[Edit]) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for edit in edits {
        let path = match edit {
            Edit::Set { path, .. } | Edit::Unset { path } => path,
        };
        let root = root_of(&text)?;
        let targets = expand(&root, path);
        ensure!(!targets.is_empty(), "{path}: there is no list to go through");
        // Later elements first, so that removing one does not move the others.
        for target in targets.iter().rev() {
            text = apply_one(&text, kind, target, edit)?;
        }
    }
    Ok(text)
}

/// The last part of a path, after the part that leads to what holds it.
fn split_last(path: &FieldPath) -> anyhow::Result<(FieldPath, &Segment)> {
    let (last, parents) = path.segments().split_last().context("the path is empty")?;
    Ok((FieldPath::from_segments(parents), last))
}

fn apply_one(text: &str, kind: &str, path: &FieldPath, edit: &Edit) -> anyhow::Result<String> {
    let root = root_of(text)?;
    let document = yaml_edit::Document::from_str(text)
        .with_context(|| format!("{path}: this text cannot be edited in place"))?;
    let mut expected = root.to_json();
    match edit {
        Edit::Set { value, .. } => {
            let node = yaml::parse_value(value).map_err(|error| unreadable(path, value, &error))?;
            ensure!(!node.is_null(), "{path}: no value is given; to remove it, use unset");
            let new = match (&node.value, schema::holds_text(kind, path)) {
                (Value::Scalar(scalar), true) => Json::String(scalar.text.clone()),
                // A policy, say: JSON that the field holds as text.
                (_, true) => Json::String(value.clone()),
                _ => schema::value_at(kind, path, &node).map_err(|problems| {
                    // The lines are those of the value, not of the spec.
                    let problems = problems.into_iter().map(|p| Problem::new(&p.path, p.message));
                    Problems { subject: "the value".to_owned(), problems: problems.collect() }
                })?,
            };
            set_json(&mut expected, path, path.segments(), &new)?;
            set_text(&document, &root, path, &new)?;
        }
        Edit::Unset { .. } => {
            let (parent, last) = split_last(path)?;
            let holder = json_at(&mut expected, &parent);
            let removed = match (holder, last) {
                (Some(Json::Object(fields)), Segment::Key(key)) => fields.remove(key).is_some(),
                (Some(Json::Array(items)), Segment::Index(index)) if *index < items.len() => {
                    items.remove(*index);
                    true
                }
                _ => false,
            };
            ensure!(removed, "{path}: is not set");
            unset_text(&document, path)?;
        }
    }
    let edited = document.to_string();
    let meaning = root_of(&edited).map(|root| root.to_json());
    match meaning {
        Ok(meaning) if same(&meaning, &expected) => Ok(edited),
        _ => bail!(
            "{path}: this field is written in a way that cannot be changed in place; change it \
             with kapstan edit or replace"
        ),
    }
}

/// Why a value cannot be read; the value itself, unless it is or may hold a secret.
fn unreadable(path: &FieldPath, value: &str, error: &YamlError) -> anyhow::Error {
    match secret::is_touched_by(path) {
        true => match error.at {
            Some(at) => {
                anyhow!("{path}: the value {}, {at}: {}", secret::told(value), error.message)
            }
            None => anyhow!("{path}: the value {}: {}", secret::told(value), error.message),
        },
        false => document::yaml_error(error, value, "the value")
            .context(format!("{path}={}", secret::without_credentials(value))),
    }
}

fn root_of(text: &str) -> anyhow::Result<Node> {
    let mut documents =
        yaml::parse(text).map_err(|error| document::yaml_error(&error, text, "the spec"))?;
    ensure!(documents.len() == 1, "the spec holds {} documents", documents.len());
    Ok(documents.remove(0).root)
}

/// The paths that `[*]` stands for in this document.
fn expand(root: &Node, path: &FieldPath) -> Vec<FieldPath> {
    let mut paths = vec![FieldPath::root()];
    for segment in path.segments() {
        paths = paths
            .into_iter()
            .flat_map(|path| match segment {
                Segment::Every => {
                    let count = match node_at(root, &path).map(|node| &node.value) {
                        Some(Value::List(items)) => items.len(),
                        _ => 0,
                    };
                    (0..count).map(|index| path.index(index)).collect()
                }
                other => vec![path.with(other.clone())],
            })
            .collect();
    }
    paths
}

fn node_at<'a>(root: &'a Node, path: &FieldPath) -> Option<&'a Node> {
    path.segments().iter().try_fold(root, |node, segment| match (segment, &node.value) {
        (Segment::Key(key), _) => node.get(key),
        (Segment::Index(index), Value::List(items)) => items.get(*index),
        _ => None,
    })
}

fn json_at<'a>(root: &'a mut Json, path: &FieldPath) -> Option<&'a mut Json> {
    path.segments().iter().try_fold(root, |json, segment| match (segment, json) {
        (Segment::Key(key), Json::Object(fields)) => fields.get_mut(key),
        (Segment::Index(index), Json::Array(items)) => items.get_mut(*index),
        _ => None,
    })
}

/// What the document must mean after the edit.
fn set_json(
    json: &mut Json,
    path: &FieldPath,
    segments: &[Segment],
    new: &Json,
) -> anyhow::Result<()> {
    let Some((segment, rest)) = segments.split_first() else {
        *json = new.clone();
        return Ok(());
    };
    if json.is_null() {
        *json = match segment {
            Segment::Key(_) => Json::Object(serde_json::Map::new()),
            _ => Json::Array(Vec::new()),
        };
    }
    match (segment, json) {
        (Segment::Key(key), Json::Object(fields)) => {
            set_json(fields.entry(key.as_str()).or_insert(Json::Null), path, rest, new)
        }
        (Segment::Index(index), Json::Array(items)) => {
            if *index == items.len() {
                items.push(Json::Null);
            }
            let count = items.len();
            let item = items.get_mut(*index).with_context(|| {
                format!("{path}: the list has {count} elements; [{count}] would append one")
            })?;
            set_json(item, path, rest, new)
        }
        (Segment::Key(key), _) => bail!("{path}: {key} cannot be set in what is no mapping"),
        (_, _) => bail!("{path}: an index leads into what is no list"),
    }
}

/// Whether two values mean the same; the order of a mapping's keys does not count.
fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|r| same(value, r)))
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        _ => left == right,
    }
}

enum Place {
    Mapping(Mapping),
    Sequence(Sequence),
}

fn place_at(document: &yaml_edit::Document, segments: &[Segment]) -> Option<Place> {
    let mut place = Place::Mapping(document.as_mapping()?);
    for segment in segments {
        let node = match (&place, segment) {
            (Place::Mapping(mapping), Segment::Key(key)) => mapping.get(key.as_str())?,
            (Place::Sequence(sequence), Segment::Index(index)) => sequence.get(*index)?,
            _ => return None,
        };
        place = match (node.as_mapping(), node.as_sequence()) {
            (Some(mapping), _) => Place::Mapping(mapping.clone()),
            (_, Some(sequence)) => Place::Sequence(sequence.clone()),
            _ => return None,
        };
    }
    Some(place)
}

/// Writes the value at the deepest place that exists, wrapped in what is missing above it.
fn set_text(
    document: &yaml_edit::Document,
    root: &Node,
    path: &FieldPath,
    new: &Json,
) -> anyhow::Result<()> {
    let segments = path.segments();
    let exists = |count: &usize| {
        node_at(root, &FieldPath::from_segments(&segments[..*count]))
            .is_some_and(|node| matches!(node.value, Value::List(_) | Value::Map(_)))
    };
    let depth = (0..segments.len()).rev().find(exists).unwrap_or(0);
    let mut value = new.clone();
    for segment in segments[depth + 1..].iter().rev() {
        value = match segment {
            Segment::Key(key) => Json::Object([(key.clone(), value)].into_iter().collect()),
            _ => Json::Array(vec![value]),
        };
    }
    let place = place_at(document, &segments[..depth])
        .with_context(|| format!("{path}: this text cannot be edited in place"))?;
    match (place, &segments[depth], value) {
        (Place::Mapping(mapping), Segment::Key(key), Json::String(text)) => {
            mapping.set(scalar(key), scalar(&text));
        }
        (Place::Mapping(mapping), Segment::Key(key), value) => {
            mapping.set(scalar(key), yaml_node(&value)?);
        }
        (Place::Sequence(sequence), Segment::Index(index), value) => {
            let node = yaml_node(&value)?;
            if *index < sequence.len() {
                sequence.set(*index, node);
            } else {
                sequence.push(node);
            }
        }
        _ => bail!("{path}: this text cannot be edited in place"),
    }
    Ok(())
}

/// A text or a key, in quotes where kops would take it for something else.
fn scalar(text: &str) -> ScalarValue {
    match Plain::of(text) {
        Plain::Text => ScalarValue::string(text),
        _ => ScalarValue::double_quoted(text),
    }
}

fn yaml_node(value: &Json) -> anyhow::Result<YamlNode> {
    let text = visible_yaml(&serde_json::json!({ "value": value }))?;
    let document = yaml_edit::Document::from_str(&text)?;
    document.get("value").context("the value cannot be written as YAML")
}

fn unset_text(document: &yaml_edit::Document, path: &FieldPath) -> anyhow::Result<()> {
    let (parent, last) = split_last(path)?;
    match (place_at(document, parent.segments()), last) {
        (Some(Place::Mapping(mapping)), Segment::Key(key)) => {
            mapping.remove(key.as_str());
        }
        (Some(Place::Sequence(sequence)), Segment::Index(index)) => {
            sequence.remove(*index);
        }
        _ => bail!("{path}: this text cannot be edited in place"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "\
# the dev cluster
kind: Cluster
spec:
  # strict since 2018
  iam: {}
  kubernetesVersion: 1.10.0 # pinned
  subnets:
  - name: a
    zone: us-west-2a
  - name: b # spare

    zone: us-west-2b
  sshAccess: [1.2.3.4/32]
  additionalPolicies:
    node: |
      [
      ]
  networking:
    calico: {}
# the end
";

    fn edit(arguments: &[&str]) -> Result<String, String> {
        let edits: Vec<Edit> = arguments
            .iter()
            .map(|argument| match argument.split_once('=') {
                Some((path, value)) => {
                    Edit::Set { path: path.parse().unwrap(), value: value.to_owned() }
                }
                None => Edit::Unset { path: argument.parse().unwrap() },
            })
            .collect();
        apply(SPEC, "Cluster", &edits).map_err(|error| format!("{error:#}"))
    }

    /// The lines that an edit took away and added.
    fn changed(arguments: &[&str]) -> Vec<String> {
        let after = edit(arguments).unwrap();
        let diff = similar::TextDiff::from_lines(SPEC, &after);
        diff.iter_all_changes()
            .filter(|change| change.tag() != similar::ChangeTag::Equal)
            .map(|change| format!("{}{}", change.tag(), change.value().trim_end()))
            .collect()
    }

    #[test]
    fn only_the_field_changes() {
        assert_eq!(
            changed(&["spec.kubernetesVersion=1.11"]),
            ["-  kubernetesVersion: 1.10.0 # pinned", "+  kubernetesVersion: \"1.11\" # pinned"]
        );
        assert_eq!(changed(&["spec.iam.legacy=false"]), ["-  iam: {}", "+  iam: {legacy: false}"]);
        assert_eq!(
            changed(&["spec.subnets[1].zone=us-west-2c"]),
            ["-    zone: us-west-2b", "+    zone: us-west-2c"]
        );
        assert_eq!(
            changed(&["spec.additionalPolicies"]),
            ["-  additionalPolicies:", "-    node: |", "-      [", "-      ]"]
        );
    }

    #[test]
    fn what_is_missing_on_the_way_is_made() {
        assert_eq!(
            changed(&["spec.topology.dns.type=Private"]),
            ["+  topology:", "+    dns:", "+      type: Private"]
        );
    }

    #[test]
    fn lists_grow_shrink_and_are_gone_through() {
        let after = edit(&["spec.sshAccess[1]=5.6.7.8/32"]).unwrap();
        assert!(after.contains("5.6.7.8/32"), "{after}");
        let after = edit(&["spec.subnets[2]={name: c, zone: us-west-2c}"]).unwrap();
        assert_eq!(
            root_of(&after)
                .unwrap()
                .get("spec")
                .unwrap()
                .get("subnets")
                .unwrap()
                .to_json()
                .as_array()
                .unwrap()
                .len(),
            3
        );
        let after = edit(&["spec.subnets[*].zone=us-west-2d"]).unwrap();
        assert_eq!(after.matches("us-west-2d").count(), 2, "{after}");
        let after = edit(&["spec.subnets[0]"]).unwrap();
        assert!(!after.contains("us-west-2a") && after.contains("# spare"), "{after}");
    }

    #[test]
    fn values_are_yaml() {
        let after = edit(&["spec.networking={cilium: {version: v1.0}}"]).unwrap();
        assert!(after.contains("cilium") && after.contains("# the end"), "{after}");
        let policy = "[\n  {\"Effect\": \"Allow\"}\n]\n";
        for value in [serde_json::json!(policy).to_string(), policy.to_owned()] {
            let argument = format!("spec.additionalPolicies.node={value}");
            let after = edit(&[&argument]).unwrap();
            let root = root_of(&after).unwrap();
            let node = root.get("spec").unwrap().get("additionalPolicies").unwrap().get("node");
            assert_eq!(node.unwrap().text(), Some(policy));
        }
    }

    #[test]
    fn what_kops_would_read_otherwise_gets_quotes() {
        for word in [
            "yes", "y", "off", "50", "0755", "0x40", "0o17", "1_00", "1.10", "1e3", ".inf", "1:40",
            "2018-01-01",
        ] {
            for (argument, key) in [
                (format!("spec.cloudLabels.a={word}"), "a"),
                (format!("spec.cloudLabels[\"{word}\"]=x"), word),
                (format!("spec.cloudLabels={{\"{word}\": \"{word}\"}}"), word),
            ] {
                let after = edit(&[&argument]).unwrap();
                let root = root_of(&after).unwrap();
                let labels = root.get("spec").unwrap().get("cloudLabels").unwrap();
                let read =
                    schema::value_at("Cluster", &"spec.cloudLabels".parse().unwrap(), labels);
                let value = if argument.ends_with("=x") { "x" } else { word };
                assert_eq!(read.unwrap(), serde_json::json!({ key: value }), "{after}");
            }
        }
        let changed = changed(&["spec.channel=yes"]);
        assert_eq!(changed, ["+  channel: \"yes\""]);
    }

    #[test]
    fn a_value_with_two_readings_is_refused() {
        for (argument, message) in [
            ("spec.kubeAPIServer.auditLogMaxAge=0100", "kops reads 64 here; write 64 or 100"),
            ("spec.kubeAPIServer={auditLogMaxAge: 010}", "kops reads 8 here; write 8 or 10"),
            ("spec.iam.legacy=\"true\"", "write true, without quotes"),
            ("spec.cloudLabels={a: yes}", "kops reads \"yes\" as true here"),
            ("spec.cloudLabels={yes: a}", "a key without quotes"),
        ] {
            let error = edit(&[argument]).unwrap_err();
            assert!(error.contains(message), "{argument}: {error}");
        }
        let after = edit(&["spec.kubeAPIServer.auditLogMaxAge=0x10"]).unwrap();
        assert!(after.contains("auditLogMaxAge: 16"), "{after}");
    }

    #[test]
    fn impossible_edits_are_refused() {
        for (argument, message) in [
            ("spec.subnets[7].name=x", "the list has 2 elements"),
            ("spec.iam.legacy", "is not set"),
            ("spec.kubernetesVersion.x=1", "cannot be set in what is no mapping"),
            ("spec.iam=", "no value is given"),
            ("spec.iam={a", "the value:2:1"),
            ("spec.hooks[*].name=x", "no list to go through"),
        ] {
            let error = edit(&[argument]).unwrap_err();
            assert!(error.contains(message), "{argument}: {error}");
        }
    }
}
