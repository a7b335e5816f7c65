//! A clock of the sandbox, in the place of the system's.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::core::time::Time;

/// Names the address of the clock: `HOST:PORT`.
const VARIABLE: &str = "KAPSTAN_SIMULATED_CLOCK";

/// Answers `POST /sleep/SECONDS` once that time has passed in its world, with the time.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedClock(String);

impl SimulatedClock {
    pub(super) fn from_environment() -> Option<Self> {
        std::env::var(VARIABLE).ok().filter(|address| !address.is_empty()).map(Self)
    }

    pub(super) async fn sleep(&self, duration: Duration) -> anyhow::Result<Time> {
        let Self(address) = self;
        let passed = pass(address, duration).await;
        passed.with_context(|| format!("the simulated clock at {address} ({VARIABLE})"))
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
