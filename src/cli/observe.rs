//! The way from a kept cluster to a plan, which all commands that look at AWS share.

use super::checks::{self, Checked, UnknownFields};
use super::settings::Global;
use super::ui::Ui;
use crate::aws::Aws;
use crate::catalogue::live;
use crate::ec2::in_use;
use crate::plan::{self, Options, Plan};
use crate::resolve::reads;

/// A plan, with what is needed to carry it out and to report it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) plan: Plan,
    pub(crate) aws: Aws,
    /// The cluster's folder in the state store.
    pub(crate) place: String,
}

pub(crate) async fn plan(
    ui: &Ui,
    global: &Global,
    cluster: Option<&str>,
    options: &Options,
) -> anyhow::Result<Observed> {
    let name = global.cluster(cluster)?;
    let (store, url) = global.store(ui).await?;
    let (cluster, groups, ssh_keys) = futures::future::try_join3(
        store.existing_cluster(&name),
        checks::groups(ui, &store, &name),
        store.ssh_keys(&name),
    )
    .await?;
    let unknown = UnknownFields::from_strict(global.strict);
    let checked = Checked::from_kept(ui, &cluster, &groups, unknown)?;
    let place = url.of_cluster(name.as_str());
    let desired = checked.desired(Some(&place), &ssh_keys)?;

    let aws = Aws::connect(&desired.region).await;
    let mut live = live::observe(&aws, &reads::asked(&desired, &options.lifecycles)).await?;
    let mut plan = plan::make(&desired, &live, options);
    if !plan.unasked().is_empty() {
        live.in_use = in_use::observe(&aws, plan.unasked()).await?;
        plan = plan::make(&desired, &live, options);
    }
    if ui.verbose {
        ui.status(&format!("AWS: {} calls to look", aws.calls()));
    }
    Ok(Observed { plan, aws, place })
}
