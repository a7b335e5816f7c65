//! Writes kapstan's own settings where they belong, when a document is written.

use anyhow::Context as _;

use super::document::{self, Document};
use super::own::{BEFORE, annotation, old_setting};
use super::patch::{self, Edit};
use super::path::FieldPath;

/// A document with its settings in their place, if one stands in its old place.
///
/// # Errors
/// The text is written in a way that cannot be changed in place.
pub(crate) fn renewed(document: &Document) -> anyhow::Result<Option<Document>> {
    let mut edits = Vec::new();
    for (field, name) in BEFORE.iter().filter(|_| document.kind() == "Cluster") {
        let Some(value) = old_setting(document.json(), field) else { continue };
        let path = annotation(name);
        let pointer = "/metadata/annotations";
        let annotations = document.json().pointer(pointer);
        if annotations.and_then(|annotations| annotations.get(name)).is_none() {
            edits.push(Edit::Set { path, value: value.to_string() });
        }
        edits.push(Edit::Unset { path: FieldPath::root().key("spec").key(field) });
    }
    if edits.is_empty() {
        return Ok(None);
    }
    let text = patch::apply(&document.text, document.kind(), &edits).with_context(|| {
        let settings = BEFORE.map(|(field, name)| format!("spec.{field} as the annotation {name}"));
        format!("{document} ({}): write {} yourself", document.origin, settings.join(", "))
    })?;
    Ok(Some(document::read_one(&text, &document.origin)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::document::{Spec, read_one};

    fn cluster(text: &str) -> Document {
        read_one(&format!("apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\n{text}"), "x").unwrap()
    }

    fn bootstrap(document: &Document) -> Option<&str> {
        let Spec::Cluster(cluster) = &document.spec else { panic!("no cluster") };
        cluster.bootstrap()
    }

    #[test]
    fn a_setting_in_its_old_place_is_read_and_written_in_the_new_one() {
        for (old, new) in [
            (
                "metadata:\n  name: a.com\nspec:\n  bootstrap: none # ours\n  iam: {}\n",
                "metadata:\n  name: a.com\n  annotations:\n    kapstan.io/bootstrap: none\nspec:\n  \
                 iam: {}\n",
            ),
            (
                "metadata:\n  annotations:\n    x: z\n  name: a.com\nspec:\n  iam: {}\n  bootstrap: \
                 none\n",
                "metadata:\n  annotations:\n    x: z\n    kapstan.io/bootstrap: none\n  name: \
                 a.com\nspec:\n  iam: {}\n",
            ),
        ] {
            let document = cluster(old);
            assert_eq!(bootstrap(&document), Some("none"));
            assert_eq!(document.findings.gone.len(), 1, "{:?}", document.findings);
            let renewed = renewed(&document).unwrap().unwrap();
            assert!(renewed.text.ends_with(new), "{}", renewed.text);
            assert_eq!(bootstrap(&renewed), Some("none"));
            assert!(renewed.findings.gone.is_empty() && renewed.findings.unknown.is_empty());
            assert!(super::renewed(&renewed).unwrap().is_none());
        }
    }

    #[test]
    fn an_annotation_counts_before_the_old_field() {
        let document = cluster(
            "metadata: {name: a.com, annotations: {kapstan.io/bootstrap: none}}\nspec: {bootstrap: \
             other}\n",
        );
        assert_eq!(bootstrap(&document), Some("none"));
        let text = renewed(&document).unwrap().unwrap().text;
        assert!(!text.contains("other") && text.contains("kapstan.io/bootstrap: none"), "{text}");
    }
}
