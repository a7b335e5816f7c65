//! What must be in an answer of AWS, taken out of it: a missing id is an error where it is
//! missing, and not an empty text that does harm later.

use super::error::{AwsError, Fault};

/// An answer, or a row of one, as errors name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    operation: &'static str,
    object: &'a str,
}

impl<'a> Answer<'a> {
    pub(crate) fn of(operation: &'static str, object: &'a str) -> Self {
        Self { operation, object }
    }

    /// A name, or the id of what is no kind of ours.
    ///
    /// # Errors
    /// AWS did not give it, or gave nothing in it.
    pub(crate) fn text(&self, field: &str, given: Option<&str>) -> Result<String, AwsError> {
        self.part(field, given.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// Anything else that must be there.
    ///
    /// # Errors
    /// AWS did not give it.
    pub(crate) fn part<T>(&self, field: &str, given: Option<T>) -> Result<T, AwsError> {
        given.ok_or_else(|| self.not_understood(format!("AWS' answer has no {field}")))
    }

    pub(crate) fn not_understood(&self, message: String) -> AwsError {
        AwsError {
            operation: self.operation,
            object: self.object.to_owned(),
            fault: Fault::Other,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_given_or_empty_is_an_error_that_names_it() {
        let answer = Answer::of("ec2:DescribeSubnets", "subnet-1");
        assert_eq!(answer.text("availabilityZone", Some("a")).unwrap(), "a");
        for given in [None, Some("")] {
            let error = answer.text("availabilityZone", given).unwrap_err().to_string();
            assert_eq!(
                error,
                "ec2:DescribeSubnets of subnet-1 failed: AWS' answer has no availabilityZone"
            );
        }
    }
}
