//! What is wanted of an address: in a file of its own, since a NAT gateway names it, by which it is
//! found.

use crate::aws::tags::Tags;
use crate::core::id::Ref;
use crate::vpc::subnet::Subnet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ElasticIp {
    pub(crate) name: String,
    /// An address of the user's own, or the id of its allocation.
    pub(crate) existing: Option<String>,
    /// The utility subnet in which the NAT gateway stands that uses it.
    pub(crate) subnet: Ref<Subnet>,
    pub(crate) tags: Tags,
}
