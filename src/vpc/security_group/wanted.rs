//! What is wanted of a security group: in a file of its own, since its rules name it, and are told
//! with it.

use crate::aws::tags::Tags;
use crate::core::id::{Id, Ref};
use crate::vpc::vpc::Vpc;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecurityGroup {
    pub(crate) name: String,
    /// The id of a group of the user's own.
    pub(crate) existing: Option<Id<Self>>,
    pub(crate) description: String,
    pub(crate) vpc: Ref<Vpc>,
    /// The ports, first and last, of which rules are removed that are not wanted; of others they
    /// stay, since Kubernetes and people add them.
    pub(crate) own_ports: Vec<(i32, i32)>,
    pub(crate) tags: Tags,
}
