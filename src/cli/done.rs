//! How a command ends.

/// What a command came to, other than an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Done {
    Yes,
    /// A dry run found changes, and the caller wants to know (`--detailed-exitcode`).
    ChangesFound,
    /// The cluster is not valid.
    Invalid,
}
