//! `replace`: puts new specs in the place of kept ones.

use anyhow::bail;
use clap::Args;

use super::input::Files;
use super::locked::{Held, locked};
use super::placed::{check_all, clusters, place_all, renewed};
use super::settings::Global;
use super::ui::Ui;
use super::{carried, checks};
use crate::spec::document::{Document, Spec};
use crate::spec::name::ClusterName;
use crate::store::objects::{KeptText, Place};

/// Put new specs in the place of kept ones
///
/// Everything is checked before anything is written; the text is kept as you give it, with
/// its comments and its order.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  kapstan replace -f cluster.yaml
  kapstan replace -f cluster.yaml --force"
)]
pub(crate) struct ReplaceArgs {
    #[command(flatten)]
    files: Files,
    /// Create what does not exist yet, and replace what cannot be read any more
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &ReplaceArgs) -> anyhow::Result<()> {
    let documents = renewed(ui, args.files.documents()?)?;
    let placed = place_all(global, &documents)?;
    let of = clusters(&placed);
    let work = async |held: &Held| replace(ui, global, args, placed, held).await;
    locked(ui, global, "replace", of, work).await
}

/// Whether the same is kept already. Of objects of other kinds only the values count: how they
/// are written, kops decides.
fn is_unchanged(before: &KeptText, document: &Document) -> bool {
    let is_additional = matches!(document.spec, Spec::Additional(_));
    let has_same_values = || before.document().is_ok_and(|kept| kept.json() == document.json());
    before.is_text(&document.text) || is_additional && has_same_values()
}

async fn replace(
    ui: &Ui,
    global: &Global,
    args: &ReplaceArgs,
    placed: Vec<(Place, &Document)>,
    held: &Held,
) -> anyhow::Result<()> {
    let (store, url) = global.store(ui).await?;
    check_all(ui, global, &store, &placed).await?;
    let mut steps: Vec<(Option<KeptText>, _)> = Vec::new();
    let mut results = Vec::new();
    for (place, document) in placed {
        let before = match &place {
            Place::SshKey { .. } => None,
            _ => store.text(&place).await?,
        };
        match (&place, &before) {
            (Place::SshKey { .. }, _) | (_, Some(_)) => {}
            _ if args.force => {}
            _ => bail!(
                "{document} does not exist in {url}; nothing was written. Give --force to create it"
            ),
        }
        match before.as_ref().map(KeptText::document) {
            None => {}
            Some(Ok(before)) => results.push(checks::update(&before, document)),
            Some(Err(error)) if args.force => ui.warn(&format!(
                "{error:#}\nIt is replaced all the same; whether it may change so is not known"
            )),
            Some(Err(error)) => {
                bail!("{error:#}\nNothing was written. To replace it all the same, give --force")
            }
        }
        steps.push((before, (place, document)));
    }
    checks::all(results)?;
    held.begin()?;
    let mut changed: Vec<(Document, &Document, ClusterName)> = Vec::new();
    for (before, (place, document)) in steps {
        let done = match (before, &document.spec) {
            (Some(before), _) if is_unchanged(&before, document) => "unchanged",
            (Some(before), _) => {
                store.update(&before, document).await?;
                if let Ok(before) = before.document() {
                    changed.push((before, document, place.cluster().clone()));
                }
                "replaced"
            }
            (None, Spec::SshCredential(credential)) => {
                let key = credential.spec.public_key.as_deref().unwrap_or_default();
                store.keep_ssh_key(&place, key).await?;
                "replaced"
            }
            (None, _) => {
                store.create(&place, document).await?;
                "created"
            }
        };
        ui.out(&format!("{document} {done}\n"))?;
    }
    for (before, after, name) in changed {
        let cluster = match &after.spec {
            Spec::Cluster(_) => None,
            _ => store.cluster_spec(&name).await.ok(),
        };
        carried::tell_between(ui, &before, after, cluster.as_ref());
    }
    Ok(())
}
