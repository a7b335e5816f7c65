//! The Kubernetes API of the simulated cluster, as far as the binary uses it, after the
//! published one; and the clock.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json as Body, Router};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::cluster::{Cluster, Refused};

#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
    #[serde(rename = "continue")]
    token: Option<String>,
}

pub async fn serve(shared: Arc<Shared>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/api/v1/nodes", get(nodes))
        .route("/api/v1/nodes/{name}", patch(patch_node))
        .route("/api/v1/pods", get(pods))
        .route("/api/v1/namespaces/{namespace}/pods/{name}", delete(delete_pod))
        .route("/api/v1/namespaces/{namespace}/pods/{name}/eviction", post(evict))
        .route("/apis/policy/v1/poddisruptionbudgets", get(budgets))
        .route("/sleep/{seconds}", post(sleep))
        .with_state(shared);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn nodes(State(shared): State<Arc<Shared>>, Query(page): Query<Page>) -> Response {
    list(&shared, &page, "NodeList", "v1", Cluster::nodes)
}

async fn pods(State(shared): State<Arc<Shared>>, Query(page): Query<Page>) -> Response {
    list(&shared, &page, "PodList", "v1", Cluster::pods)
}

async fn budgets(State(shared): State<Arc<Shared>>, Query(page): Query<Page>) -> Response {
    list(&shared, &page, "PodDisruptionBudgetList", "policy/v1", Cluster::budgets)
}

fn list(
    shared: &Shared,
    page: &Page,
    kind: &str,
    version: &str,
    rows: fn(&Cluster) -> Vec<Json>,
) -> Response {
    let mut cluster = shared.cluster.lock().unwrap();
    cluster.requests += 1;
    if cluster.is_away() {
        return away();
    }
    let rows = rows(&cluster);
    let from: usize = page.token.as_deref().map_or(0, |token| token.parse().unwrap());
    let to = page.limit.map_or(rows.len(), |limit| rows.len().min(from + limit));
    let mut meta = json!({"resourceVersion": "1"});
    if to < rows.len() {
        meta["continue"] = json!(to.to_string());
    }
    let items = &rows[from.min(to)..to];
    Body(json!({"kind": kind, "apiVersion": version, "metadata": meta, "items": items}))
        .into_response()
}

async fn patch_node(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Body(body): Body<Json>,
) -> Response {
    let mut cluster = shared.cluster.lock().unwrap();
    cluster.requests += 1;
    if cluster.is_away() {
        return away();
    }
    match cluster.patch_node(&name, &body) {
        Some(node) => Body(node).into_response(),
        None => status(StatusCode::NOT_FOUND, "NotFound", &format!("nodes {name:?} not found")),
    }
}

async fn evict(
    State(shared): State<Arc<Shared>>,
    Path((namespace, name)): Path<(String, String)>,
    Body(_): Body<Json>,
) -> Response {
    let mut cluster = shared.cluster.lock().unwrap();
    cluster.requests += 1;
    if cluster.is_away() {
        return away();
    }
    match cluster.evict(&namespace, &name) {
        Ok(()) => {
            let body =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201});
            (StatusCode::CREATED, Body(body)).into_response()
        }
        Err(Refused::Missing) => {
            status(StatusCode::NOT_FOUND, "NotFound", &format!("pods {name:?} not found"))
        }
        Err(Refused::Budget) => status(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.",
        ),
    }
}

async fn delete_pod(
    State(shared): State<Arc<Shared>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let mut cluster = shared.cluster.lock().unwrap();
    cluster.violations.push(format!("{namespace}/{name} was deleted, not evicted"));
    status(StatusCode::FORBIDDEN, "Forbidden", "pods are to be evicted")
}

async fn sleep(State(shared): State<Arc<Shared>>, Path(seconds): Path<i64>) -> Response {
    if seconds > 0 && shared.holds() {
        std::future::pending::<()>().await;
    }
    let now = tokio::task::block_in_place(|| shared.pass(seconds));
    now.to_string().into_response()
}

fn away() -> Response {
    status(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the server is away")
}

fn status(code: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": message,
    });
    (code, Body(body)).into_response()
}
