//! All kinds of AWS resources: the table of them, what is read of AWS, what a cluster has there,
//! and what deletes it.

pub(crate) mod kinds;
pub(crate) mod live;
pub(crate) mod owned;
