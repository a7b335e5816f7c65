//! `set`: changes single fields of a kept spec, for scripts and CI.

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};

use super::carried;
use super::checks::{self, UnknownFields};
use super::locked::{Held, locked};
use super::placed::renewed_one;
use super::settings::Global;
use super::ui::Ui;
use crate::spec::cluster::Cluster;
use crate::spec::document::{self, Document};
use crate::spec::patch::{self, Edit};
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;
use crate::store::Store;
use crate::store::objects::Kept;

/// Set fields of a kept spec
///
/// A field is a path and a value: spec.kubernetesVersion=1.10.13. The value is YAML. Lists
/// take an index, a star for each element, or their length to append one. Only the
/// fields named change; the rest of the text stays as it is.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct SetArgs {
    #[command(subcommand)]
    what: SetCommand,
}

#[derive(Debug, Subcommand)]
enum SetCommand {
    /// Set fields of a cluster
    #[command(after_help = "Examples:
  kapstan set cluster dev.example.com spec.iam.allowContainerRegistry=true
  kapstan set cluster --name dev.example.com 'spec.sshAccess=[10.0.0.0/8]'
  kapstan set cluster dev.example.com 'spec.etcdClusters[*].version=3.2.18'")]
    Cluster {
        /// The cluster, unless --name gives it; then the fields
        #[arg(value_name = "[CLUSTER] PATH=VALUE", required = true)]
        arguments: Vec<String>,
    },
    /// Set fields of an instance group
    #[command(visible_aliases = ["instancegroup", "instancegroups"], after_help = "Examples:
  kapstan set ig nodes spec.maxSize=5 --name dev.example.com
  kapstan set ig nodes 'spec.cloudLabels[\"example.com/team\"]=web' --name dev.example.com")]
    Ig {
        /// The instance group
        #[arg(value_name = "NAME")]
        group: String,
        /// The fields
        #[arg(value_name = "PATH=VALUE", required = true)]
        fields: Vec<String>,
    },
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &SetArgs) -> anyhow::Result<()> {
    match &args.what {
        SetCommand::Cluster { arguments } => {
            let is_field = |argument: &str| argument.contains('=');
            let (cluster, fields) = cluster_and_fields(global, arguments, is_field);
            ui.out(&edit_cluster(ui, global, "set cluster", cluster, &edits(fields)?).await?)
        }
        SetCommand::Ig { group, fields } => {
            let what = format!("set ig {group} of");
            ui.out(&edit_group(ui, global, &what, group, &edits(fields)?).await?)
        }
    }
}

fn edits(fields: &[String]) -> anyhow::Result<Vec<Edit>> {
    let edit = |field: &String| {
        let (path, value) = split_field(field).with_context(|| {
            format!("{} is no field; write it like spec.maxSize=5", told(field))
        })?;
        Ok(Edit::Set { path: field_path(path)?, value: value.to_owned() })
    };
    fields.iter().map(edit).collect()
}

/// An argument without a value, as far as it is a path: the rest may be a secret.
fn told(argument: &str) -> String {
    let begins = ["spec.", "metadata.", "cluster.", "instancegroup."];
    let is_path = begins.iter().any(|begin| argument.starts_with(begin));
    let end = argument.find(|c: char| !(c.is_ascii_alphanumeric() || ".[]*\"-_/".contains(c)));
    match end {
        None if is_path => format!("{argument:?}"),
        Some(end) if is_path => format!("{:?}…", &argument[..end]),
        _ => format!("an argument of {} bytes", argument.len()),
    }
}

/// Cuts at the first `=` that is not inside the quotes of a key.
fn split_field(field: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = field.char_indices().find_map(|(index, c)| {
        quoted ^= c == '"';
        (c == '=' && !quoted).then_some(index)
    })?;
    Some((&field[..end], &field[end + 1..]))
}

/// Reads a path; kops' form with `cluster.` or `instancegroup.` before it is taken too.
pub(super) fn field_path(text: &str) -> anyhow::Result<FieldPath> {
    let bare = ["cluster.", "instancegroup."].iter().find_map(|kind| text.strip_prefix(kind));
    let path: FieldPath = bare.unwrap_or(text).parse()?;
    let text = path.to_string();
    ensure!(
        text.starts_with("spec.") || text.starts_with("metadata."),
        "{text}: fields begin with spec. or metadata."
    );
    ensure!(text != "metadata.name", "{text}: an object keeps its name; create another instead");
    Ok(path)
}

/// With `--name` every argument is a field; else the first names the cluster if it is none.
pub(super) fn cluster_and_fields<'a>(
    global: &Global,
    arguments: &'a [String],
    is_field: impl Fn(&str) -> bool,
) -> (Option<&'a str>, &'a [String]) {
    match arguments.split_first() {
        Some((first, fields)) if global.name.is_none() && !is_field(first) => (Some(first), fields),
        _ => (None, arguments),
    }
}

/// Edits a cluster, and tells what came of it.
pub(super) async fn edit_cluster(
    ui: &Ui,
    global: &Global,
    what: &str,
    cluster: Option<&str>,
    edits: &[Edit],
) -> anyhow::Result<String> {
    ensure!(!edits.is_empty(), "no field is given");
    let name = global.cluster(cluster)?;
    let work = async |held: &Held| {
        let (store, _) = global.store(ui).await?;
        let kept = store.existing_cluster(&name).await?;
        let after = edited(ui, global, &kept.document, None, edits)?;
        if let Some(after) = &after {
            checks::warn_of_shared_places(ui, global, after).await?;
        }
        write(ui, &store, (&kept, after, None), held).await
    };
    locked(ui, global, what, [name.clone()], work).await
}

pub(super) async fn edit_group(
    ui: &Ui,
    global: &Global,
    what: &str,
    group: &str,
    edits: &[Edit],
) -> anyhow::Result<String> {
    let name = global.cluster(None)?;
    let work = async |held: &Held| {
        let (store, _) = global.store(ui).await?;
        let (cluster, kept) = store.group_in_cluster(&name, group).await?;
        let after = edited(ui, global, &kept.document, Some(&cluster), edits)?;
        write(ui, &store, (&kept, after, Some(&cluster)), held).await
    };
    locked(ui, global, what, [name.clone()], work).await
}

/// The document as it is to be kept, unless the edits change nothing of it.
fn edited(
    ui: &Ui,
    global: &Global,
    before: &Document,
    cluster: Option<&Cluster>,
    edits: &[Edit],
) -> anyhow::Result<Option<Document>> {
    let text = patch::apply(&before.text, before.kind(), edits)
        .with_context(|| format!("{before}; nothing was written"))?;
    if text == before.text {
        return Ok(None);
    }
    let after = renewed_one(ui, document::read_one(&text, &before.origin)?)?;
    // A misspelt path must not become a new field.
    let is_new = |problem: &&Problem| {
        !before.findings.unknown.iter().any(|known| known.path == problem.path)
    };
    after.refuse(after.findings.unknown.iter().filter(is_new).cloned().collect())?;
    checks::document(ui, &after, cluster, UnknownFields::from_strict(global.strict))?;
    checks::update(before, &after)?;
    Ok(Some(after))
}

/// Writes what an object has become, beside the cluster whose group it is.
async fn write(
    ui: &Ui,
    store: &Store,
    (kept, after, cluster): (&Kept, Option<Document>, Option<&Cluster>),
    held: &Held,
) -> anyhow::Result<String> {
    let Some(after) = after else { return Ok(format!("{} unchanged\n", kept.document)) };
    held.begin()?;
    store.update(&kept.text, &after).await?;
    carried::tell_between(ui, &kept.document, &after, cluster);
    Ok(format!("{after} changed\n"))
}
