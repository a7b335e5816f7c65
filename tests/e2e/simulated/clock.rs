//! The clock of the simulation, which the binary waits at.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;

use super::Shared;

pub async fn serve(shared: Arc<Shared>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/sleep/{seconds}", post(sleep)).with_state(shared);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn sleep(State(shared): State<Arc<Shared>>, Path(seconds): Path<i64>) -> String {
    if seconds > 0 && shared.holds() {
        std::future::pending::<()>().await;
    }
    let now = tokio::task::block_in_place(|| shared.pass(seconds));
    let ahead = shared.cluster.lock().unwrap().clock_ahead;
    (now + ahead).to_string()
}
