//! The key pair of a cluster's instances (kops `pkg/model/sshkey.go`).

use super::{DesiredCluster, Input, Notice, names};
use crate::core::id::Ref;
use crate::ec2::key_pair::SshKey;
use crate::spec::ssh_credential::{self, imported_fingerprint, not_for_ec2};

/// The name of the key pair; `None` if instances get none, or if it is not known which.
pub(super) fn key(input: Input<'_>) -> Option<Ref<SshKey>> {
    let name = match input.cluster.spec.ssh_key_name.as_deref() {
        Some("") => return None,
        Some(name) => name.to_owned(),
        None => {
            let fingerprint = ssh_credential::fingerprint(input.ssh_keys.first()?).ok()?;
            let pairs: Vec<&str> = (0..fingerprint.len())
                .step_by(2)
                .filter_map(|at| fingerprint.get(at..at + 2))
                .collect();
            format!("kubernetes.{}-{}", input.cluster.name(), pairs.join(":"))
        }
    };
    Some(Ref::to(name))
}

pub(super) fn add(input: Input<'_>, desired: &mut DesiredCluster) {
    let cluster = input.cluster;
    match pair(input) {
        Ok(pair) => desired.resources.extend(pair.map(Into::into)),
        Err(refusal) => {
            let notice = Notice {
                object: format!("Cluster/{}", cluster.name()),
                message: refusal,
                next: format!(
                    "keep one: kapstan create secret sshpublickey admin -i ~/.ssh/id_rsa.pub \
                     --name {}; or set spec.sshKeyName to the name of a key pair in EC2, or to \
                     \"\" for none",
                    cluster.name()
                ),
            };
            desired.refusals.push((SshKey::KIND, notice));
        }
    }
}

/// The key pair; none where neither the spec nor the store has a key.
fn pair(input: Input<'_>) -> Result<Option<SshKey>, String> {
    let cluster = input.cluster;
    if input.ssh_keys.len() > 1 {
        return Err("several SSH public keys are kept, and instances take one".to_owned());
    }
    let kept = input.ssh_keys.first();
    let tags = names::tags(cluster, cluster.name(), false);
    let (public_key, fingerprint) = match (&cluster.spec.ssh_key_name, kept) {
        // One that the spec names is there already.
        (Some(_), _) => (None, None),
        (None, Some(kept)) => {
            let fingerprint = match not_for_ec2(kept) {
                Some(reason) => Err(reason),
                None => imported_fingerprint(kept),
            };
            let fingerprint = fingerprint
                .map_err(|reason| format!("the SSH key that is kept cannot be used: {reason}"))?;
            (Some(kept.clone()), Some(fingerprint))
        }
        (None, None) => (None, None),
    };
    let pair = |key: Ref<SshKey>| SshKey {
        name: key.name.clone(),
        id: None,
        public_key,
        fingerprint,
        tags,
    };
    Ok(key(input).map(pair))
}
