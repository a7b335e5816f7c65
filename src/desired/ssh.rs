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
    let refusal = match (input.ssh_keys, key(input)) {
        ([_, _, ..], _) => "several SSH public keys are kept, and instances take one".to_owned(),
        ([one], None) if cluster.spec.ssh_key_name.is_none() => {
            let reason = ssh_credential::fingerprint(one).err().unwrap_or_default();
            format!("the SSH key that is kept cannot be used: {reason}")
        }
        (_, None) if cluster.spec.ssh_key_name.is_some() => return,
        (_, None) => "no SSH public key is kept for the cluster".to_owned(),
        ([one], Some(_)) if cluster.spec.ssh_key_name.is_none() && not_for_ec2(one).is_some() => {
            let reason = not_for_ec2(one).unwrap_or_default();
            format!("the SSH key that is kept cannot be used: {reason}")
        }
        ([one], Some(id)) if cluster.spec.ssh_key_name.is_none() => {
            match imported_fingerprint(one) {
                Ok(fingerprint) => {
                    let (public_key, fingerprint) = (Some(one.clone()), Some(fingerprint));
                    let tags = names::tags(cluster, &id.name, false);
                    let name = id.name.clone();
                    desired.resources.push(SshKey { name, public_key, fingerprint, tags }.into());
                    return;
                }
                Err(reason) => format!("the SSH key that is kept cannot be used: {reason}"),
            }
        }
        (keys, Some(id)) => {
            // What EC2 cannot import, it must have already.
            let public_key = keys.first().filter(|key| not_for_ec2(key).is_none()).cloned();
            let tags = names::tags(cluster, &id.name, false);
            let name = id.name.clone();
            desired.resources.push(SshKey { name, public_key, fingerprint: None, tags }.into());
            return;
        }
    };
    let notice = Notice {
        object: format!("Cluster/{}", cluster.name()),
        message: refusal,
        next: format!(
            "keep one: kapstan create secret sshpublickey admin -i ~/.ssh/id_rsa.pub --name {}; \
             or set spec.sshKeyName to the name of a key pair in EC2, or to \"\" for none",
            cluster.name()
        ),
    };
    desired.refusals.push((SshKey::KIND, notice));
}
