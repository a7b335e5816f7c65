//! The fields that kops 1.36 knows, by object, as its API types of v1alpha2 declare them
//! (`pkg/apis/kops/v1alpha2` and, for `metadata`, `ObjectMeta` of apimachinery).
//!
//! The facts are rows of `fields/*.tsv`, a leaf each: its path (`[]` is an element of a list,
//! `{}` a value of a map), its type, the words that it takes (`|` between them), and what a
//! change of it reaches: objects on AWS, what nodes read of the store (`node`, `store`), an
//! add-on, or nothing but the tool. [`super::schema`] reads them to tell a misspelt field from
//! a known one and a number from a text, [`super::reach`] to tell what kops alone carries on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::kind::{Field, Kind, Object};

/// What every object has.
const ANY: &str = include_str!("fields/any.tsv");
const CLUSTER_SPEC: &str = include_str!("fields/cluster.tsv");
const INSTANCE_GROUP_SPEC: &str = include_str!("fields/instancegroup.tsv");
const SSH_CREDENTIAL_SPEC: &str = include_str!("fields/sshcredential.tsv");

/// What kops puts into fields of a cluster by itself, when it works out what all of them are:
/// `fills` where the spec says nothing, `sets` whatever the spec says (of the tag v1.36.2:
/// `pkg/model/components`, `upup/pkg/fi/cloudup` and the conversions of v1alpha2).
const COMPLETED: &str = include_str!("fields/completed.tsv");

/// Fields that kops had and has no more: path, type, what became of it.
const GONE_FROM_CLUSTER: &[[&str; 3]] = &[
    [
        "spec.kubeAPIServer.targetRamMb",
        "int32",
        "kops dropped it after 1.29, with Kubernetes' own flag; take it out, nothing follows it",
    ],
    [
        "spec.serviceOIDCProvider",
        "any",
        "no kops ever read it; what it was to be is serviceAccountIssuerDiscovery",
    ],
    [
        "spec.bootstrap",
        "string",
        "it is kapstan's own, and the annotation kapstan.io/bootstrap now; edit, set and replace \
         write it so",
    ],
    ["spec.kubelet.experimental_allowed_unsafe_sysctls[]", "string", SYSCTLS],
    ["spec.masterKubelet.experimental_allowed_unsafe_sysctls[]", "string", SYSCTLS],
];
const GONE_FROM_INSTANCE_GROUP: &[[&str; 3]] =
    &[["spec.kubelet.experimental_allowed_unsafe_sysctls[]", "string", SYSCTLS]];
const SYSCTLS: &str = "kops dropped it after 1.10; write allowedUnsafeSysctls";

static CLUSTER: LazyLock<Kind> = LazyLock::new(|| kind(&[ANY, CLUSTER_SPEC], GONE_FROM_CLUSTER));
static INSTANCE_GROUP: LazyLock<Kind> =
    LazyLock::new(|| kind(&[ANY, INSTANCE_GROUP_SPEC], GONE_FROM_INSTANCE_GROUP));
static SSH_CREDENTIAL: LazyLock<Kind> = LazyLock::new(|| kind(&[ANY, SSH_CREDENTIAL_SPEC], &[]));

static BY_KOPS: LazyLock<BTreeMap<&'static str, ByKops>> = LazyLock::new(|| {
    let word = |word: &str| if word == "sets" { ByKops::Sets } else { ByKops::Fills };
    let rows = COMPLETED.lines().filter_map(|row| row.split_once('\t'));
    rows.map(|(path, told)| (path, word(told))).collect()
});

/// What kops does to a field of a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ByKops {
    /// It gives an absent one a value.
    Fills,
    /// It gives it its own value, or takes it away.
    Sets,
}

/// What kops does to the field of a cluster at a path as the tables write it.
pub(super) fn by_kops(path: &str) -> Option<ByKops> {
    BY_KOPS.get(path).copied()
}

/// The kinds of objects, as documents name them.
pub(super) const KINDS: [&str; 3] = ["Cluster", "InstanceGroup", "SSHCredential"];

/// What an object of this kind holds.
pub(super) fn of(kind: &str) -> Option<&'static Kind> {
    match kind {
        "Cluster" => Some(&CLUSTER),
        "InstanceGroup" => Some(&INSTANCE_GROUP),
        "SSHCredential" => Some(&SSH_CREDENTIAL),
        _ => None,
    }
}

fn kind(tables: &[&'static str], gone: &[[&'static str; 3]]) -> Kind {
    let mut object = Object::default();
    for row in tables.iter().flat_map(|table| table.lines()) {
        let mut cells = row.split('\t');
        let mut cell = || cells.next().unwrap_or_default();
        let (path, kind, words, reach) = (cell(), cell(), cell(), cell());
        add(&mut object, path, Field { kind: Kind::named(kind, words), gone: None, reach });
    }
    for [path, kind, why] in gone {
        let kind = Kind::named(kind, "");
        add(&mut object, path, Field { kind, gone: Some(why), reach: "" });
    }
    Kind::Object(object)
}

/// Adds a leaf, and the objects, lists and maps on the way to it.
fn add(object: &mut Object, path: &'static str, leaf: Field) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, shape) = step.split_at(step.find(['[', '{']).unwrap_or(step.len()));
    if rest.is_empty() {
        object.fields.insert(name, Field { kind: shaped(shape, leaf.kind), ..leaf });
        return;
    }
    let between =
        || Field { kind: shaped(shape, Kind::Object(Object::default())), gone: None, reach: "" };
    let field = object.fields.entry(name).or_insert_with(between);
    if let Some(inner) = innermost(&mut field.kind) {
        add(inner, rest, leaf);
    }
}

/// A kind within the lists and maps that `[]` and `{}` stand for.
fn shaped(shape: &str, inner: Kind) -> Kind {
    if let Some(rest) = shape.strip_prefix("[]") {
        return Kind::List(Box::new(shaped(rest, inner)));
    }
    match shape.strip_prefix("{}") {
        Some(rest) => Kind::Map(Box::new(shaped(rest, inner))),
        None => inner,
    }
}

fn innermost(kind: &mut Kind) -> Option<&mut Object> {
    match kind {
        Kind::Object(object) => Some(object),
        Kind::List(kind) | Kind::Map(kind) => innermost(kind),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::kind::words_of;

    /// A row of the tables, for what is held to them.
    pub(in crate::spec) struct Row {
        pub(in crate::spec) path: &'static str,
        pub(in crate::spec) kind: &'static str,
        pub(in crate::spec) words: &'static str,
        pub(in crate::spec) reach: &'static str,
    }

    pub(in crate::spec) fn rows(kind: &str) -> Vec<Row> {
        let table = match kind {
            "Cluster" => CLUSTER_SPEC,
            "InstanceGroup" => INSTANCE_GROUP_SPEC,
            _ => SSH_CREDENTIAL_SPEC,
        };
        table.lines().map(row).collect()
    }

    fn row(line: &'static str) -> Row {
        let cells: Vec<&str> = line.split('\t').collect();
        let [path, kind, words, reach] = cells[..] else { panic!("{line:?} has not 4 cells") };
        Row { path, kind, words, reach }
    }

    /// Every leaf below a kind: its path, with its type and words.
    fn leaves(kind: &Kind, path: &str, found: &mut BTreeMap<String, (String, String)>) {
        match kind {
            Kind::Object(object) if !object.fields.is_empty() => {
                for (name, field) in object.fields.iter().filter(|(_, field)| field.gone.is_none())
                {
                    let dot = if path.is_empty() { "" } else { "." };
                    leaves(&field.kind, &format!("{path}{dot}{name}"), found);
                }
            }
            Kind::List(kind) => leaves(kind, &format!("{path}[]"), found),
            Kind::Map(kind) => leaves(kind, &format!("{path}{{}}"), found),
            leaf => {
                let facts = (leaf.name().to_owned(), words_of(leaf).join("|"));
                assert_eq!(found.insert(path.to_owned(), facts), None, "{path} is there twice");
            }
        }
    }

    #[test]
    fn the_schema_has_the_leaves_of_kops_and_no_others() {
        for (kind, count) in [("Cluster", 1165), ("InstanceGroup", 229), ("SSHCredential", 1)] {
            let mut found = BTreeMap::new();
            leaves(of(kind).unwrap(), "", &mut found);
            let common: Vec<Row> = ANY.lines().map(row).collect();
            let rows = rows(kind);
            assert_eq!(rows.len(), count, "{kind}");
            for row in rows.iter().chain(&common) {
                let facts = found.remove(row.path);
                let wanted = (row.kind.to_owned(), row.words.to_owned());
                assert_eq!(facts, Some(wanted), "{kind} {}", row.path);
            }
            assert!(found.is_empty(), "{kind}: no rows for {found:?}");
        }
    }

    #[test]
    fn fields_that_are_gone_are_not_among_those_that_are_there() {
        for (kind, gone) in
            [("Cluster", GONE_FROM_CLUSTER), ("InstanceGroup", GONE_FROM_INSTANCE_GROUP)]
        {
            for [path, ..] in gone {
                assert!(!rows(kind).iter().any(|row| row.path == *path), "{kind} {path}");
            }
        }
    }

    #[test]
    fn what_kops_does_by_itself_is_told_of_fields_that_it_has() {
        let rows = rows("Cluster");
        for row in COMPLETED.lines() {
            let (path, told) = row.split_once('\t').unwrap();
            assert!(rows.iter().any(|row| row.path == path), "{path}");
            assert!(["fills", "sets"].contains(&told), "{row}");
        }
    }

    #[test]
    fn what_a_change_reaches_is_told_in_known_words() {
        let known = ["aws", "node", "store", "addon", "cli", "none"];
        for row in KINDS.iter().flat_map(|kind| rows(kind)) {
            assert!(row.reach.split('+').all(|word| known.contains(&word)), "{}", row.path);
        }
    }
}
