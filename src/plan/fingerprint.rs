//! What tells one plan from another: who has looked at one can have it applied and no other.

use sha2::{Digest as _, Sha256};

use super::{Change, Plan};

impl Plan {
    /// A digest of all that the plan would write and of what it was made from. It differs between
    /// versions of this program, which may write the same otherwise.
    pub(crate) fn fingerprint(&self) -> String {
        let Self { cluster, account, region, ids, specs, .. } = self;
        let writes: Vec<&Change> = self.writes().collect();
        let version = env!("CARGO_PKG_VERSION");
        // No other form tells what is written in full, what it is compared with included.
        digest(&format!("{:?}", (version, cluster, account, region, specs, ids, writes)))
    }
}

/// The digest of a text, in full: who writes what is reviewed may write what comes after it too.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
