//! The way from a kept cluster to a plan, which all commands that look at AWS share.

use anyhow::anyhow;

use super::admission::{self, Admission};
use super::carried;
use super::checks::{self, Checked, UnknownFields};
use super::settings::Global;
use super::ui::Ui;
use crate::catalogue::live;
use crate::desired::Notice;
use crate::desired::kops::{LastWriter, OfKops};
use crate::ec2::in_use;
use crate::ec2::key_pair::SshKey;
use crate::iam::look::Sought;
use crate::plan::{self, Options, Plan, Prune, fingerprint};
use crate::resolve::reads;

/// A plan, with what is needed to carry it out and to report it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) plan: Plan,
    pub(super) admission: Admission,
    /// The cluster's folder in the state store.
    pub(crate) place: String,
}

/// The plan of a cluster. `unknown` tells what becomes of fields that kops does not have, where
/// no newer kops may have put them there.
pub(crate) async fn plan(
    ui: &Ui,
    global: &Global,
    cluster: Option<&str>,
    unknown: UnknownFields,
    options: &Options,
) -> anyhow::Result<Observed> {
    let name = global.cluster(cluster)?;
    let (store, url) = global.store(ui).await?;
    let (cluster, groups, ssh_keys, left, mark) = futures::future::try_join5(
        store.existing_cluster(&name),
        checks::groups(ui, &store, &name),
        store.ssh_keys(&name),
        store.left_by_kops(&name),
        store.mark(&name),
    )
    .await?;
    let last_writer = left.version.as_deref().and_then(LastWriter::of);
    let unknown = match last_writer.as_ref().is_some_and(LastWriter::is_newer) {
        true => UnknownFields::from_strict(global.strict),
        false => unknown,
    };
    let mut documents = [&cluster].into_iter().chain(&groups).map(|kept| &kept.document);
    let refuses_unknown = unknown == UnknownFields::Refuse && !global.strict;
    let has_unknown = documents.any(|document| !document.findings.unknown.is_empty());
    let checked = Checked::from_kept(ui, &cluster, &groups, unknown);
    let checked = checked.map_err(|error| match refuses_unknown && has_unknown {
        true => anyhow!(
            "{error:#}\nA field that kops does not have may be a misspelt one. To go on without: \
             --allow-unknown-fields"
        ),
        false => error,
    })?;
    checks::tell_old_nodes(ui, &cluster.document);
    let texts = [&cluster].into_iter().chain(&groups).map(|kept| &kept.document.text);
    let specs = texts.chain(&ssh_keys.keys).map(|text| fingerprint::digest(text)).collect();
    let place = url.of_cluster(name.as_str());
    let mut desired = checked.desired(Some(&place), left.version.as_deref(), &ssh_keys.keys)?;
    desired.refusals.extend(ssh_keys.wrong.into_iter().map(|message| {
        let object = format!("Cluster/{name}");
        let next = "remove it, and keep the right key with kapstan create secret".to_owned();
        (SshKey::KIND, Notice { object, message, next })
    }));
    desired.notices.extend(checks::shared_places(&store, &url, &checked.cluster).await?);

    let admission = admission::admit(ui, global, &store, &name, &desired.region, mark).await?;
    let aws = &admission.aws;
    let mut asked = reads::asked(&desired, &options.lifecycles);
    if options.prune != Prune::Nothing {
        asked.wishes.add(Sought::All);
    }
    let mut live = live::observe(aws, &asked).await?;
    let mut plan = plan::make(&desired, &live, options);
    if !plan.unasked().is_empty() {
        live.in_use = in_use::observe(aws, plan.unasked()).await?;
        plan = plan::make(&desired, &live, options);
    }
    plan.specs = specs;
    let not_carried = carried::since_kops(ui, &cluster, &groups, &left, last_writer.as_ref());
    plan.kops = OfKops { last_writer, not_carried };
    if ui.verbose {
        ui.status(&format!("AWS: {} calls to look", aws.calls()));
    }
    Ok(Observed { plan, admission, place })
}
