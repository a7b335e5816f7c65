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
use crate::iam::role_policy::additional_name;
use crate::limits::partition::Partition;
use crate::policy::generation::{Chosen, Generation, Reason};
use crate::policy::v1_36::accounts::{self, AccountRole, UNKNOWN_ACCOUNT};
use crate::policy::zone::UNKNOWN_ZONE;
use crate::policy::{external, trust};
use crate::report::machine::ReportedGeneration;
use crate::spec::cluster::Cluster;
use crate::spec::document::{Document, Spec};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::name::ClusterName;
use crate::spec::problem::{Problem, Problems};
use crate::spec::role::Role;
use crate::visible::text::visible;

/// Show the policy documents as they would be, without a look at AWS
///
/// They are those of kops 1.10 or 1.36, as the cluster is; --generation shows the others. With
/// --role and -o json it is exactly that role's policy document. A hosted zone whose id only AWS
/// knows is shown as HOSTED_ZONE_ID, the account as ACCOUNT_ID. Of a file, whatever is wrong that no policy
/// depends on is a warning.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan iam show dev.example.com
  kapstan iam show dev.example.com --role node -o json
  kapstan iam show dev.example.com --generation 1.36
  kapstan iam show -f cluster.yaml --role master -o json --state s3://clusters")]
pub(crate) struct IamShowArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only this role: master (control-plane), node, bastion or apiserver
    #[arg(long)]
    role: Option<Role>,
    /// The documents of this kops, 1.10 or 1.36, instead of the cluster's own
    #[arg(long, value_name = "GENERATION")]
    generation: Option<Generation>,
    /// Take the specs from a file (- for standard input) instead of the state store
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: Option<String>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

/// The specs to show, and the cluster's folder in the state store.
pub(super) struct Specs {
    pub(super) cluster: Cluster,
    pub(super) groups: Vec<InstanceGroup>,
    base: Option<String>,
    /// The text of `kops-version.txt` beside the cluster.
    kops_version: Option<String>,
}

impl Specs {
    /// `groups` are those of these specs.
    pub(super) fn input<'a>(&'a self, groups: &'a [&'a InstanceGroup]) -> Input<'a> {
        Input {
            cluster: &self.cluster,
            groups,
            base: self.base.as_deref(),
            kops_version: self.kops_version.as_deref(),
            ssh_keys: &[],
        }
    }

    /// The roles that groups have; without any group, those that every cluster has.
    pub(super) fn roles(&self) -> Vec<Role> {
        let groups = self.groups.iter();
        let mut roles: Vec<Role> = groups.filter_map(|group| group.spec.role).collect();
        roles.retain(|role| Role::ALL.contains(role));
        roles.sort();
        roles.dedup();
        if roles.is_empty() { vec![Role::Master, Role::Node] } else { roles }
    }
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &IamShowArgs) -> anyhow::Result<()> {
    let specs = match &args.file {
        Some(file) => from_file(ui, global, args, file)?,
        None => from_store(ui, global, args.cluster.as_deref()).await?,
    };
    let groups: Vec<&InstanceGroup> = specs.groups.iter().collect();
    let input = specs.input(&groups);
    let chosen = chosen(&specs.cluster, input, args.generation)?;
    if let Some(notice) = desired::generation_warning(&specs.cluster, &chosen) {
        ui.warn_of(&notice);
    }
    for notice in desired::unreadable_stores(input) {
        ui.warn_of(&notice);
    }
    let roles = match args.role {
        Some(role) => vec![role],
        None => specs.roles(),
    };
    let generation = chosen.generation;
    let shown: Vec<Shown> =
        roles.into_iter().map(|role| Shown::new(input, generation, role)).collect();
    let accounts = match (args.role, generation) {
        (None, Generation::V1_36) => accounts(input)?,
        _ => Vec::new(),
    };
    let shown: Vec<Shown> = shown.into_iter().chain(accounts).collect();
    if shown.iter().any(Shown::names_unknown_zone) {
        ui.status(&format!(
            "{UNKNOWN_ZONE} stands for the id of the hosted zone, which only AWS knows; with \
             spec.dnsZone set to the id it is shown"
        ));
    }
    match (args.output, args.role) {
        (ReportFormat::Text, _) => {
            ui.status(&format!("the documents are those of kops {generation}: {}", chosen.why));
            ui.out(&shown.iter().map(Shown::to_text).collect::<String>())
        }
        (ReportFormat::Json, Some(_)) => output::json(ui, &shown[0].policy),
        (ReportFormat::Yaml, Some(_)) => output::yaml(ui, &shown[0].policy),
        (ReportFormat::Json, None) => output::json(ui, &listed(&specs.cluster, &chosen, &shown)),
        (ReportFormat::Yaml, None) => output::yaml(ui, &listed(&specs.cluster, &chosen, &shown)),
    }
}

/// The generation whose documents are shown.
pub(super) fn chosen(
    cluster: &Cluster,
    input: Input<'_>,
    asked: Option<Generation>,
) -> anyhow::Result<Chosen> {
    match asked {
        Some(generation) => Ok(Chosen { generation, why: Reason::Asked }),
        None => input.generation().map_err(|problem| refused(cluster, vec![problem])),
    }
}

fn refused(cluster: &Cluster, problems: Vec<Problem>) -> anyhow::Error {
    Problems { subject: format!("Cluster/{}", cluster.name()), problems }.into()
}

/// The roles that service accounts have.
pub(super) fn account_roles(input: Input<'_>) -> anyhow::Result<Vec<AccountRole>> {
    accounts::roles(input.cluster, input.groups, input.base)
        .map_err(|problems| refused(input.cluster, problems))
}

/// The documents of those roles.
fn accounts(input: Input<'_>) -> anyhow::Result<Vec<Shown>> {
    let roles = account_roles(input)?;
    let zone = desired::told_zone(input.cluster);
    let shown = roles.into_iter().map(|role| Shown {
        title: format!("{}/{}", role.namespace, role.account),
        policy: role.document(zone.as_deref()).map(|document| document.to_json()),
        additional: None,
        trust: role.trust.document(UNKNOWN_ACCOUNT).to_json(),
        attached: role.attached.into_iter().collect(),
        name: role.name,
        is_account: true,
    });
    Ok(shown.collect())
}

/// The documents of one role.
struct Shown {
    /// The role of instances, or the namespace and name of the service account.
    title: String,
    is_account: bool,
    name: String,
    policy: Option<Json>,
    /// The ARNs of policies that are attached.
    attached: Vec<String>,
    additional: Option<Json>,
    trust: Json,
}

impl Shown {
    fn new(input: Input<'_>, generation: Generation, role: Role) -> Self {
        let (policy, additional) = desired::documents(input, generation, role);
        let region = input.cluster.region().unwrap_or_default();
        Self {
            title: role.to_string(),
            is_account: false,
            name: role.iam_name(input.cluster.name()),
            policy: Some(policy.to_json()),
            attached: external::of_role(input.cluster, role).into_iter().collect(),
            additional: additional.map(|document| document.to_json()),
            trust: trust::document(Partition::of_region(region)).to_json(),
        }
    }

    fn names_unknown_zone(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.to_string().contains(UNKNOWN_ZONE))
    }

    fn to_text(&self) -> String {
        let title = visible(&self.title);
        let mut text = String::new();
        if let Some(policy) = &self.policy {
            text.push_str(&format!("# {title}: policy {}\n{policy:#}\n", visible(&self.name)));
        }
        if let Some(additional) = &self.additional {
            let name = additional_name(&self.name);
            text.push_str(&format!("# {title}: policy {name}\n{additional:#}\n"));
        }
        for arn in &self.attached {
            text.push_str(&format!("# {title}: attached to {}: {}\n", self.name, visible(arn)));
        }
        text
    }
}

fn listed(cluster: &Cluster, chosen: &Chosen, shown: &[Shown]) -> Json {
    let (accounts, instances): (Vec<&Shown>, Vec<&Shown>) =
        shown.iter().partition(|shown| shown.is_account);
    let roles = instances.iter().map(|shown| {
        let role = json!({
            "name": shown.name,
            "policy": shown.policy,
            "additionalPolicy": shown.additional,
            "attachedPolicies": shown.attached,
            "trustPolicy": shown.trust,
        });
        (shown.title.to_lowercase(), role)
    });
    let accounts = accounts.iter().map(|shown| {
        json!({
            "account": shown.title,
            "name": shown.name,
            "policy": shown.policy,
            "attachedPolicies": shown.attached,
            "trustPolicy": shown.trust,
        })
    });
    let accounts: Vec<Json> = accounts.collect();
    json!({
        "apiVersion": "kapstan/v1",
        "kind": "PolicyDocuments",
        "cluster": cluster.name(),
        "iamGeneration": ReportedGeneration::of(chosen),
        "serviceAccounts": accounts,
        "roles": Json::Object(roles.collect()),
    })
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
    Ok(Specs { cluster: (**cluster).clone(), groups, base, kops_version: None })
}

fn of(name: &Option<ClusterName>) -> String {
    name.as_ref().map(|name| format!(" {name}")).unwrap_or_default()
}

pub(super) async fn from_store(
    ui: &Ui,
    global: &Global,
    cluster: Option<&str>,
) -> anyhow::Result<Specs> {
    let name = global.cluster(cluster)?;
    let (store, url) = global.store(ui).await?;
    let kept = store.existing_cluster(&name).await?;
    let groups = checks::groups(ui, &store, &name).await?;
    let kops_version = store.kops_version(&name).await?;
    let unknown = UnknownFields::from_strict(global.strict);
    let checked = checks::Checked::from_kept(ui, &kept, &groups, unknown)
        .with_context(|| format!("{name} is not valid"))?;
    let shared = checks::shared_places(&store, &url, &checked.cluster).await?;
    shared.iter().for_each(|notice| ui.warn_of(notice));
    Ok(Specs {
        cluster: checked.cluster,
        groups: checked.groups,
        base: Some(url.of_cluster(name.as_str())),
        kops_version,
    })
}
