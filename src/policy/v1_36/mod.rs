//! The policy documents as kops v1.36 builds them: which [`rules`] hold is told by the
//! [`facts`] of a cluster, what they give stands in [`tables`], and [`statements`] makes a
//! document of it. [`accounts`] are the roles that pods take.

pub(crate) mod accounts;
mod facts;
mod issuer;
mod rules;
mod statements;
mod tables;

pub(crate) use facts::Facts;
pub(crate) use issuer::{host, issuer, provider_arn};
pub(crate) use rules::Holder;

use crate::policy::document::Document;
use rules::Gives;
use statements::Statements;

/// Everything that the document of a role depends on, but for the hosted zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RolePolicy {
    pub(crate) holder: Holder,
    pub(crate) facts: Facts,
}

impl RolePolicy {
    /// Whether the document depends on the id of the cluster's hosted zone.
    pub(crate) fn needs_zone(&self) -> bool {
        rules::of(self.holder, &self.facts).any(|rule| matches!(rule.gives, Gives::Records))
    }

    /// The document. `zone` is the hosted zone's id, `None` for a cluster without DNS.
    pub(crate) fn document(&self, zone: Option<&str>) -> Document {
        let mut all = Statements::new(&self.facts);
        for rule in rules::of(self.holder, &self.facts) {
            match rule.gives {
                Gives::Block(block) => all.block(block),
                Gives::EtcdVolumes => all.etcd_volumes(),
                Gives::CreateFromSnapshots => all.create_from_snapshots(),
                Gives::Read(names) => all.read_store(names),
                Gives::Backups => all.write_backups(),
                Gives::Records => all.records(zone),
                Gives::Challenges => all.challenges(),
                Gives::TagInterfaces => all.tag_interfaces(),
            }
        }
        Document::new(all.finish())
    }
}

#[cfg(test)]
mod tests;
