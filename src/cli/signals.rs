//! What Ctrl-C and its like do to a command that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::ui::Ui;

/// The first signal asks to stop, once `writes` after what is under way; the second stops at
/// once.
pub(super) async fn watch(ui: Ui, stop: watch::Sender<bool>, writes: Arc<AtomicBool>) {
    // Without a way to hear signals, they end the program as ever.
    let Ok(mut signals) = Signals::listen() else { return };
    signals.next().await;
    ui.status(match writes.load(Ordering::SeqCst) {
        true => "Interrupted: finishing what is under way. Once more to stop at once",
        false => "Interrupted",
    });
    stop.send_replace(true);
    signals.next().await;
    std::process::exit(1);
}

/// Ctrl-C, what a pipeline sends to end a step, and that the terminal is gone.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` where `nohup` or the like wants it not heard.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored(1) { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = heard(self.hangup.as_mut()) => {}
        }
    }
}

#[cfg(unix)]
async fn heard(signal: Option<&mut tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether this process was started to ignore a signal, as far as the system tells
/// (`SigIgn`, proc_pid_status(5)).
#[cfg(unix)]
fn is_ignored(signal: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
