//! Time. In builds for tests it can be simulated: an update of hours then takes seconds.

#[cfg(feature = "simulated-clock")]
mod simulated;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::core::time::Time;

#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    #[cfg(feature = "simulated-clock")]
    Simulated(simulated::SimulatedClock),
}

impl Clock {
    #[cfg(feature = "simulated-clock")]
    pub(crate) fn from_environment() -> Self {
        simulated::SimulatedClock::from_environment().map_or(Self::System, Self::Simulated)
    }

    #[cfg(not(feature = "simulated-clock"))]
    pub(crate) fn from_environment() -> Self {
        Self::System
    }

    pub(crate) async fn now(&self) -> anyhow::Result<Time> {
        self.sleep(Duration::ZERO).await
    }

    /// Waits, and tells what time it is then.
    pub(crate) async fn sleep(&self, duration: Duration) -> anyhow::Result<Time> {
        match self {
            Self::System => {
                tokio::time::sleep(duration).await;
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(i64::try_from(since.as_secs())?)
            }
            #[cfg(feature = "simulated-clock")]
            Self::Simulated(clock) => clock.sleep(duration).await,
        }
    }
}

/// A time as logs show it: the clock of the day, in UTC.
pub(crate) fn of_day(time: Time) -> String {
    let seconds = time.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A span as people say it: `45s`, `2m30s`, `1h05m`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}
