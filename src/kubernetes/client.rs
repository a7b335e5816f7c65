//! The connection to a cluster's API, from the user's kubeconfig.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::future::try_join3;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Node as SdkNode, Pod as SdkPod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{EvictParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::budget::{ApiBudget, Budget};
use super::error::{Fault, KubernetesError};
use super::node::{ApiNode, Node};
use super::pod::{ApiPod, Pod};
use super::{Look, drain};

/// Objects a page: as many as `kubectl` asks for.
const PAGE: u32 = 500;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Kubernetes {
    client: Client,
    /// Where the API is.
    pub(crate) address: String,
}

impl Kubernetes {
    /// Prepares a connection; nothing is sent.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, or has no context of that name: another cluster's must
    /// never be taken.
    pub(crate) async fn connect(kubeconfig: Option<&Path>, context: &str) -> anyhow::Result<Self> {
        let kubeconfig = match kubeconfig {
            Some(path) => Kubeconfig::read_from(path)
                .with_context(|| format!("{} is no kubeconfig", path.display()))?,
            None => Kubeconfig::read().context("no kubeconfig (--kubeconfig, KUBECONFIG)")?,
        };
        let names: Vec<&str> =
            kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
        if !names.contains(&context) {
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!(
                "the kubeconfig has no context {context} (it has: {has}); give --context, or \
                 --kubeconfig of another file"
            );
        }
        let options =
            KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .with_context(|| format!("the context {context} of the kubeconfig"))?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        // What is refused now is asked again at the next look.
        config.default_retry = false;
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).context("the connection to the cluster")?;
        Ok(Self { client, address })
    }

    /// Reads all nodes, pods and budgets at once.
    pub(crate) async fn look(&self) -> Result<Look, KubernetesError> {
        let nodes = list(self.nodes(), "listing nodes");
        let kind = ApiResource::erase::<SdkPod>(&());
        let pods = Api::<ApiPod>::all_with(self.client.clone(), &kind);
        let pods = list(pods, "listing pods");
        let (nodes, pods, budgets) = try_join3(nodes, pods, self.budgets()).await?;
        Ok(Look {
            nodes: nodes.iter().map(Node::from_api).collect(),
            pods: pods.iter().map(Pod::from_api).collect(),
            budgets: budgets.iter().map(Budget::from_api).collect(),
        })
    }

    fn nodes(&self) -> Api<ApiNode> {
        Api::all_with(self.client.clone(), &ApiResource::erase::<SdkNode>(&()))
    }

    /// Clusters before 1.21 do not have them in this version; there they stay unnamed.
    async fn budgets(&self) -> Result<Vec<ApiBudget>, KubernetesError> {
        let kind = ApiResource::erase::<PodDisruptionBudget>(&());
        let api = Api::<ApiBudget>::all_with(self.client.clone(), &kind);
        match list(api, "listing pod disruption budgets").await {
            Err(error) if error.fault == Fault::Missing => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// Asks that a pod leave. The API holds it against the pod's budgets.
    pub(crate) async fn evict(&self, namespace: &str, pod: &str) -> Result<(), KubernetesError> {
        let api = self.namespaced::<SdkPod>(namespace);
        match api.evict(pod, &EvictParams::default()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = KubernetesError::new(format!("evicting {namespace}/{pod}"), &error);
                if error.fault == Fault::Missing { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Lets no new pods onto a node, and marks that it was us.
    pub(crate) async fn cordon(&self, node: &str) -> Result<(), KubernetesError> {
        self.patch(node, "cordoning", drain::cordon_patch()).await
    }

    /// Takes back what [`Self::cordon`] and [`Self::taint`] did.
    pub(crate) async fn release(&self, node: &str) -> Result<(), KubernetesError> {
        self.patch(node, "releasing", drain::release_patch()).await
    }

    /// Asks the scheduler to keep new pods off a node where it can.
    pub(crate) async fn taint(&self, node: &str) -> Result<(), KubernetesError> {
        self.patch(node, "tainting", drain::taint_patch()).await
    }

    async fn patch(&self, node: &str, doing: &str, patch: Json) -> Result<(), KubernetesError> {
        let api = self.nodes();
        let answer = api.patch(node, &PatchParams::default(), &Patch::Strategic(patch)).await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = KubernetesError::new(format!("{doing} node {node}"), &error);
                // Its instance is gone, and so is what was to be done.
                if error.fault == Fault::Missing { Ok(()) } else { Err(error) }
            }
        }
    }

    fn namespaced<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}

async fn list<K>(api: Api<K>, what: &str) -> Result<Vec<K>, KubernetesError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut rows = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await.map_err(|error| KubernetesError::new(what, &error))?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        rows.extend(page.items);
        match next {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(rows),
        }
    }
}
