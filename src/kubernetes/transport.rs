//! Requests to a cluster's API and their answers: credentials that are asked about again, and
//! throttling that is waited out.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::Client;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::core::params::Preconditions;
use kube::core::{Request, Status};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::error::{Fault, KubernetesError};
use super::kubeconfig;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// How often something is asked at the most while the server only asks for patience.
const TRIES: usize = 6;
/// The longest that one answer is waited out, in seconds, and where none says how long.
const LONGEST: u64 = 30;
const MOMENT: u64 = 1;

/// What is asked of the API; paths are those of its reference.
pub(super) enum Call<'a> {
    Get { path: &'a str, name: &'a str },
    List { path: &'a str, params: &'a ListParams },
    Create { path: &'a str, body: &'a Json },
    Patch { path: &'a str, name: &'a str, patch: &'a Json },
    Delete { path: &'a str, name: &'a str, uid: &'a str },
}

/// How long a call is insisted on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    /// What is refused now is asked again by who asked.
    Once,
    /// What passes soon is waited out.
    Waits,
}

pub(super) struct Answer<T> {
    pub(super) value: T,
    /// The server's time, in seconds since 1970.
    pub(super) time: Option<i64>,
}

/// Where a connection leads, and what others could do to it.
pub(super) struct Reached {
    pub(super) address: String,
    pub(super) doubts: Vec<String>,
}

pub(super) struct Transport {
    kubeconfig: Option<PathBuf>,
    context: String,
    client: Mutex<Client>,
}

impl Transport {
    /// Prepares a connection, and tells where it leads; nothing is sent.
    pub(super) async fn open(
        kubeconfig: Option<&Path>,
        context: &str,
    ) -> anyhow::Result<(Self, Reached)> {
        let (client, reached) = client(kubeconfig, context).await?;
        let kubeconfig = kubeconfig.map(Path::to_owned);
        Ok((Self { kubeconfig, context: context.to_owned(), client: Mutex::new(client) }, reached))
    }

    /// # Errors
    /// The API does not do as asked; not before its throttling was waited out, and the
    /// kubeconfig was read anew for credentials that it does take.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        what: &str,
        call: &Call<'_>,
        patience: Patience,
    ) -> Result<Answer<T>, KubernetesError> {
        let mut has_new_credentials = false;
        let mut tries = 1;
        loop {
            let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let error = match once(&client, what, call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // A call that had no answer in its time has waited already.
            let is_waited_out =
                error.is_answer && matches!(error.fault, Fault::Throttled | Fault::Busy);
            if error.fault == Fault::Unauthenticated && !has_new_credentials {
                has_new_credentials = true;
                tokio::time::sleep(Duration::from_secs(MOMENT)).await;
                self.read_credentials().await;
            } else if patience == Patience::Waits && is_waited_out && tries < TRIES {
                tries += 1;
                let pause = error.retry_after.unwrap_or(MOMENT).min(LONGEST);
                tokio::time::sleep(Duration::from_secs(pause)).await;
            } else {
                return Err(error);
            }
        }
    }

    /// Takes what the kubeconfig says now. Where it cannot be read any more the credentials
    /// stay, and the API tells what it thinks of them.
    async fn read_credentials(&self) {
        if let Ok((client, _)) = client(self.kubeconfig.as_deref(), &self.context).await {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
        }
    }
}

async fn client(kubeconfig: Option<&Path>, context: &str) -> anyhow::Result<(Client, Reached)> {
    let mut config = kubeconfig::config(kubeconfig, context).await?;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(ANSWER);
    config.reset_reader_on_write = true;
    // What is waited out is decided here.
    config.default_retry = false;
    let reached =
        Reached { address: kubeconfig::address(&config), doubts: kubeconfig::doubts(&config) };
    let client = Client::try_from(config).context("the connection to the cluster")?;
    Ok((client, reached))
}

async fn once<T: DeserializeOwned>(
    client: &Client,
    what: &str,
    call: &Call<'_>,
) -> Result<Answer<T>, KubernetesError> {
    let of_call = |error: &kube::Error| KubernetesError::of_call(what, error);
    let wrong = |error: String| KubernetesError::new(what, Fault::Refused, error);
    let request = match call {
        Call::Get { path, name } => Request::new(*path).get(name, &GetParams::default()),
        Call::List { path, params } => Request::new(*path).list(params),
        Call::Create { path, body } => {
            let body = body.to_string().into_bytes();
            Request::new(*path).create(&PostParams::default(), body)
        }
        Call::Patch { path, name, patch } => {
            Request::new(*path).patch(name, &PatchParams::default(), &Patch::Strategic(patch))
        }
        Call::Delete { path, name, uid } => {
            let preconditions =
                Preconditions { uid: Some((*uid).to_owned()), ..Preconditions::default() };
            let params =
                DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            Request::new(*path).delete(name, &params)
        }
    };
    let request = request.map_err(|error| wrong(error.to_string()))?;
    let answer = client.send(request.map(Body::from)).await.map_err(|error| of_call(&error))?;
    let code = answer.status();
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    let time = header("date").and_then(|date| rfc2822::parse(date).ok());
    let time = time.map(|time| time.timestamp().as_second());
    let body = answer.into_body().collect_bytes().await.map_err(|error| of_call(&error))?;
    if !code.is_success() {
        let status = serde_json::from_slice(&body).unwrap_or_else(|_| {
            Status::failure(String::from_utf8_lossy(&body).trim(), code.as_str())
        });
        return Err(KubernetesError::of_status(what, code.as_u16(), &status, retry_after));
    }
    let value = serde_json::from_slice(&body)
        .map_err(|error| wrong(format!("the answer cannot be read: {error}")))?;
    Ok(Answer { value, time })
}
