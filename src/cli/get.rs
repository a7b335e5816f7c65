//! `get`: shows what the state store has.

use clap::{Args, Subcommand};

use super::checks::{self, UnknownFields, warn_of_unknown};
use super::output::{self, ReadFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::report::text;
use crate::spec::document::{Document, Spec};
use crate::spec::name::ClusterName;
use crate::spec::object::filled;
use crate::store::Store;

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
            let documents = match global.cluster_if_named(cluster.as_deref())? {
                Some(name) => vec![store.existing_cluster(&name).await?.document],
                None => all_clusters(ui, &store).await?,
            };
            show(ui, global, &documents, format.output)
        }
        Some(GetCommand::InstanceGroups { group, format }) => {
            let cluster = global.cluster(None)?;
            store.existing_cluster(&cluster).await?;
            let documents = match group {
                Some(group) => vec![store.existing_group(&cluster, group).await?.document],
                None => groups(ui, &store, &cluster).await?,
            };
            show(ui, global, &documents, format.output)
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
    let mut documents = vec![store.existing_cluster(&name).await?.document];
    documents.extend(groups(ui, store, &name).await?);
    show(ui, global, &documents, format)
}

/// All clusters that can be read. One that cannot must not hide the others.
async fn all_clusters(ui: &Ui, store: &Store) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    for cluster in store.clusters().await? {
        match cluster {
            Ok(kept) => documents.push(kept.document),
            Err(error) => ui.warn(&format!("{error:#}")),
        }
    }
    Ok(documents)
}

/// All groups of a cluster that can be read, as for clusters.
async fn groups(ui: &Ui, store: &Store, cluster: &ClusterName) -> anyhow::Result<Vec<Document>> {
    let (kept, unreadable) = checks::look_at_groups(ui, store, cluster).await?;
    unreadable.iter().for_each(|error| ui.warn(&format!("{error:#}")));
    Ok(kept.into_iter().map(|kept| kept.document).collect())
}

fn show(
    ui: &Ui,
    global: &Global,
    documents: &[Document],
    format: ReadFormat,
) -> anyhow::Result<()> {
    match UnknownFields::from_strict(global.strict) {
        UnknownFields::Warn => documents.iter().for_each(|document| warn_of_unknown(ui, document)),
        UnknownFields::Refuse => {
            let refuse = |document: &Document| document.refuse(document.unknown.clone());
            checks::all(documents.iter().map(refuse).collect())?;
        }
    }
    match format {
        ReadFormat::Table => ui.out(&tables(documents)),
        ReadFormat::Yaml => {
            let texts: Vec<&str> = documents.iter().map(|d| d.text.as_str()).collect();
            ui.document(&texts.join("---\n"))
        }
        ReadFormat::Json => match documents {
            [document] => output::json(ui, document.json()),
            documents => {
                output::json(ui, &documents.iter().map(Document::json).collect::<Vec<_>>())
            }
        },
        ReadFormat::Name => {
            ui.out(&documents.iter().map(|d| format!("{}\n", d.name())).collect::<String>())
        }
    }
}

fn tables(documents: &[Document]) -> String {
    let mut clusters = Vec::new();
    let mut groups = Vec::new();
    for document in documents {
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
        }
    }
    let mut tables = Vec::new();
    if !clusters.is_empty() {
        tables.push(text::table(["NAME", "CLOUD", "ZONES"], &clusters));
    }
    if !groups.is_empty() {
        let head = ["NAME", "ROLE", "MACHINETYPE", "MIN", "MAX", "SUBNETS"];
        tables.push(text::table(head, &groups));
    }
    tables.join("\n")
}
