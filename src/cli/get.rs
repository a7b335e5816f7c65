//! `get`: shows what the state store has.

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::checks::{self, UnknownFields, warn_of};
use super::output::{self, ReadFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::report::text;
use crate::spec::document::{ADDITIONAL, Document, Spec};
use crate::spec::name::ClusterName;
use crate::spec::object::filled;
use crate::store::Store;
use crate::store::objects::{Kept, Place, Unread};
use crate::visible::text::visible;

/// Show what the state store has
///
/// With -o yaml the specs come as they were written, in one file that create -f accepts.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  kapstan get clusters
  kapstan get ig --name dev.example.com
  kapstan get all --name dev.example.com -o yaml > dev.yaml"
)]
pub(crate) struct GetArgs {
    #[command(subcommand)]
    what: Option<GetCommand>,
    /// The cluster to show with its instance groups
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum GetCommand {
    /// Show clusters
    #[command(
        visible_alias = "cluster",
        after_help = "Examples:
  kapstan get clusters
  kapstan get cluster dev.example.com -o yaml"
    )]
    Clusters {
        /// Only this cluster
        #[arg(value_name = "CLUSTER")]
        cluster: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Show the instance groups of a cluster
    #[command(name = "ig", visible_aliases = ["instancegroups", "instancegroup"], after_help = "Examples:
  kapstan get ig --name dev.example.com
  kapstan get ig nodes --name dev.example.com -o yaml")]
    InstanceGroups {
        /// Only this instance group
        #[arg(value_name = "NAME")]
        group: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Show a cluster and its instance groups
    #[command(after_help = "Examples:
  kapstan get all --name dev.example.com -o yaml")]
    All {
        /// The cluster
        #[arg(value_name = "CLUSTER")]
        cluster: Option<String>,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Debug, Args)]
struct Format {
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = ReadFormat::Table, value_name = "FORMAT")]
    output: ReadFormat,
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &GetArgs) -> anyhow::Result<()> {
    let (store, _) = global.store(ui).await?;
    match &args.what {
        Some(GetCommand::Clusters { cluster, format }) => {
            let found = match global.cluster_if_named(cluster.as_deref())? {
                Some(name) => vec![Ok(store.existing_cluster(&name).await?)],
                None => store.clusters().await?,
            };
            show(ui, global, &Shown::new(ui, found), format.output)
        }
        Some(GetCommand::InstanceGroups { group, format }) => {
            let cluster = global.cluster(None)?;
            store.existing(&Place::Cluster(cluster.clone())).await?;
            let found = match group {
                Some(group) => vec![Ok(store.existing_group(&cluster, group).await?)],
                None => groups(ui, &store, &cluster).await?,
            };
            show(ui, global, &Shown::new(ui, found), format.output)
        }
        Some(GetCommand::All { cluster, format }) => {
            show_all(ui, global, &store, cluster.as_deref(), format.output).await
        }
        None => show_all(ui, global, &store, args.cluster.as_deref(), args.format.output).await,
    }
}

async fn show_all(
    ui: &Ui,
    global: &Global,
    store: &Store,
    cluster: Option<&str>,
    format: ReadFormat,
) -> anyhow::Result<()> {
    let name = global.cluster(cluster)?;
    let place = Place::Cluster(name.clone());
    let mut found: Vec<_> = store.kept(&place).await.transpose().into_iter().collect();
    if found.is_empty() {
        store.existing(&place).await?;
    }
    found.extend(groups(ui, store, &name).await?);
    found.extend(store.kept(&Place::Additional(name)).await.transpose());
    show(ui, global, &Shown::new(ui, found), format)
}

/// The groups of a cluster, each as far as it can be read.
async fn groups(
    ui: &Ui,
    store: &Store,
    cluster: &ClusterName,
) -> anyhow::Result<Vec<Result<Kept, Unread>>> {
    let (kept, unread) = checks::look_at_groups(ui, store, cluster).await?;
    Ok(kept.into_iter().map(Ok).chain(unread.into_iter().map(Err)).collect())
}

/// What is shown. What cannot be read is shown too, and hides nothing else.
struct Shown {
    documents: Vec<Document>,
    unread: Vec<Unread>,
}

impl Shown {
    fn new(ui: &Ui, found: Vec<Result<Kept, Unread>>) -> Self {
        let mut shown = Self { documents: Vec::new(), unread: Vec::new() };
        for one in found {
            match one {
                Ok(kept) => shown.documents.push(kept.document),
                Err(unread) => {
                    ui.warn(&unread.to_string());
                    shown.unread.push(unread);
                }
            }
        }
        shown
    }
}

fn show(ui: &Ui, global: &Global, shown: &Shown, format: ReadFormat) -> anyhow::Result<()> {
    let documents = &shown.documents;
    for document in documents {
        warn_of(ui, document, &document.findings.refused);
        warn_of(ui, document, &document.findings.gone);
    }
    let unknown = |document: &Document| document.findings.unknown.clone();
    match UnknownFields::from_strict(global.strict) {
        UnknownFields::Warn => documents.iter().for_each(|d| warn_of(ui, d, &unknown(d))),
        UnknownFields::Refuse => {
            checks::all(documents.iter().map(|d| d.refuse(unknown(d))).collect())?;
        }
    }
    match format {
        ReadFormat::Table => ui.out(&tables(shown)),
        ReadFormat::Yaml => {
            let texts: Vec<&str> = documents.iter().map(|d| d.text.as_str()).collect();
            let unread = |unread: &Unread| {
                format!("# {} cannot be read: {}\n", unread.place, visible(&unread.reason()))
            };
            let marks: String = shown.unread.iter().map(unread).collect();
            ui.document(&format!("{marks}{}", texts.join("---\n")))
        }
        ReadFormat::Json => {
            let read = documents.iter().flat_map(|document| match document.json() {
                Json::Array(objects) => objects.clone(),
                one => vec![one.clone()],
            });
            match read.chain(shown.unread.iter().map(unread_json)).collect::<Vec<_>>().as_slice() {
                [one] => output::json(ui, one),
                several => output::json(ui, &several),
            }
        }
        ReadFormat::Name => {
            ui.out(&documents.iter().map(|d| format!("{}\n", d.name())).collect::<String>())
        }
    }
}

/// An object that cannot be read, for machines.
fn unread_json(unread: &Unread) -> Json {
    let kind = match unread.place {
        Place::Cluster(_) => "Cluster",
        Place::InstanceGroup(..) => "InstanceGroup",
        Place::SshKey { .. } => "SSHCredential",
        Place::Additional(_) => ADDITIONAL,
    };
    json!({
        "kind": kind,
        "metadata": {"name": unread.place.name()},
        "cannotBeRead": unread.reason(),
    })
}

fn tables(shown: &Shown) -> String {
    let mut clusters = Vec::new();
    let mut groups = Vec::new();
    let mut others = Vec::new();
    for document in &shown.documents {
        match &document.spec {
            Spec::Cluster(cluster) => {
                let mut zones: Vec<&str> =
                    cluster.subnets().iter().filter_map(|subnet| filled(&subnet.zone)).collect();
                zones.sort_unstable();
                zones.dedup();
                let cloud = filled(&cluster.spec.cloud_provider).unwrap_or_default();
                clusters.push([cluster.name().to_owned(), cloud.to_owned(), zones.join(",")]);
            }
            Spec::InstanceGroup(group) => {
                let role = group.spec.role.map(|role| role.to_string()).unwrap_or_default();
                let machine_type = filled(&group.spec.machine_type).unwrap_or_default();
                let (min, max) = group.sizes();
                groups.push([
                    group.name().to_owned(),
                    role,
                    machine_type.to_owned(),
                    min.to_string(),
                    max.to_string(),
                    group.subnets().join(","),
                ]);
            }
            Spec::SshCredential(_) => {}
            Spec::Additional(names) => others.extend(names.iter().map(|name| [name.clone()])),
        }
    }
    for unread in &shown.unread {
        let mark = format!("cannot be read: {}", visible(&unread.reason()));
        match &unread.place {
            Place::Cluster(name) => clusters.push([name.to_string(), String::new(), mark]),
            Place::InstanceGroup(_, name) => {
                let nothing = String::new;
                let name = name.to_string();
                groups.push([name, nothing(), nothing(), nothing(), nothing(), mark]);
            }
            Place::SshKey { .. } => {}
            Place::Additional(_) => others.push([mark]),
        }
    }
    clusters.sort();
    groups.sort();
    let mut tables = Vec::new();
    if !clusters.is_empty() {
        tables.push(text::table(["NAME", "CLOUD", "ZONES"], &clusters));
    }
    if !groups.is_empty() {
        let head = ["NAME", "ROLE", "MACHINETYPE", "MIN", "MAX", "SUBNETS"];
        tables.push(text::table(head, &groups));
    }
    if !others.is_empty() {
        tables.push(text::table(["ADDITIONAL OBJECT"], &others));
    }
    tables.join("\n")
}
