//! `replace`: puts new specs in the place of kept ones.

use anyhow::bail;
use clap::Args;

use super::checks;
use super::input::Files;
use super::locked::{Held, locked};
use super::placed::{check_all, clusters, place_all};
use super::settings::Global;
use super::ui::Ui;
use crate::spec::document::{Document, Spec};
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
    let documents = args.files.documents()?;
    let placed = place_all(global, &documents)?;
    let of = clusters(&placed);
    let work = async |held: &Held| replace(ui, global, args, placed, held).await;
    locked(ui, global, "replace", of, work).await
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
    for (before, (place, document)) in steps {
        let done = match (before, &document.spec) {
            (Some(before), _) if before.is_text(&document.text) => "unchanged",
            (Some(before), _) => {
                store.update(&before, document).await?;
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
    Ok(())
}
