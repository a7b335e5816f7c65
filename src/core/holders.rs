//! Who holds back what AWS will not delete: asked once AWS has said that something does.
//!
//! AWS says that something hangs on an object, and seldom what. Some of it passes by itself,
//! as interfaces of a load balancer do that is going; the rest stays until its owner comes.

use super::wait::{Attempt, Held};
use crate::aws::AwsError;

/// How many holders are named.
const NAMED: usize = 8;

/// What holds something, in words.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    stays: Vec<String>,
    passes: Vec<String>,
    /// Looks that failed.
    unknown: Vec<String>,
}

impl Holders {
    pub(crate) fn add(&mut self, passes: bool, holder: String) {
        if passes { self.passes.push(holder) } else { self.stays.push(holder) }
    }

    /// Notes what stays, each once.
    pub(crate) fn add_once(&mut self, holder: String) {
        if !self.stays.contains(&holder) {
            self.stays.push(holder);
        }
    }

    pub(crate) fn look(&mut self, answer: Result<(), AwsError>) {
        self.unknown.extend(answer.err().map(|error| error.to_string()));
    }

    /// What an attempt came to that failed so.
    pub(crate) fn attempt<T>(&self, error: AwsError) -> Attempt<T> {
        let holder = match (self.stays.is_empty(), self.passes.is_empty()) {
            (false, _) => list(&self.stays),
            (true, false) => list(&self.passes),
            (true, true) if self.unknown.is_empty() => {
                "something that AWS does not name".to_owned()
            }
            (true, true) => format!("something unknown, since {}", list(&self.unknown)),
        };
        let held = Held { holder, error };
        if self.stays.is_empty() { Attempt::NotYet(held) } else { Attempt::Never(held) }
    }
}

fn list(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_holders_are_counted() {
        let names: Vec<String> = (1..=10).map(|nth| format!("eni-{nth}")).collect();
        assert!(list(&names).ends_with("eni-8 and 2 more"));
        assert_eq!(list(&names[..2]), "eni-1, eni-2");
    }
}
