//! The way from a kept cluster to a plan, which all commands that look at AWS share.

use super::admission::{self, Admission};
use super::checks::{self, Checked, UnknownFields};
use super::settings::Global;
use super::ui::Ui;
use crate::catalogue::live;
use crate::desired::Notice;
use crate::ec2::in_use;
use crate::ec2::key_pair::SshKey;
use crate::plan::{self, Options, Plan, fingerprint};
use crate::resolve::reads;

/// A plan, with what is needed to carry it out and to report it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) plan: Plan,
    pub(super) admission: Admission,
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
    let (cluster, groups, ssh_keys, kops_version, mark) = futures::future::try_join5(
        store.existing_cluster(&name),
        checks::groups(ui, &store, &name),
        store.ssh_keys(&name),
        store.kops_version(&name),
        store.mark(&name),
    )
    .await?;
    checks::carried([&cluster].into_iter().chain(&groups).map(|kept| &kept.document))?;
    let unknown = UnknownFields::from_strict(global.strict);
    let checked = Checked::from_kept(ui, &cluster, &groups, unknown)?;
    let texts = [&cluster].into_iter().chain(&groups).map(|kept| &kept.document.text);
    let specs = texts.chain(&ssh_keys.keys).map(|text| fingerprint::digest(text)).collect();
    let place = url.of_cluster(name.as_str());
    let mut desired = checked.desired(Some(&place), kops_version.as_deref(), &ssh_keys.keys)?;
    desired.refusals.extend(ssh_keys.wrong.into_iter().map(|message| {
        let object = format!("Cluster/{name}");
        let next = "remove it, and keep the right key with kapstan create secret".to_owned();
        (SshKey::KIND, Notice { object, message, next })
    }));
    desired.notices.extend(checks::shared_places(&store, &url, &checked.cluster).await?);

    let admission = admission::admit(ui, global, &store, &name, &desired.region, mark).await?;
    let aws = &admission.aws;
    let mut live = live::observe(aws, &reads::asked(&desired, &options.lifecycles)).await?;
    let mut plan = plan::make(&desired, &live, options);
    if !plan.unasked().is_empty() {
        live.in_use = in_use::observe(aws, plan.unasked()).await?;
        plan = plan::make(&desired, &live, options);
    }
    plan.specs = specs;
    if ui.verbose {
        ui.status(&format!("AWS: {} calls to look", aws.calls()));
    }
    Ok(Observed { plan, admission, place })
}
