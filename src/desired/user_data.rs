//! What an instance is given to run at boot.
//!
//! [`Bootstrap`] is the seam: another way of bringing up Kubernetes is another variant, and
//! gives parts to put before those of the instance group.

use crate::limits::USER_DATA;
use crate::spec::cluster::Cluster;
use crate::spec::instance_group::{self, InstanceGroup};
use crate::spec::object::filled;
use crate::spec::path::FieldPath;
use crate::spec::problem::Problem;

/// How user data of ours begins, by which it is told from that of others.
const BOUNDARY: &str = "KAPSTAN-PART";

/// What `spec.bootstrap` asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bootstrap {
    /// Nothing was chosen. What another tool put on live instances is kept.
    Unset,
    /// Nothing is to be run but what instance groups bring themselves.
    None,
}

impl Bootstrap {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        match filled(&cluster.spec.bootstrap) {
            Some(_) => Self::None,
            None => Self::Unset,
        }
    }
}

/// The user data of a group: a MIME archive of its parts (cloud-init, "User-data formats").
pub(super) fn of(group: &InstanceGroup) -> Option<Vec<u8>> {
    let parts = group.spec.additional_user_data.as_deref().unwrap_or_default();
    if parts.is_empty() {
        return None;
    }
    let content = |part: &instance_group::UserData| part.content.clone().unwrap_or_default();
    let mut boundary = BOUNDARY.to_owned();
    while parts.iter().any(|part| content(part).contains(&boundary)) {
        boundary.push('-');
    }
    let mut out = head(&boundary);
    out.push_str("MIME-Version: 1.0\r\n\r\n");
    for part in parts {
        let name = part.name.as_deref().unwrap_or_default();
        let kind = part.kind.as_deref().unwrap_or_default();
        out.push_str(&format!(
            "--{boundary}\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             Content-Type: {kind}\r\n\
             MIME-Version: 1.0\r\n\r\n\
             {}\r\n",
            content(part)
        ));
    }
    out.push_str(&format!("--{boundary}--\r\n"));
    Some(out.into_bytes())
}

/// Whether EC2 takes the user data of a group, which it gets with a frame around its parts.
pub(crate) fn check(group: &InstanceGroup) -> Option<Problem> {
    let data = of(group)?;
    let reason = USER_DATA.refusal(i64::try_from(data.len()).unwrap_or(i64::MAX))?;
    let path = FieldPath::root().key("spec").key("additionalUserData");
    let message = format!(
        "with the frame of a MIME archive {reason}; let the instance fetch the rest when it boots"
    );
    Some(Problem::new(&path, message))
}

fn head(boundary: &str) -> String {
    format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n")
}

/// Whether kapstan wrote this user data.
pub(crate) fn is_ours(data: &[u8]) -> bool {
    let head = head(BOUNDARY);
    data.starts_with(head.trim_end_matches(['\r', '\n', '"']).as_bytes())
}
