//! What a cluster has in AWS, whatever its spec says: all that carries its tags or bears its
//! names, each with whose it is and what holds it.

use std::collections::BTreeSet;

use crate::aws::{Aws, AwsError};
use crate::catalogue::kinds;
use crate::core::belongings::{Around, Belonging};
use crate::core::in_use::{Thing, User};
use crate::core::look::{self, Asked};
use crate::ec2::in_use;
use crate::iam;

/// What was found.
#[derive(Debug)]
pub(crate) struct Everything {
    pub(crate) found: Vec<Belonging>,
    /// The other state store in which there is a cluster of this name and region, as its roles
    /// tell: no tag tells the two apart in what else was found.
    pub(crate) other_store: Option<String>,
}

/// Reads everything.
///
/// # Errors
/// Anything could not be looked at: what is not known to be there cannot be left out of a
/// deletion.
pub(crate) async fn observe(aws: &Aws, asked: &Asked) -> Result<Everything, AwsError> {
    let seen = look::observe(aws, asked, kinds::looks()).await?;
    if let Some(error) = seen.refused() {
        return Err(error.clone());
    }
    let mut owner = asked.owner.clone();
    kinds::name_found(&mut owner, &seen);
    let around = Around { owner: &owner, ..Around::asked(asked, &seen) };
    let other_store =
        iam::presence::of_twins(&around).find_map(|tags| owner.home().other_store(tags));
    let other_store = other_store.map(str::to_owned);
    let mut found = kinds::belongings(&around);
    hold(aws, &mut found).await?;
    Ok(Everything { found, other_store })
}

/// Holds back what instances use that do not go with the cluster, and the network around them.
async fn hold(aws: &Aws, found: &mut [Belonging]) -> Result<(), AwsError> {
    let owned = || found.iter().filter(|one| one.whose.is_owned());
    let things: BTreeSet<Thing> = owned().filter_map(|one| one.used_as.clone()).collect();
    let going: BTreeSet<String> = owned().flat_map(|one| one.frees.clone()).collect();
    let in_use = in_use::observe(aws, &things).await?;
    let goes = |user: &User| {
        going.contains(&user.id) || user.scaling_group.as_ref().is_some_and(|of| going.contains(of))
    };
    for one in found.iter_mut().filter(|one| one.whose.is_owned()) {
        one.held = one.used_as.as_ref().and_then(|thing| in_use.hold(thing, goes));
    }
    // An instance in the network is in a security group of it.
    let is_group = |one: &&Belonging| matches!(one.used_as, Some(Thing::SecurityGroup(_)));
    let around = found.iter().filter(is_group).find_map(|one| one.held.clone());
    for one in found.iter_mut().filter(|one| one.whose.is_owned() && one.is_around) {
        one.held = around.clone();
    }
    Ok(())
}
