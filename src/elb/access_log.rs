//! Where a load balancer writes down who asked it for what.

use crate::core::fields::Value;

/// A bucket, and the beginning of names in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccessLog {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// Minutes between two files. Classic load balancers alone have it; where nothing is said, AWS
    /// decides.
    pub(crate) interval: Option<i32>,
}

impl Value for AccessLog {
    fn tell(&self) -> String {
        let place = match self.prefix.as_str() {
            "" => self.bucket.clone(),
            prefix => format!("{}/{prefix}", self.bucket),
        };
        match self.interval {
            Some(minutes) => format!("{place} every {minutes} min"),
            None => place,
        }
    }

    fn is(&self, found: &Self) -> bool {
        self.bucket == found.bucket
            && self.prefix == found.prefix
            && self.interval.is_none_or(|wanted| found.interval == Some(wanted))
    }
}
