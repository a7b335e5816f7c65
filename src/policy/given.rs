//! What a spec gives the roles of its cluster, beside what kops gives them.

use super::v1_36::accounts;
use super::{additional, external};
use crate::spec::cluster::Cluster;
use crate::spec::problem::Problem;

/// Everything that is wrong with it.
pub(crate) fn check(cluster: &Cluster) -> Vec<Problem> {
    let mut problems = additional::check(cluster);
    problems.extend(external::check(cluster));
    problems.extend(accounts::check(cluster));
    problems
}
