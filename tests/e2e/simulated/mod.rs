//! A simulated cluster: Kubernetes served over HTTP, on instances of the sandbox, with one
//! clock for both that moves when the binary waits.

mod answers;
mod api;
mod clock;
mod cluster;
mod evictions;
mod fields;
mod nodes;
mod patches;
mod rights;
mod troubles;
mod workloads;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use serde_json::{Value as Json, json};

use crate::harness::{World, administrate};

pub use cluster::{Cluster, WEB, Workload};
pub use nodes::Node;
pub use troubles::{Denial, Trouble};

/// How long things take, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Until an instance runs.
    pub boot: i64,
    /// From there until it is a node, and from there until it is ready.
    pub join: i64,
    pub ready: i64,
    /// Until a pod that is asked to leave has left, and until a new one is ready.
    pub grace: i64,
    pub start: i64,
}

pub const PACE: Pace = Pace { boot: 40, join: 20, ready: 10, grace: 10, start: 5 };

/// What the served API answered.
pub struct Answer {
    pub code: u16,
    pub head: String,
    pub body: Json,
}

/// The simulation, and the server that shows it.
pub struct Simulation {
    shared: Arc<Shared>,
    api: SocketAddr,
    clock: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

pub struct Shared {
    key: String,
    cluster: Mutex<Cluster>,
    hold: Mutex<Hold>,
    held: Condvar,
}

/// At which wait of the binary it is held for ever.
#[derive(Default)]
struct Hold {
    at: Option<usize>,
    waits: usize,
    is_held: bool,
}

impl Simulation {
    /// Gives the world's instances a life, and makes nodes of them.
    pub fn begin(world: &World, pace: Pace) -> Self {
        let life = json!({"boot": pace.boot});
        let report = administrate(&world.key, "PUT", "life", "", &life.to_string());
        let mut cluster = Cluster::new(pace);
        cluster.advance(&report);
        let shared = Arc::new(Shared {
            key: world.key.clone(),
            cluster: Mutex::new(cluster),
            hold: Mutex::new(Hold::default()),
            held: Condvar::new(),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let api = runtime.block_on(api::serve(shared.clone()));
        let clock = runtime.block_on(clock::serve(shared.clone()));
        Self { shared, api, clock, _runtime: runtime }
    }

    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.shared.cluster.lock().unwrap()
    }

    /// Lets time pass while nobody does anything.
    pub fn pass(&self, seconds: i64) {
        for _ in 0..seconds / 5 {
            self.shared.pass(5);
        }
    }

    /// What the instances of the sandbox are to suffer.
    pub fn trouble_of_aws(&self, troubles: Json) {
        let boot = self.cluster().pace.boot;
        let life = json!({"boot": boot, "troubles": troubles});
        administrate(&self.shared.key, "PUT", "life", "", &life.to_string());
    }

    /// The environment in which the binary finds this cluster and its time.
    pub fn environment(&self, world: &World, cluster: &str) -> Vec<(&'static str, String)> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "simulated", "cluster": {"server": format!("http://{}", self.api)}}],
            "users": [{"name": api::USER, "user": {"token": api::TOKEN}}],
            "contexts": [{"name": cluster, "context": {"cluster": "simulated", "user": api::USER}}],
        });
        let file = world.write("kubeconfig.json", &config.to_string());
        vec![("KUBECONFIG", file), ("KAPSTAN_SIMULATED_CLOCK", self.clock.to_string())]
    }

    /// Asks the served API, as its administrator does.
    pub fn ask(&self, method: &str, path: &str, content_type: &str, body: &Json) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.api).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            self.api,
            api::TOKEN,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            code: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(content).unwrap(),
        }
    }

    /// Holds the binary for ever at its so many-th wait from now.
    pub fn hold_at_wait(&self, at: Option<usize>) {
        *self.shared.hold.lock().unwrap() = Hold { at, ..Hold::default() };
    }

    /// Waits until the binary is held; false if it ends before that.
    pub fn is_held(&self, child: &mut Child) -> bool {
        let mut hold = self.shared.hold.lock().unwrap();
        while !hold.is_held {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            let pause = std::time::Duration::from_millis(20);
            hold = self.shared.held.wait_timeout(hold, pause).unwrap().0;
        }
        true
    }
}

impl Shared {
    /// Lets time pass in AWS, then in Kubernetes; tells the time.
    fn pass(&self, seconds: i64) -> i64 {
        let query = format!("&seconds={seconds}");
        let report = administrate(&self.key, "POST", "life", &query, "");
        let mut cluster = self.cluster.lock().unwrap();
        cluster.advance(&report);
        cluster.now
    }

    /// Whether this wait of the binary is the one that never ends.
    fn holds(&self) -> bool {
        let mut hold = self.hold.lock().unwrap();
        hold.waits += 1;
        hold.is_held |= hold.at == Some(hold.waits);
        self.held.notify_all();
        hold.is_held
    }
}
