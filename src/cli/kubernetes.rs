//! How commands find a cluster's Kubernetes, and look at its instances.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::admission::{self, Admission};
use super::checks::{self, Checked, UnknownFields};
use super::settings::Global;
use super::ui::Ui;
use crate::desired;
use crate::kubernetes::client::Kubernetes;
use crate::rolling::observer::Observer;
use crate::spec::instance_group::InstanceGroup;

#[derive(Debug, Args)]
pub(super) struct KubernetesArgs {
    /// The kubeconfig, if not that of KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,

    /// The context in it, if it is not called like the cluster
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// Who looks at a cluster whose specs are kept; at Kubernetes too, if `kubernetes` is given.
pub(super) async fn observer(
    ui: &Ui,
    global: &Global,
    cluster: Option<&str>,
    kubernetes: Option<&KubernetesArgs>,
) -> anyhow::Result<(Observer, Admission)> {
    let name = global.cluster(cluster)?;
    let (store, _) = global.store(ui).await?;
    let groups = checks::groups(ui, &store, &name);
    let (cluster, groups, mark) =
        futures::future::try_join3(store.existing_cluster(&name), groups, store.mark(&name))
            .await?;
    let unknown = UnknownFields::from_strict(global.strict);
    let checked = Checked::from_kept(ui, &cluster, &groups, unknown)?;
    let region = checked.cluster.region().map(str::to_owned);
    let region =
        region.ok_or_else(|| anyhow!("the region of {name} is not known: no subnet has a zone"))?;
    let admission = admission::admit(ui, global, &store, &name, &region, mark).await?;
    let connection = match kubernetes {
        None => None,
        Some(args) => {
            let context = args.context.as_deref().unwrap_or(name.as_str());
            let connection = Kubernetes::connect(args.kubeconfig.as_deref(), context).await;
            let connection =
                connection.context("Kubernetes cannot be reached (--cloudonly does without)")?;
            connection.doubts.iter().for_each(|doubt| ui.warn(doubt));
            Some(connection)
        }
    };
    let groups: Vec<&InstanceGroup> = checked.groups.iter().collect();
    let owner = desired::owner(&checked.cluster, &groups);
    let aws = admission.aws.clone();
    Ok((Observer::new(aws, connection, checked.cluster, checked.groups, owner), admission))
}
