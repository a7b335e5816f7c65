//! Which kops' documents a cluster has: those of 1.10, or those of 1.36.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::spec::cluster::{Cluster, Version};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

/// The annotation of a cluster by which its generation is chosen.
pub(crate) const ANNOTATION: &str = "kapstan.io/iam-generation";

/// The versions from here on are nearer to 1.36 than to 1.10.
const NEARER_TO_1_36: Version = Version(1, 23);

/// A way to build the documents, called after the kops whose documents these are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Generation {
    V1_10,
    V1_36,
}

impl Generation {
    const ALL: [Self; 2] = [Self::V1_10, Self::V1_36];

    fn nearest(version: Version) -> Self {
        if version < NEARER_TO_1_36 { Self::V1_10 } else { Self::V1_36 }
    }

    fn name(self) -> &'static str {
        match self {
            Self::V1_10 => "1.10",
            Self::V1_36 => "1.36",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Generation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|generation| generation.name() == text.trim());
        found.ok_or_else(|| format!("{text:?} is no generation: it is 1.10 or 1.36"))
    }
}

/// A generation, and why it is that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) generation: Generation,
    pub(crate) why: Reason,
}

/// What chose a generation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// The user, in this call.
    Asked,
    /// `iam.legacy: true`, which 1.10 alone has.
    Legacy,
    Annotation,
    /// The kops that last wrote the cluster.
    Kops(String),
    Kubernetes(String),
    /// Nothing is told, so the cluster is new.
    Newest,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("as asked"),
            Self::Legacy => f.write_str("spec.iam.legacy is true"),
            Self::Annotation => write!(f, "the annotation {ANNOTATION}"),
            Self::Kops(version) => write!(f, "last written by kops {version}"),
            Self::Kubernetes(version) => write!(f, "spec.kubernetesVersion is {version}"),
            Self::Newest => f.write_str("nothing tells an older one"),
        }
    }
}

impl Chosen {
    /// What the user should know of the choice, if anything.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        (self.why == Reason::Legacy).then_some(
            "spec.iam.legacy is true: instances get the broad policies of kops 1.10, which newer \
             kops refuses",
        )
    }
}

/// The generation of a cluster. `kops` is the text of `kops-version.txt` beside it, if there
/// is one.
///
/// # Errors
/// An annotation that names no generation.
pub(crate) fn choose(cluster: &Cluster, kops: Option<&str>) -> Result<Chosen, Problem> {
    let told = told(cluster, kops)?;
    let is_legacy = cluster.spec.iam.as_ref().and_then(|iam| iam.legacy) == Some(true);
    // 1.36 has no legacy documents, whoever chose it.
    Ok(match is_legacy && told.generation == Generation::V1_36 {
        true => Chosen { generation: Generation::V1_10, why: Reason::Legacy },
        false => told,
    })
}

/// The generation of what runs on a cluster's nodes, whoever writes its documents.
pub(crate) fn of_nodes(cluster: &Cluster) -> Generation {
    let version = filled(&cluster.spec.kubernetes_version).and_then(Version::parse);
    version.map_or(Generation::V1_36, Generation::nearest)
}

fn told(cluster: &Cluster, kops: Option<&str>) -> Result<Chosen, Problem> {
    if let Some(generation) = annotation(cluster)? {
        return Ok(Chosen { generation, why: Reason::Annotation });
    }
    let by = |text: Option<&str>, why: fn(String) -> Reason| {
        let text = text?.trim();
        let generation = Generation::nearest(Version::parse(text)?);
        Some(Chosen { generation, why: why(text.to_owned()) })
    };
    let newest = Chosen { generation: Generation::V1_36, why: Reason::Newest };
    Ok(by(kops, Reason::Kops)
        .or_else(|| by(filled(&cluster.spec.kubernetes_version), Reason::Kubernetes))
        .unwrap_or(newest))
}

fn annotation(cluster: &Cluster) -> Result<Option<Generation>, Problem> {
    let annotations = cluster.metadata.annotations.as_ref();
    let Some(text) = annotations.and_then(|all| all.get(ANNOTATION)).and_then(Option::as_deref)
    else {
        return Ok(None);
    };
    let path = || FieldPath::root().key("metadata").key("annotations").key(ANNOTATION);
    text.parse().map(Some).map_err(|message: String| Problem::new(&path(), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn choice(annotations: Json, spec: Json, kops: Option<&str>) -> Result<String, String> {
        let json = json!({"metadata": {"name": "a.com", "annotations": annotations}, "spec": spec});
        let cluster: Cluster = serde_json::from_value(json).unwrap();
        let chosen = choose(&cluster, kops).map_err(|problem| problem.to_string())?;
        Ok(format!("{}: {}", chosen.generation, chosen.why))
    }

    #[test]
    fn the_first_that_tells_a_generation_chooses_it() {
        let old = json!({"kubernetesVersion": "v1.10.3"});
        let noted = json!({ANNOTATION: "1.36"});
        for (annotations, spec, kops, told) in [
            (noted, old.clone(), Some("1.10.0"), "1.36: the annotation kapstan.io/iam-generation"),
            (json!({}), old.clone(), Some("1.30.2\n"), "1.36: last written by kops 1.30.2"),
            (json!({}), json!({}), Some("1.10.1"), "1.10: last written by kops 1.10.1"),
            (json!({}), old.clone(), None, "1.10: spec.kubernetesVersion is v1.10.3"),
            (json!({}), old, Some("dev"), "1.10: spec.kubernetesVersion is v1.10.3"),
            (
                json!({}),
                json!({"kubernetesVersion": "1.32.0"}),
                None,
                "1.36: spec.kubernetesVersion is 1.32.0",
            ),
            (json!({}), json!({}), None, "1.36: nothing tells an older one"),
        ] {
            assert_eq!(choice(annotations, spec, kops).unwrap(), told);
        }
    }

    #[test]
    fn versions_between_belong_to_the_nearer_generation() {
        for (version, generation) in [("1.9.6", "1.10"), ("1.22.9", "1.10"), ("1.23.0", "1.36")] {
            let told = choice(json!({}), json!({}), Some(version)).unwrap();
            assert!(told.starts_with(generation), "{told}");
        }
    }

    #[test]
    fn legacy_is_of_the_old_generation_and_told() {
        let legacy = json!({"iam": {"legacy": true}});
        let told = choice(json!({ANNOTATION: "1.36"}), legacy, Some("1.36.2")).unwrap();
        assert_eq!(told, "1.10: spec.iam.legacy is true");
        assert!(Chosen { generation: Generation::V1_10, why: Reason::Legacy }.warning().is_some());
        assert!(choice(json!({}), json!({"iam": {}}), None).unwrap().starts_with("1.36"));
    }

    #[test]
    fn an_annotation_that_names_no_generation_is_refused() {
        let problem = choice(json!({ANNOTATION: "1.35"}), json!({}), None).unwrap_err();
        assert!(problem.ends_with("\"1.35\" is no generation: it is 1.10 or 1.36"), "{problem}");
        assert!(problem.contains(ANNOTATION), "{problem}");
    }
}
