//! AWS as it stands: everything that one plan needs, read at once.

use crate::aws::{Aws, AwsError};
use crate::catalogue::kinds;
use crate::core::in_use::InUse;
use crate::core::look::{self, Asked};
use crate::core::seen::Seen;

/// What was found. A name that was not asked for has no entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    pub(crate) account: String,
    pub(crate) seen: Seen,
    /// Who uses what is to go, asked once it is known what that is.
    pub(crate) in_use: InUse,
}

/// Looks at all that is asked for, at once as far as it can be.
///
/// # Errors
/// A look failed otherwise than by a refusal.
pub(crate) async fn observe(aws: &Aws, asked: &Asked) -> Result<Live, AwsError> {
    let seen = look::observe(aws, asked, kinds::looks()).await?;
    Ok(Live { account: aws.account().to_owned(), seen, in_use: InUse::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_follow_on_each_other_three_times_at_most() {
        for look in kinds::looks() {
            assert!(look.depth() <= 3, "{} waits for {} others", look.name(), look.depth() - 1);
        }
    }
}
