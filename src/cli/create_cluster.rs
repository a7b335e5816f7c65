//! `create cluster`: specs of a new cluster from a few flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::done::Done;
use super::input;
use super::locked::{Held, locked};
use super::output::ReportFormat;
use super::placed::{check_alone, keep, place_all};
use super::settings::Global;
use super::ui::Ui;
use super::update_cluster;
use crate::spec::document::{self, Document};
use crate::spec::name::{ClusterName, ObjectName};
use crate::spec::new_cluster::{self, Choices, LoadBalancer, Networking};
use crate::spec::ssh_credential;
use crate::store::objects::Place;
use crate::store::url::StoreUrl;
use crate::visible::yaml::visible_yaml;

/// Follows Canonical's newest image of the release.
const IMAGE: &str =
    "ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id";
const KUBERNETES: &str = "1.33.5";

/// Keep the specs of a new cluster, laid out from a few choices
///
/// Written into them: strict IAM, instance metadata by token only and out of pods' reach,
/// encrypted gp3 volumes, and a network load balancer. With --yes it is built at once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan create cluster dev.example.com --zones us-west-2a --networking calico
  kapstan create cluster dev.example.com --zones us-west-2a,us-west-2b,us-west-2c \\
    --master-zones us-west-2a,us-west-2b,us-west-2c --topology private --networking cilium \\
    --bastion --yes
  kapstan create cluster dev.example.com --zones us-west-2a --dry-run -o yaml > dev.yaml")]
pub(crate) struct CreateClusterArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// The availability zones of the cluster
    #[arg(long, value_delimiter = ',', required = true, value_name = "ZONE")]
    zones: Vec<String>,

    /// The zones of the masters: an odd number [default: the first of --zones]
    #[arg(long, alias = "control-plane-zones", value_delimiter = ',', value_name = "ZONE")]
    master_zones: Vec<String>,

    /// How many masters [default: one a zone of --master-zones, or 1]
    #[arg(long, alias = "control-plane-count", value_name = "COUNT")]
    master_count: Option<usize>,

    /// The machine type of masters
    #[arg(long, alias = "control-plane-size", default_value = "t3.medium", value_name = "TYPE")]
    master_size: String,

    /// How many nodes
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    node_count: usize,

    /// The machine type of nodes
    #[arg(long, default_value = "t3.medium", value_name = "TYPE")]
    node_size: String,

    /// The image of all instances: an id, OWNER/NAME or ssm:PARAMETER
    #[arg(long, default_value = IMAGE, hide_default_value = true)]
    image: String,

    /// The version of Kubernetes that the specs tell
    #[arg(long, default_value = KUBERNETES, value_name = "VERSION")]
    kubernetes_version: String,

    /// The networking plugin
    #[arg(long, default_value = "kubenet", value_parser = PossibleValuesParser::new(Networking::NAMES), value_name = "PLUGIN")]
    networking: String,

    /// Whether instances have public addresses
    #[arg(long, short, value_enum, ignore_case = true, default_value_t = Topology::Public)]
    topology: Topology,

    /// Add a bastion, through which instances of a private topology are reached
    #[arg(long)]
    bastion: bool,

    /// The id of a VPC to share
    #[arg(long, value_name = "ID")]
    vpc: Option<String>,

    /// The range of the VPC's addresses [default: 172.20.0.0/16]
    #[arg(long, value_name = "CIDR")]
    network_cidr: Option<String>,

    /// The ids of subnets to share, one a zone
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    subnets: Vec<String>,

    /// The ids of utility subnets to share, one a zone
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    utility_subnets: Vec<String>,

    /// The public key that may log in [default: ~/.ssh/id_rsa.pub, if there is one]
    #[arg(long, value_name = "FILE")]
    ssh_public_key: Option<PathBuf>,

    /// A load balancer before the API server [default: public where nothing else reaches it]
    #[arg(long, value_enum, ignore_case = true, value_name = "TYPE")]
    api_loadbalancer_type: Option<BalancerType>,

    /// The class of that load balancer
    #[arg(long, value_enum, ignore_case = true, default_value_t = BalancerClass::Network, value_name = "CLASS")]
    api_loadbalancer_class: BalancerClass,

    /// Tags for all that the cluster has: KEY=VALUE, several with commas
    #[arg(long, value_delimiter = ',', value_name = "KEY=VALUE")]
    cloud_labels: Vec<String>,

    /// How the API server decides who may do what
    #[arg(long, value_enum, ignore_case = true, default_value_t = Authorization::Rbac)]
    authorization: Authorization,

    /// The ranges from which the API server may be reached
    #[arg(long, value_delimiter = ',', default_value = "0.0.0.0/0", value_name = "CIDR")]
    admin_access: Vec<String>,

    /// The ranges from which SSH is allowed [default: those of --admin-access]
    #[arg(long, value_delimiter = ',', value_name = "CIDR")]
    ssh_access: Vec<String>,

    /// The hosted zone of the cluster's names: its name or id
    #[arg(long, value_name = "ZONE")]
    dns_zone: Option<String>,

    /// Whether that zone is a public one
    #[arg(long, value_enum, ignore_case = true, default_value_t = DnsType::Public)]
    dns: DnsType,

    /// Show the specs, and keep nothing
    #[arg(long)]
    dry_run: bool,

    /// The form in which --dry-run shows them
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Yaml, value_name = "FORMAT")]
    output: ReportFormat,

    /// Build the cluster in AWS too
    #[arg(short, long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Topology {
    Public,
    Private,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum BalancerType {
    Public,
    Internal,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum BalancerClass {
    Classic,
    Network,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Authorization {
    #[value(name = "AlwaysAllow")]
    AlwaysAllow,
    #[value(name = "RBAC")]
    Rbac,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum DnsType {
    Public,
    Private,
}

pub(super) async fn run(
    ui: &Ui,
    global: &Global,
    args: &CreateClusterArgs,
) -> anyhow::Result<Done> {
    let name = global.cluster(args.cluster.as_deref())?;
    let url = global.configured_store()?;
    let base = match &url {
        Some(url @ StoreUrl::S3 { .. }) => Some(url.of_cluster(name.as_str())),
        _ => None,
    };
    let values =
        new_cluster::documents(&choices(args, &name, base)?).map_err(anyhow::Error::msg)?;
    let text = match args.output {
        ReportFormat::Json => serde_json::to_string_pretty(&values)? + "\n",
        _ => yaml_text(&values)?,
    };
    let documents = document::read_all(&yaml_text(&values)?, "create cluster")?;
    let specs = place_all(global, &documents)?;
    if args.dry_run {
        check_alone(ui, global, &specs)?;
        ui.out(&text)?;
        return Ok(Done::Yes);
    }
    let ssh_key = ssh_key(args, &name)?;
    let new = NewCluster { name, specs, ssh_key };
    let work = async |held: &Held| build(ui, global, args, &new, held).await;
    locked(ui, global, "create cluster", [new.name.clone()], work).await
}

/// What is kept of a cluster that is new.
struct NewCluster<'a> {
    name: ClusterName,
    specs: Vec<(Place, &'a Document)>,
    ssh_key: Option<(Place, String)>,
}

/// Keeps it, and builds what it needs if that is asked for.
async fn build(
    ui: &Ui,
    global: &Global,
    args: &CreateClusterArgs,
    new: &NewCluster<'_>,
    held: &Held,
) -> anyhow::Result<Done> {
    let name = &new.name;
    let (store, _) = global.store(ui).await?;
    keep(ui, global, &store, &new.specs, held).await?;
    match &new.ssh_key {
        Some((place, key)) => store.keep_ssh_key(place, key).await?,
        None => ui.status(&format!(
            "No SSH key was given, and ~/.ssh/id_rsa.pub is not there; to keep one: \
             kapstan create secret sshpublickey admin -i FILE --name {name}"
        )),
    }
    if args.yes {
        return update_cluster::apply(ui, global, name.as_str(), held).await;
    }
    ui.status(&format!(
        "To see what it needs of AWS: kapstan update cluster {name}\n\
         To build it: kapstan update cluster {name} --yes"
    ));
    Ok(Done::Yes)
}

fn choices(
    args: &CreateClusterArgs,
    name: &ClusterName,
    config_base: Option<String>,
) -> anyhow::Result<Choices> {
    let Some(networking) = Networking::named(&args.networking) else {
        bail!("--networking {} is not known", args.networking)
    };
    let mut cloud_labels = BTreeMap::new();
    for label in &args.cloud_labels {
        let pair = label.split_once('=');
        let (key, value) =
            pair.with_context(|| format!("--cloud-labels {label:?} is no KEY=VALUE"))?;
        cloud_labels.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let private = args.topology == Topology::Private;
    // Nothing else leads to private masters, or to those of a cluster without DNS.
    let needs_balancer = private || name.as_str().ends_with(".k8s.local");
    let balancer_type = match args.api_loadbalancer_type {
        None if needs_balancer => Some(BalancerType::Public),
        chosen => chosen,
    };
    let ssh_access = if args.ssh_access.is_empty() { &args.admin_access } else { &args.ssh_access };
    Ok(Choices {
        name: name.to_string(),
        config_base,
        zones: args.zones.clone(),
        master_zones: args.master_zones.clone(),
        master_count: args.master_count,
        master_size: args.master_size.clone(),
        node_count: args.node_count,
        node_size: args.node_size.clone(),
        image: args.image.clone(),
        kubernetes_version: args.kubernetes_version.clone(),
        networking,
        private,
        bastion: args.bastion,
        vpc: args.vpc.clone(),
        network_cidr: args.network_cidr.clone(),
        subnets: args.subnets.clone(),
        utility_subnets: args.utility_subnets.clone(),
        load_balancer: balancer_type.map(|kind| LoadBalancer {
            internal: kind == BalancerType::Internal,
            network: args.api_loadbalancer_class == BalancerClass::Network,
        }),
        cloud_labels,
        rbac: args.authorization == Authorization::Rbac,
        admin_access: args.admin_access.clone(),
        ssh_access: ssh_access.clone(),
        dns_zone: args.dns_zone.clone(),
        private_dns: args.dns == DnsType::Private,
    })
}

fn yaml_text(values: &[serde_json::Value]) -> anyhow::Result<String> {
    let texts: Result<Vec<String>, _> = values.iter().map(visible_yaml).collect();
    Ok(texts?.join("---\n"))
}

/// The key that was named, or the one that most people have.
fn ssh_key(
    args: &CreateClusterArgs,
    cluster: &ClusterName,
) -> anyhow::Result<Option<(Place, String)>> {
    let path = match &args.ssh_public_key {
        Some(path) => path.clone(),
        None => match dirs::home_dir().map(|home| home.join(".ssh/id_rsa.pub")) {
            Some(path) if path.exists() => path,
            _ => return Ok(None),
        },
    };
    let file = path.display().to_string();
    let key = input::read_text(&file).with_context(|| file.clone())?;
    let name = ObjectName::new(ssh_credential::DEFAULT_NAME)?;
    let place = Place::ssh_key(cluster.clone(), name, &key).with_context(|| file)?;
    Ok(Some((place, key)))
}
