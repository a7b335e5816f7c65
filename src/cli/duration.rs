//! Spans of time on the command line.

use std::time::Duration;

/// `90s`, `15m`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| "a time such as 90s, 15m or 1h30m".to_owned();
    match text {
        "0" => Ok(Duration::ZERO),
        text => humantime::parse_duration(text).map_err(wrong),
    }
}
