//! What an instance is given to run at boot.
//!
//! [`Bootstrap`] is the seam: another way of bringing up Kubernetes is another variant, and
//! gives parts to put before those of the instance group.

use crate::ec2::user_data::{Part, UserData};
use crate::limits::USER_DATA;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::InstanceGroup;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

/// What the annotation `kapstan.io/bootstrap` asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bootstrap {
    /// Nothing was chosen. What another tool put on live instances is kept.
    Unset,
    /// Nothing is to be run but what instance groups bring themselves.
    None,
}

impl Bootstrap {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        match cluster.bootstrap() {
            Some(_) => Self::None,
            None => Self::Unset,
        }
    }
}

/// What a group adds itself.
pub(super) fn of(group: &InstanceGroup) -> Vec<Part> {
    let parts = group.spec.additional_user_data.iter().flatten().map(|part| Part {
        name: part.name.clone().unwrap_or_default(),
        kind: part.kind.clone().unwrap_or_default(),
        content: part.content.clone().unwrap_or_default().into_bytes(),
    });
    parts.collect()
}

/// Whether EC2 takes the user data of a group, which it gets with a frame around its parts.
pub(crate) fn check(group: &InstanceGroup) -> Option<Problem> {
    let reason = refusal(&UserData { bootstrap: None, parts: of(group) }.write()?)?;
    let path = FieldPath::root().key("spec").key("additionalUserData");
    let message = format!(
        "with the frame of a MIME archive {reason}; let the instance fetch the rest when it boots"
    );
    Some(Problem::new(&path, message))
}

/// Why EC2 takes no such user data.
pub(crate) fn refusal(data: &[u8]) -> Option<String> {
    USER_DATA.refusal(i64::try_from(data.len()).unwrap_or(i64::MAX))
}
