//! A cluster's API, as the user's kubeconfig reaches it: looks, and the few writes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures::future::{join_all, try_join3};
use kube::api::ListParams;
use kube::core::ObjectList;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::budget::{ApiBudget, Budget};
use super::error::{Fault, KubernetesError};
use super::node::{ApiNode, Node, NodeRef};
use super::pod::{ApiPod, Pod, PodRef};
use super::rights::{self, Review, Right};
use super::transport::{Answer, Call, Patience, Reached, Transport};
use super::{Look, marks};

/// Objects a page: as many as `kubectl` asks for.
const PAGE: u32 = 500;
/// How often a node is read anew because somebody else wrote to it in between.
const WRITES: usize = 5;

const NODES: &str = "/api/v1/nodes";
const PODS: &str = "/api/v1/pods";
const BUDGETS: &str = "/apis/policy/v1/poddisruptionbudgets";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

#[derive(Clone)]
pub(crate) struct Kubernetes {
    transport: Arc<Transport>,
    /// Where the API is.
    pub(crate) address: String,
    /// What others could do to the connection, in words for a warning.
    pub(crate) doubts: Vec<String>,
}

/// What came of asking a pod to leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Evicted {
    Asked,
    /// It is gone, though another of its name may be there.
    Left,
}

impl Kubernetes {
    /// Prepares a connection; nothing is sent.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, or has no context of that name: another cluster's must
    /// never be taken.
    pub(crate) async fn connect(kubeconfig: Option<&Path>, context: &str) -> anyhow::Result<Self> {
        let (transport, reached) = Transport::open(kubeconfig, context).await?;
        let Reached { address, doubts } = reached;
        Ok(Self { transport: Arc::new(transport), address, doubts })
    }

    /// Reads all nodes, pods and budgets at once.
    pub(crate) async fn look(&self) -> Result<Look, KubernetesError> {
        let nodes = self.list::<ApiNode>(NODES, "listing nodes");
        let pods = self.list::<ApiPod>(PODS, "listing pods");
        let (nodes, pods, budgets) = try_join3(nodes, pods, self.budgets()).await?;
        Ok(Look {
            nodes: nodes.value.iter().map(Node::from_api).collect(),
            pods: pods.value.iter().map(Pod::from_api).collect(),
            budgets: budgets.iter().map(Budget::from_api).collect(),
            time: nodes.time.max(pods.time),
        })
    }

    /// Clusters before 1.21 do not have them in this version; there they stay unnamed.
    async fn budgets(&self) -> Result<Vec<ApiBudget>, KubernetesError> {
        match self.list(BUDGETS, "listing pod disruption budgets").await {
            Err(error) if error.fault == Fault::Missing => Ok(Vec::new()),
            answer => answer.map(|answer| answer.value),
        }
    }

    /// Reads a list page by page. Where the server has not kept it until the last page it is
    /// read anew, in the end in one piece, as client-go's pager does.
    async fn list<K>(&self, path: &str, what: &str) -> Result<Answer<Vec<K>>, KubernetesError>
    where
        K: Clone + DeserializeOwned,
    {
        for _ in 0..2 {
            match self.pages(path, what, Some(PAGE)).await {
                Err(error) if error.fault == Fault::Expired => {}
                answer => return answer,
            }
        }
        self.pages(path, what, None).await
    }

    async fn pages<K>(
        &self,
        path: &str,
        what: &str,
        limit: Option<u32>,
    ) -> Result<Answer<Vec<K>>, KubernetesError>
    where
        K: Clone + DeserializeOwned,
    {
        let mut rows = Vec::new();
        let mut params = ListParams { limit, ..ListParams::default() };
        loop {
            let call = Call::List { path, params: &params };
            let answer: Answer<ObjectList<K>> =
                self.transport.send(what, &call, Patience::Waits).await?;
            let page = answer.value;
            rows.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(Answer { value: rows, time: answer.time }),
            }
        }
    }

    /// Which of the rights that an update needs the user does not have. One to evict pods may
    /// be given for all namespaces, or for each of those that have pods.
    pub(crate) async fn missing_rights(
        &self,
        namespaces: &BTreeSet<&str>,
    ) -> Result<Vec<Right>, KubernetesError> {
        let mut missing = self.denied(rights::OF_NODES.to_vec()).await?;
        if !self.denied(vec![rights::EVICT]).await?.is_empty() {
            let each = namespaces.iter().map(|namespace| rights::EVICT.within(namespace));
            missing.extend(self.denied(each.collect()).await?);
        }
        Ok(missing)
    }

    async fn denied(&self, rights: Vec<Right>) -> Result<Vec<Right>, KubernetesError> {
        let answers = join_all(rights.iter().map(|right| self.may(right))).await;
        let mut denied = Vec::new();
        for (right, may) in rights.into_iter().zip(answers) {
            if !may? {
                denied.push(right);
            }
        }
        Ok(denied)
    }

    async fn may(&self, right: &Right) -> Result<bool, KubernetesError> {
        let body = right.review();
        let call = Call::Create { path: REVIEWS, body: &body };
        let what = format!("asking for the right to {right}");
        match self.transport.send::<Review>(&what, &call, Patience::Waits).await {
            Ok(answer) => Ok(answer.value.status.allowed),
            // Where it cannot be asked, the first write tells.
            Err(error) if matches!(error.fault, Fault::Missing | Fault::Forbidden) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Asks that this pod leave. The API holds it against the pod's budgets.
    pub(crate) async fn evict(&self, pod: &PodRef) -> Result<Evicted, KubernetesError> {
        let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", pod.namespace, pod.name);
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        });
        let call = Call::Create { path: &path, body: &body };
        let what = format!("evicting {pod}");
        match self.transport.send::<Json>(&what, &call, Patience::Once).await {
            Ok(_) => Ok(Evicted::Asked),
            Err(error) if is_gone(&error) => Ok(Evicted::Left),
            Err(error) => Err(error),
        }
    }

    /// Lets no new pods onto a node, and notes what of that is ours.
    pub(crate) async fn cordon(&self, node: &NodeRef) -> Result<(), KubernetesError> {
        self.mark(node, "cordoning", marks::cordon).await
    }

    /// Asks the scheduler to keep new pods off a node where it can.
    pub(crate) async fn taint(&self, node: &NodeRef) -> Result<(), KubernetesError> {
        self.mark(node, "tainting", marks::taint).await
    }

    /// Takes back what [`Self::cordon`] and [`Self::taint`] did.
    pub(crate) async fn release(&self, node: &NodeRef) -> Result<(), KubernetesError> {
        self.mark(node, "releasing", marks::release).await
    }

    /// Reads a node, and writes what follows from how it is, if it is still so then.
    async fn mark(
        &self,
        node: &NodeRef,
        doing: &str,
        patch_of: fn(&Json) -> Option<Json>,
    ) -> Result<(), KubernetesError> {
        let what = format!("{doing} node {}", node.name);
        let mut tries = 1;
        loop {
            match self.mark_once(node, &what, patch_of).await {
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) if error.fault == Fault::Conflict && tries < WRITES => tries += 1,
                answer => return answer,
            }
        }
    }

    async fn mark_once(
        &self,
        node: &NodeRef,
        what: &str,
        patch_of: fn(&Json) -> Option<Json>,
    ) -> Result<(), KubernetesError> {
        let call = Call::Get { path: NODES, name: &node.name };
        let read: Json = self.transport.send(what, &call, Patience::Waits).await?.value;
        // What was to be done was for the node that is gone.
        if read["metadata"]["uid"] != node.uid {
            return Ok(());
        }
        let Some(patch) = patch_of(&read) else { return Ok(()) };
        let call = Call::Patch { path: NODES, name: &node.name, patch: &patch };
        self.transport.send::<Json>(what, &call, Patience::Waits).await?;
        Ok(())
    }

    /// Takes the node of an instance away that was told to end: a new one that gets its address
    /// gets its name too, and would take the node over as it is.
    pub(crate) async fn delete_node(&self, node: &NodeRef) -> Result<(), KubernetesError> {
        let call = Call::Delete { path: NODES, name: &node.name, uid: &node.uid };
        let what = format!("deleting node {}", node.name);
        match self.transport.send::<Json>(&what, &call, Patience::Waits).await {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether what was meant is not there any more, nor what was to be done to it.
fn is_gone(error: &KubernetesError) -> bool {
    error.fault == Fault::Missing || error.is_of_another
}
