//! Time, which tests and the sandbox simulate: an update of hours then takes seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::core::time::Time;

/// Names the address of a simulated clock: `HOST:PORT`.
const VARIABLE: &str = "KAPSTAN_SIMULATED_CLOCK";

#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    /// Answers `POST /sleep/SECONDS` once that time has passed in its world, with the time.
    Simulated(String),
}

impl Clock {
    pub(crate) fn from_environment() -> Self {
        match std::env::var(VARIABLE) {
            Ok(address) if !address.is_empty() => Self::Simulated(address),
            _ => Self::System,
        }
    }

    pub(crate) async fn now(&self) -> anyhow::Result<Time> {
        self.sleep(Duration::ZERO).await
    }

    /// Waits, and tells what time it is then.
    pub(crate) async fn sleep(&self, duration: Duration) -> anyhow::Result<Time> {
        match self {
            Self::System => {
                tokio::time::sleep(duration).await;
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(i64::try_from(since.as_secs())?)
            }
            Self::Simulated(address) => pass(address, duration)
                .await
                .with_context(|| format!("the simulated clock at {address} ({VARIABLE})")),
        }
    }
}

async fn pass(address: &str, duration: Duration) -> anyhow::Result<Time> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "POST /sleep/{} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        duration.as_secs()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("answered {answer:?}") };
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.trim().parse()?),
        _ => bail!("answered {head:?}"),
    }
}

/// A time as logs show it: the clock of the day, in UTC.
pub(crate) fn of_day(time: Time) -> String {
    let seconds = time.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A span as people say it: `45s`, `2m30s`, `1h05m`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}
