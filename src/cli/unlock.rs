//! `unlock`: removes the lock that a dead run has left.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::Instant;

use super::locked::time;
use super::settings::Global;
use super::ui::Ui;
use crate::store::lock::seen::Watched;

/// Between two looks at the lock.
const EVERY: Duration = Duration::from_secs(1);

/// Remove the lock that a dead run has left on a cluster
///
/// Commands that write a cluster lock it, and renew the lock every few seconds. This one watches
/// the lock, and removes it when it is not renewed for as long as it is valid (a minute); it
/// refuses when it is renewed, since then its holder lives. With --force it is removed at once:
/// a holder that lives after all stops at its next heartbeat, with what it does half done.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan unlock dev.example.com
  kapstan unlock dev.example.com --force")]
pub(crate) struct UnlockArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,

    /// Remove it at once, without watching whether its holder lives
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(ui: &Ui, global: &Global, args: &UnlockArgs) -> anyhow::Result<()> {
    let cluster = global.cluster(args.cluster.as_deref())?;
    let (store, _) = global.store(ui).await?;
    let Some(first) = store.lock_of(&cluster).await? else {
        return ui.out(&format!("{cluster} is not locked\n"));
    };
    if !args.force {
        ui.status(&format!(
            "{cluster} is locked by {first}. Watching for {} whether it is renewed; --force \
             removes it at once",
            time(first.span())
        ));
    }
    let mut watched = Watched::new(None, first.clone(), Instant::now());
    loop {
        if args.force || watched.is_dead(Instant::now()) {
            if store.remove_lock(&cluster, &watched.seen).await? {
                return ui.out(&format!("{cluster} is unlocked; it was locked by {first}\n"));
            }
        } else {
            tokio::time::sleep(EVERY).await;
        }
        let Some(seen) = store.lock_of(&cluster).await? else {
            return ui.out(&format!("{cluster} is not locked any more\n"));
        };
        if !seen.is_of_same_run(&first) {
            bail!("{cluster} has been unlocked, and is locked anew by {seen}");
        }
        watched = Watched::new(Some(watched), seen, Instant::now());
        if watched.is_alive && !args.force {
            bail!(
                "{cluster} stays locked: its holder lives, {}. Stop that run, or wait for it; \
                 --force takes the lock from it",
                watched.seen
            );
        }
    }
}
