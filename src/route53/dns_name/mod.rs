//! `DNSName`: a name that leads to a load balancer, or that the control plane will give its own
//! addresses.

mod kind;
mod look;
mod record;

pub(crate) use kind::{DnsName, Lead};
pub(crate) use record::RecordType;
