//! A document as the user wrote it, together with what it means.
//!
//! The text is what is stored and shown again, so that comments, order and fields unknown
//! to kapstan survive. The typed spec beside it is what the rest of the program reads.

use std::fmt;

use anyhow::bail;

use super::cluster::Cluster;
use super::instance_group::InstanceGroup;
use super::object::cluster_label;
use super::path::FieldPath;
use super::problem::{Problem, Problems};
use super::schema::{self, Findings};
use super::spelling::nearest;
use super::ssh_credential::SshCredential;
use super::yaml::{self, Node, YamlError};
use super::{fields, own, v1alpha1};

#[derive(Clone, Debug)]
pub(crate) enum Spec {
    Cluster(Box<Cluster>),
    InstanceGroup(Box<InstanceGroup>),
    SshCredential(Box<SshCredential>),
    /// Objects of other kinds, which kops keeps with a cluster and hands to its add-ons: what
    /// each calls itself.
    Additional(Vec<String>),
}

/// What the objects of other kinds are called together.
pub(crate) const ADDITIONAL: &str = "AdditionalObjects";
/// The name of the one list of them that kops keeps.
pub(crate) const ADDITIONAL_NAME: &str = "default";

/// One object of a spec file or of the state store.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// The user's own text of this object.
    pub(crate) text: String,
    /// Where it was read from, for messages: `cluster.yaml, document 2`.
    pub(crate) origin: String,
    pub(crate) root: Node,
    pub(crate) spec: Spec,
    /// What reading found; no problems of types.
    pub(crate) findings: Findings,
    json: serde_json::Value,
}

impl Document {
    pub(crate) fn kind(&self) -> &'static str {
        match self.spec {
            Spec::Cluster(_) => "Cluster",
            Spec::InstanceGroup(_) => "InstanceGroup",
            Spec::SshCredential(_) => "SSHCredential",
            Spec::Additional(_) => ADDITIONAL,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.spec {
            Spec::Cluster(cluster) => cluster.name(),
            Spec::InstanceGroup(group) => group.name(),
            Spec::SshCredential(credential) => credential.name(),
            Spec::Additional(_) => ADDITIONAL_NAME,
        }
    }

    /// The cluster that the object belongs to, as far as it says so itself.
    pub(crate) fn cluster_name(&self) -> Option<&str> {
        match &self.spec {
            Spec::Cluster(cluster) => Some(cluster.name()),
            Spec::InstanceGroup(group) => group.cluster_label(),
            Spec::SshCredential(credential) => cluster_label(&credential.metadata),
            Spec::Additional(_) => None,
        }
    }

    /// The object's fields as the user gave them, typed as kops types them.
    pub(crate) fn json(&self) -> &serde_json::Value {
        &self.json
    }

    /// Checks that the text by itself is this object, as it is read back when it is kept.
    ///
    /// # Errors
    /// It cannot be read, or means something else.
    pub(crate) fn check_text(&self) -> anyhow::Result<()> {
        let again = read_one(&self.text, &self.origin);
        let is_same =
            |again: &Self| again.to_string() == self.to_string() && again.json == self.json;
        let why = match again {
            Ok(again) if is_same(&again) => return Ok(()),
            Ok(again) => format!("it reads as {again} with other values"),
            Err(error) => format!("{error:#}"),
        };
        bail!(
            "{self} ({}) would not be read back as it is meant, so it was not written: {why}\nWrite \
             it as a document of its own: ---, then its fields",
            self.origin
        )
    }

    /// Turns problems into an error that tells their lines in this document.
    pub(crate) fn refuse(&self, problems: Vec<Problem>) -> Result<(), Problems> {
        if problems.is_empty() { Ok(()) } else { Err(self.problems(problems)) }
    }

    /// Problems with their lines in this document, as an error.
    pub(crate) fn problems(&self, problems: Vec<Problem>) -> Problems {
        let problems = problems.into_iter().map(|problem| problem.located(&self.root)).collect();
        Problems { subject: format!("{self} ({})", self.origin), problems }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind(), self.name())
    }
}

/// Reads every document of a text. `origin` names it in messages. Objects of other kinds are
/// one document together, the last.
///
/// # Errors
/// YAML that cannot be read (with line, column and a caret), an unknown kind or version,
/// values of the wrong type.
pub(crate) fn read_all(text: &str, origin: &str) -> anyhow::Result<Vec<Document>> {
    let documents = yaml::parse(text).map_err(|error| yaml_error(&error, text, origin))?;
    let several = documents.len() > 1;
    let mut read_ones = Vec::new();
    let mut others = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        if is_of_another_kind(&document.root) {
            others.push(document);
            continue;
        }
        let origin = match several {
            true => format!("{origin}, document {}", index + 1),
            false => origin.to_owned(),
        };
        read_ones.push(read(document, origin)?);
    }
    read_ones.extend(additional(others, origin));
    Ok(read_ones)
}

/// Whether an object is none of kops' own, and no misspelt one.
fn is_of_another_kind(root: &Node) -> bool {
    let header = |field: &str| root.get(field).and_then(Node::text).unwrap_or_default();
    let (version, kind) = (header("apiVersion"), header("kind"));
    let is_of_kops = version.starts_with("kops/") || version.starts_with("kops.k8s.io/");
    let may_be_of_kops = fields::KINDS.contains(&kind) || nearest(kind, fields::KINDS).is_some();
    !version.is_empty() && !kind.is_empty() && !is_of_kops && !may_be_of_kops
}

/// Objects of other kinds as they are kept: in one text.
fn additional(objects: Vec<yaml::Document>, origin: &str) -> Option<Document> {
    let name = |root: &Node| {
        let of_metadata = root.get("metadata").and_then(|metadata| metadata.get("name"));
        let text = |node: Option<&Node>| node.and_then(Node::text).unwrap_or_default().to_owned();
        match text(of_metadata) {
            name if name.is_empty() => text(root.get("kind")),
            name => format!("{}/{name}", text(root.get("kind"))),
        }
    };
    let names = objects.iter().map(|object| name(&object.root)).collect();
    let json = objects.iter().map(|object| object.root.to_json()).collect();
    let texts: Vec<&str> = objects.iter().map(|object| object.text.as_str()).collect();
    let text = texts.join("---\n");
    let root = objects.into_iter().next()?.root;
    let origin = origin.to_owned();
    let findings = Findings::default();
    Some(Document { text, origin, root, spec: Spec::Additional(names), findings, json })
}

/// Reads a text that must hold exactly one document.
pub(crate) fn read_one(text: &str, origin: &str) -> anyhow::Result<Document> {
    let mut documents = read_all(text, origin)?;
    match documents.len() {
        1 => Ok(documents.remove(0)),
        0 => bail!("{origin} holds no object"),
        count => bail!("{origin} holds {count} objects, but one is expected"),
    }
}

/// The cluster of a text of which some values cannot be read, without these.
pub(crate) fn cluster_in_part(text: &str) -> Option<Cluster> {
    let mut root = yaml::parse(text).ok()?.pop()?.root;
    if root.get("kind").and_then(Node::text) != Some("Cluster") {
        return None;
    }
    if root.get("apiVersion").and_then(Node::text).is_some_and(|text| text.ends_with("v1alpha1")) {
        v1alpha1::convert_cluster(&mut root);
    }
    let json = schema::read(&root, fields::of("Cluster")?, &mut Findings::default());
    serde_json::from_value(own::with_annotations(compact(&json))).ok()
}

/// A YAML error with its place and the line it stands in.
pub(crate) fn yaml_error(error: &YamlError, text: &str, origin: &str) -> anyhow::Error {
    let document = match error.document {
        1 => String::new(),
        number => format!(" (document {number})"),
    };
    match error.at {
        Some(at) => anyhow::anyhow!(
            "{origin}:{at}{document}: {}\n{}",
            error.message,
            yaml::excerpt(text, at)
        ),
        None => anyhow::anyhow!("{origin}{document}: {}", error.message),
    }
}

fn read(document: yaml::Document, origin: String) -> anyhow::Result<Document> {
    let yaml::Document { mut root, text } = document;
    let root_path = FieldPath::root();
    let refuse = |problem: Problem| Problems { subject: origin.clone(), problems: vec![problem] };
    let header = |field: &str| root.get(field).and_then(Node::text).unwrap_or_default().to_owned();
    let (version, kind) = (header("apiVersion"), header("kind"));

    let header_problem = |field: &str, message: String| {
        refuse(Problem::new(&root_path.key(field), message).located(&root))
    };
    let is_v1alpha1 = match version.as_str() {
        "kops/v1alpha2" | "kops.k8s.io/v1alpha2" => false,
        "kops/v1alpha1" | "kops.k8s.io/v1alpha1" => true,
        "" => {
            let message = "is absent; write kops/v1alpha2".to_owned();
            return Err(header_problem("apiVersion", message).into());
        }
        other => {
            let message = format!("{other:?} is not known; write kops/v1alpha2");
            return Err(header_problem("apiVersion", message).into());
        }
    };
    let Some(fields) = fields::of(&kind) else {
        let known = fields::KINDS;
        let hint = nearest(&kind, known).map(|n| format!("; did you mean {n}?"));
        let hint = hint.unwrap_or_default();
        let message = format!("{kind:?} is not one of {}{hint}", known.join(", "));
        return Err(header_problem("kind", message).into());
    };
    match kind.as_str() {
        "Cluster" if is_v1alpha1 => v1alpha1::convert_cluster(&mut root),
        "InstanceGroup" if is_v1alpha1 => v1alpha1::convert_instance_group(&mut root),
        _ => {}
    }

    let mut findings = Findings::default();
    let json = schema::read(&root, fields, &mut findings);
    let name = root.get("metadata").and_then(|metadata| metadata.get("name"));
    let name = name.and_then(Node::text).unwrap_or_default();
    if !findings.problems.is_empty() {
        let subject = format!("{kind}/{name} ({origin})");
        // A misspelt field is often the cause of another problem, so they are told together.
        let Findings { problems, refused, unknown, .. } = findings;
        let problems = problems.into_iter().chain(refused).chain(unknown).collect();
        return Err(Problems { subject, problems }.into());
    }
    let typed = |error| anyhow::anyhow!("{kind}/{name} ({origin}) cannot be read: {error}");
    // The schema has settled every type that these structs ask for.
    let spec = match kind.as_str() {
        "Cluster" => Spec::Cluster(
            serde_json::from_value(own::with_annotations(compact(&json))).map_err(typed)?,
        ),
        "InstanceGroup" => {
            Spec::InstanceGroup(serde_json::from_value(compact(&json)).map_err(typed)?)
        }
        _ => Spec::SshCredential(serde_json::from_value(compact(&json)).map_err(typed)?),
    };
    Ok(Document { text, origin, root, spec, findings, json })
}

/// `null` for an object or list means that it is absent, as in kops.
fn compact(json: &serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), compact(value)))
            .collect(),
        serde_json::Value::Array(items) => items.iter().map(compact).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: kops/v1alpha2\nkind: Cluster\nmetadata: {name: a.example.com}\n\
                        spec: {channel: stable}\n";

    #[test]
    fn a_text_that_would_be_read_back_otherwise_is_noticed() {
        let document = read_one(TEXT, "cluster.yaml").unwrap();
        document.check_text().unwrap();
        for text in [
            format!("%YAML 1.2\n{TEXT}"),
            TEXT.replace("stable", "alpha"),
            TEXT.replace("a.example", "b.example"),
            format!("{TEXT}---\n{TEXT}"),
            String::new(),
        ] {
            let kept = Document { text, ..document.clone() };
            let error = kept.check_text().unwrap_err().to_string();
            assert!(error.contains("would not be read back as it is meant"), "{error}");
        }
    }
}
