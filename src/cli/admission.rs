//! The one way for a command to reach AWS: what the credentials and the spec lead to is compared
//! with what the state store remembers of the cluster, before anything else is asked of AWS.

use anyhow::anyhow;

use super::settings::Global;
use super::ui::Ui;
use crate::aws::Aws;
use crate::aws::target::{Admitted, Elsewhere, Target};
use crate::spec::name::ClusterName;
use crate::store::Store;
use crate::store::mark::Mark;

/// A cluster's AWS, which is where the store remembers the cluster to be, if it does.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) aws: Aws,
    pub(super) target: Target,
    store: Store,
    cluster: ClusterName,
    mark: Option<Mark>,
    purpose: Purpose,
}

/// What the store is to remember once writing begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// That the cluster is here.
    Building,
    /// That its deletion here has begun.
    Deleting,
    /// Nothing: nothing is kept of the cluster.
    ClearingUp,
}

/// Admits a command to a cluster's AWS. `mark` is what the store remembers.
pub(super) async fn admit(
    ui: &Ui,
    global: &Global,
    store: &Store,
    cluster: &ClusterName,
    region: &str,
    mark: Option<Mark>,
) -> anyhow::Result<Admission> {
    let admitted = compare(ui, global, cluster, region, mark.as_ref()).await?;
    Ok(Admission {
        aws: Aws::connect(global.network(ui).await?, &admitted).await,
        target: admitted.target().clone(),
        store: store.clone(),
        cluster: cluster.clone(),
        mark,
        purpose: Purpose::Building,
    })
}

/// Compares alone, for what needs nothing of AWS.
pub(super) async fn compare(
    ui: &Ui,
    global: &Global,
    cluster: &ClusterName,
    region: &str,
    mark: Option<&Mark>,
) -> anyhow::Result<Admitted> {
    let identity = global.identity(ui, Some(region)).await?;
    let remembered = mark.map(|mark| &mark.target);
    Admitted::compare(identity, region, remembered).map_err(|elsewhere| told(cluster, &elsewhere))
}

fn told(cluster: &ClusterName, Elsewhere { remembered, reached }: &Elsewhere) -> anyhow::Error {
    let of_whom = |target: &Target| (target.account.clone(), target.partition.clone());
    let (difference, remedy) = match of_whom(remembered) == of_whom(reached) {
        true => (
            format!("and its region is now {}", reached.region),
            "put back the zones of its subnets",
        ),
        false => (
            format!(
                "and these are credentials of account {} ({})",
                reached.account, reached.partition
            ),
            "use credentials of that account",
        ),
    };
    anyhow!(
        "{cluster} is in {remembered}, as the state store remembers, {difference}. Nothing was \
         changed, and nothing more asked of AWS. Either {remedy}, or, if the cluster is in {reached} \
         from now on: kapstan adopt-account {cluster}"
    )
}

impl Admission {
    pub(super) fn to(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    pub(super) fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Has the store remember where the cluster is, before the first write to AWS.
    pub(super) async fn remember(&self, ui: &Ui) -> anyhow::Result<()> {
        let is_going = match self.purpose {
            Purpose::Building => false,
            Purpose::Deleting => true,
            Purpose::ClearingUp => return Ok(()),
        };
        if self.mark.as_ref().is_some_and(|mark| mark.is_going == is_going) {
            return Ok(());
        }
        let (cluster, before) = (&self.cluster, self.mark.as_ref().map(|mark| &mark.version));
        self.store.remember(cluster, &self.target, is_going, before).await?;
        if self.mark.is_none() {
            ui.status(&format!(
                "The state store remembers from now on that {cluster} is in {}",
                self.target
            ));
        }
        Ok(())
    }
}
