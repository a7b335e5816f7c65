//! Who writes, for those who come after.

/// The user, as the system knows one.
pub(super) fn user() -> String {
    variable(&["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| "someone".to_owned())
}

/// The machine's name, if it has one.
pub(super) fn host() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = kernel.or_else(|| variable(&["HOSTNAME", "COMPUTERNAME"]))?;
    let host = host.trim();
    (!host.is_empty()).then(|| host.to_owned())
}

/// What AWS knows the user as, as far as the environment tells.
pub(super) fn aws_identity() -> Option<String> {
    variable(&["AWS_ROLE_ARN"])
        .or_else(|| variable(&["AWS_PROFILE"]).map(|profile| format!("AWS profile {profile}")))
}

/// `user@host`.
pub(super) fn writer() -> String {
    match host() {
        Some(host) => format!("{}@{host}", user()),
        None => user(),
    }
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}
