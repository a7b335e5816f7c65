//! `iam show`: policy documents as they would be, without a look at AWS.

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value as Json, json};

use super::checks::{self, UnknownFields};
use super::input::read_documents;
use super::output::{self, ReportFormat};
use super::settings::Global;
use super::ui::Ui;
use crate::desired::{self, Input};
use crate::limits::partition::Partition;
use crate::policy::role_policy::UNKNOWN_ZONE;
use crate::policy::trust;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::name::ClusterName;
use crate::spec::role::Role;

/// Show the policy documents as they would be, without a look at AWS
///
/// With --role and -o json it is exactly that role's policy document. A hosted zone whose id
/// only AWS knows is shown as HOSTED_ZONE_ID. Of a file, whatever is wrong that no policy
/// depends on is a warning.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan iam show dev.example.com
  kapstan iam show dev.example.com --role node -o json
  kapstan iam show -f cluster.yaml --role master -o json --state s3://clusters")]
pub(crate) struct IamShowArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only this role: master, node or bastion
    #[arg(long)]
    role: Option<Role>,
    /// Take the specs from a file (- for standard input) instead of the state store
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: Option<String>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

/// The specs to show, and the cluster's folder in the state store.
struct Specs {
    cluster: Cluster,
    groups: Vec<InstanceGroup>,
    base: Option<String>,
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &IamShowArgs) -> anyhow::Result<()> {
    let specs = match &args.file {
        Some(file) => from_file(ui, global, args, file)?,
        None => from_store(ui, global, args).await?,
    };
    let groups: Vec<&InstanceGroup> = specs.groups.iter().collect();
    let base = specs.base.as_deref();
    let input = Input { cluster: &specs.cluster, groups: &groups, base, ssh_keys: &[] };
    for notice in desired::unreadable_stores(input) {
        ui.warn_of(&notice);
    }
    let roles = match args.role {
        Some(role) => vec![role],
        None => roles_of(&specs),
    };
    let shown: Vec<Shown> = roles.into_iter().map(|role| Shown::new(input, role)).collect();
    if shown.iter().any(|shown| shown.policy.to_string().contains(UNKNOWN_ZONE)) {
        ui.status(&format!(
            "{UNKNOWN_ZONE} stands for the id of the hosted zone, which only AWS knows; with \
             spec.dnsZone set to the id it is shown"
        ));
    }
    match (args.output, args.role) {
        (ReportFormat::Text, _) => ui.out(&shown.iter().map(Shown::to_text).collect::<String>()),
        (ReportFormat::Json, Some(_)) => output::json(ui, &shown[0].policy),
        (ReportFormat::Yaml, Some(_)) => output::yaml(ui, &shown[0].policy),
        (ReportFormat::Json, None) => output::json(ui, &listed(&specs.cluster, &shown)),
        (ReportFormat::Yaml, None) => output::yaml(ui, &listed(&specs.cluster, &shown)),
    }
}

/// The documents of one role.
struct Shown {
    role: Role,
    name: String,
    policy: Json,
    additional: Option<Json>,
    trust: Json,
}

impl Shown {
    fn new(input: Input<'_>, role: Role) -> Self {
        let (policy, additional) = desired::documents(input, role);
        let region = input.cluster.region().unwrap_or_default();
        Self {
            role,
            name: role.iam_name(input.cluster.name()),
            policy: policy.to_json(),
            additional: additional.map(|document| document.to_json()),
            trust: trust::document(Partition::of_region(region)).to_json(),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!("# {}: policy {}\n{:#}\n", self.role, self.name, self.policy);
        if let Some(additional) = &self.additional {
            let name = desired::iam::additional_name(&self.name);
            text.push_str(&format!("# {}: policy {name}\n{additional:#}\n", self.role));
        }
        text
    }
}

fn listed(cluster: &Cluster, shown: &[Shown]) -> Json {
    let roles = shown.iter().map(|shown| {
        let role = json!({
            "name": shown.name,
            "policy": shown.policy,
            "additionalPolicy": shown.additional,
            "trustPolicy": shown.trust,
        });
        (shown.role.key().to_owned(), role)
    });
    json!({
        "apiVersion": "kapstan/v1",
        "kind": "PolicyDocuments",
        "cluster": cluster.name(),
        "roles": Json::Object(roles.collect()),
    })
}

/// The roles that groups have; without any group, those that every cluster has.
fn roles_of(specs: &Specs) -> Vec<Role> {
    let mut roles: Vec<Role> = specs.groups.iter().filter_map(|group| group.spec.role).collect();
    roles.sort();
    roles.dedup();
    if roles.is_empty() { vec![Role::Master, Role::Node] } else { roles }
}

fn from_file(ui: &Ui, global: &Global, args: &IamShowArgs, file: &str) -> anyhow::Result<Specs> {
    let wanted = global.cluster_if_named(args.cluster.as_deref())?;
    let documents = read_documents(file)?;
    let is_wanted = |document: &&Document| {
        matches!(document.spec, Spec::Cluster(_))
            && wanted.as_ref().is_none_or(|name| name.as_str() == document.name())
    };
    let clusters: Vec<&Document> = documents.iter().filter(is_wanted).collect();
    let document = match clusters[..] {
        [one] => one,
        [] => bail!("{file} holds no cluster{}", of(&wanted)),
        _ => bail!("{file} holds {} clusters; name one", clusters.len()),
    };
    let Spec::Cluster(cluster) = &document.spec else { bail!("{document} is no cluster") };
    let unknown = UnknownFields::from_strict(global.strict);
    let mut results = vec![checks::policies(ui, document, cluster, unknown)];
    let mut groups = Vec::new();
    for document in &documents {
        if let Spec::InstanceGroup(group) = &document.spec
            && group.cluster_label().is_none_or(|label| label == cluster.name())
        {
            results.push(checks::policies(ui, document, cluster, unknown));
            groups.push((**group).clone());
        }
    }
    checks::all(results)?;
    let store = global.configured_store()?;
    let base = store.map(|url| url.of_cluster(cluster.name()));
    Ok(Specs { cluster: (**cluster).clone(), groups, base })
}

fn of(name: &Option<ClusterName>) -> String {
    name.as_ref().map(|name| format!(" {name}")).unwrap_or_default()
}

async fn from_store(ui: &Ui, global: &Global, args: &IamShowArgs) -> anyhow::Result<Specs> {
    let name = global.cluster(args.cluster.as_deref())?;
    let (store, url) = global.store(ui).await?;
    let kept = store.existing_cluster(&name).await?;
    let groups = checks::groups(ui, &store, &name).await?;
    let unknown = UnknownFields::from_strict(global.strict);
    let checked = checks::Checked::from_kept(ui, &kept, &groups, unknown)
        .with_context(|| format!("{name} is not valid"))?;
    let shared = checks::shared_places(&store, &url, &checked.cluster).await?;
    shared.iter().for_each(|notice| ui.warn_of(notice));
    Ok(Specs {
        cluster: checked.cluster,
        groups: checked.groups,
        base: Some(url.of_cluster(name.as_str())),
    })
}
