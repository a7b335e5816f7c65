//! The Kubernetes API of the simulated cluster, as far as the binary uses it: as strict as
//! kube-apiserver 1.34 was seen to be.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value as Json, json};
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::answers::{Refusal, object, success};
use super::cluster::Cluster;
use super::fields::{self, Shape, prune};
use super::troubles::Reach;

/// The token of the user whose rights the cluster keeps.
pub const TOKEN: &str = "token-of-the-tester";
pub const USER: &str = "tester";

pub async fn serve(shared: Arc<Shared>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door { listener, shared: shared.clone() };
    let router = Router::new().fallback(answer).with_state(shared);
    tokio::spawn(async move { axum::serve(door, router).await });
    address
}

/// Takes connections in while the server is there.
struct Door {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl axum::serve::Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            let reach = self.shared.cluster.lock().unwrap().reach();
            match reach {
                Reach::Answers => return (stream, address),
                Reach::Refuses => {}
                Reach::Hangs => {
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        drop(stream);
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A request, as rights and audit logs name it.
struct Asked {
    verb: &'static str,
    resource: String,
    namespace: Option<String>,
    name: String,
    query: HashMap<String, String>,
    content_type: String,
    body: Json,
}

impl Asked {
    fn is_dry(&self) -> bool {
        self.query.get("dryRun").is_some_and(|value| value == "All")
            || self.body["deleteOptions"]["dryRun"] == json!(["All"])
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut cluster = shared.cluster.lock().unwrap();
    cluster.requests += 1;
    let header = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut unknown = Vec::new();
    let is_known = header("authorization") == format!("Bearer {TOKEN}");
    let result = if !is_known || cluster.has_forgotten_tokens() {
        Err(Refusal::new(401, "Unauthorized", "Unauthorized"))
    } else {
        read(&method, &uri, query, header("content-type"), &body)
            .and_then(|asked| handle(&mut cluster, asked, &mut unknown))
    };
    let mut answer = result.unwrap_or_else(Refusal::answer);
    for field in unknown {
        cluster.violations.push(format!("{method} {uri} has the unknown field {field}"));
        let warning = format!("299 - \"unknown field \\\"{field}\\\"\"");
        answer.headers_mut().append("warning", HeaderValue::from_str(&warning).unwrap());
    }
    let log = format!("{method} {} {}", uri.path(), answer.status().as_u16());
    cluster.log.push(log);
    let date = HeaderValue::from_str(&http_date(cluster.now)).unwrap();
    answer.headers_mut().insert("date", date);
    // So that a server that goes away is away for the next request.
    answer.headers_mut().insert("connection", HeaderValue::from_static("close"));
    answer
}

fn read(
    method: &Method,
    uri: &Uri,
    query: HashMap<String, String>,
    content_type: String,
    body: &[u8],
) -> Result<Asked, Refusal> {
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let (namespace, resource, name) = match parts[..] {
        ["api", "v1", resource @ ("nodes" | "pods")] => (None, resource.to_owned(), ""),
        ["api", "v1", "nodes", name] => (None, "nodes".to_owned(), name),
        ["api", "v1", "namespaces", namespace, "pods", name] => {
            (Some(namespace), "pods".to_owned(), name)
        }
        ["api", "v1", "namespaces", namespace, "pods", name, "eviction"] => {
            (Some(namespace), "pods/eviction".to_owned(), name)
        }
        ["apis", "policy", "v1", "poddisruptionbudgets"] => {
            (None, "poddisruptionbudgets".to_owned(), "")
        }
        ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"] => {
            (None, "selfsubjectaccessreviews".to_owned(), "")
        }
        _ => {
            let message = "the server could not find the requested resource";
            return Err(Refusal::new(404, "NotFound", message));
        }
    };
    let verb = match *method {
        Method::GET if name.is_empty() => "list",
        Method::GET => "get",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::POST => "create",
        _ => "update",
    };
    let body = match body.is_empty() {
        true => Json::Null,
        false => serde_json::from_slice(body)
            .map_err(|error| Refusal::new(400, "BadRequest", error.to_string()))?,
    };
    let namespace = namespace.map(str::to_owned);
    Ok(Asked { verb, resource, namespace, name: name.to_owned(), query, content_type, body })
}

fn handle(
    cluster: &mut Cluster,
    mut asked: Asked,
    unknown: &mut Vec<String>,
) -> Result<Response, Refusal> {
    let what = format!("{} {}", asked.verb, asked.resource);
    if let Some(happens) = cluster.take_interruption(&what) {
        happens(cluster);
    }
    if let Some(seconds) = cluster.take_throttle(&what) {
        return Err(Refusal::throttled(seconds));
    }
    // Every user may ask what they may.
    if what == "create selfsubjectaccessreviews" {
        return Ok(review(cluster, &asked.body));
    }
    cluster.authorize(asked.verb, &asked.resource, asked.namespace.as_deref())?;
    let mut known = |body: &mut Json, shape: &Shape| prune(body, shape, "", unknown);
    match what.as_str() {
        "list nodes" => list(cluster, &asked, "NodeList", "v1", Cluster::shown_nodes),
        "list pods" => list(cluster, &asked, "PodList", "v1", Cluster::shown_pods),
        "list poddisruptionbudgets" => {
            let kind = "PodDisruptionBudgetList";
            list(cluster, &asked, kind, "policy/v1", Cluster::shown_budgets)
        }
        "get nodes" => {
            cluster.node(&asked.name)?;
            let nodes = cluster.shown_nodes();
            let node = nodes.into_iter().find(|node| node["metadata"]["name"] == asked.name);
            Ok(object(StatusCode::OK, &node.unwrap()))
        }
        "patch nodes" => {
            let (node, fields) = cluster.patch_node(
                &asked.name,
                &asked.content_type,
                &asked.body,
                asked.is_dry(),
            )?;
            unknown.extend(fields);
            Ok(object(StatusCode::OK, &node))
        }
        "delete nodes" => {
            known(&mut asked.body, &fields::DELETE_OPTIONS);
            cluster.delete_node(&asked.name, asked.body["preconditions"]["uid"].as_str())?;
            Ok(success(StatusCode::OK))
        }
        "create pods/eviction" => {
            known(&mut asked.body, &fields::EVICTION);
            let meant = &asked.body["metadata"]["name"];
            if !meant.is_null() && *meant != asked.name {
                let message = "name in URL does not match name in Eviction object";
                return Err(Refusal::new(400, "BadRequest", message));
            }
            let namespace = asked.namespace.clone().unwrap_or_default();
            let options = &asked.body["deleteOptions"];
            cluster.evict(&namespace, &asked.name, options, asked.is_dry())?;
            Ok(success(StatusCode::CREATED))
        }
        "delete pods" => {
            cluster.violations.push(format!("{} was deleted, not evicted", asked.name));
            Err(Refusal::new(403, "Forbidden", "pods are to be evicted"))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "the server does not allow this method")),
    }
}

fn review(cluster: &Cluster, body: &Json) -> Response {
    let text = |key: &str| body["spec"]["resourceAttributes"][key].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        sub => format!("{}/{sub}", text("resource")),
    };
    let is_allowed = cluster.may(text("verb"), &resource, Some(text("namespace")));
    let mut answer = body.clone();
    answer["status"] = json!({"allowed": is_allowed});
    object(StatusCode::CREATED, &answer)
}

/// A page of a list. Its rows have no kind.
fn list(
    cluster: &mut Cluster,
    asked: &Asked,
    kind: &str,
    version: &str,
    rows: fn(&Cluster) -> Vec<Json>,
) -> Result<Response, Refusal> {
    let from = match asked.query.get("continue") {
        None => 0,
        Some(token) => {
            let from = token.strip_prefix("after-").and_then(|from| from.parse::<usize>().ok());
            let wrong = || Refusal::new(400, "BadRequest", "continue key is not valid");
            let from = from.ok_or_else(wrong)?;
            if cluster.take_expiry() {
                let message = "The provided continue parameter is too old to display a consistent \
                               list result. You can start a new list without the continue \
                               parameter.";
                return Err(Refusal::new(410, "Expired", message));
            }
            from
        }
    };
    let rows = rows(cluster);
    let limit = asked.query.get("limit").and_then(|limit| limit.parse::<usize>().ok());
    let to =
        limit.filter(|limit| *limit > 0).map_or(rows.len(), |limit| rows.len().min(from + limit));
    let mut meta = json!({"resourceVersion": cluster.version.to_string()});
    if to < rows.len() {
        meta["continue"] = json!(format!("after-{to}"));
        meta["remainingItemCount"] = json!(rows.len() - to);
    }
    let items = &rows[from.min(to)..to];
    let list = json!({"kind": kind, "apiVersion": version, "metadata": meta, "items": items});
    Ok(object(StatusCode::OK, &list))
}

fn http_date(seconds: i64) -> String {
    let time = k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
