//! `DNSName`: a name that leads to a load balancer.

mod kind;
mod look;

pub(crate) use kind::DnsName;
