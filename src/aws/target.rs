//! Whose credentials are at work, and where a cluster is. Both are compared with what is
//! remembered of the cluster before anything else is asked of AWS.

use std::fmt;

use super::answer::Answer;
use super::config::sdk_config;
use super::error::AwsError;
use super::network::Network;
use crate::limits::arn::Arn;

/// The account whose credentials are at work. AWS alone tells it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    account: String,
    partition: String,
}

impl Identity {
    /// Asks AWS, in a region or else in the user's own.
    pub(crate) async fn ask(network: &Network, region: Option<&str>) -> Result<Self, AwsError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let config = sdk_config(network, region).await;
        let call = aws_sdk_sts::Client::new(&config).get_caller_identity();
        let answer = call.send().await.map_err(|error| AwsError::new(OPERATION, "", error))?;
        let account = Answer::of(OPERATION, "").text("Account", answer.account())?;
        let told = Answer::of(OPERATION, "");
        let arn = told.text("Arn", answer.arn())?;
        let Arn { partition, .. } = Arn::parse(&arn)
            .map_err(|error| told.not_understood(format!("Arn is {arn:?}: {error}")))?;
        Ok(Self { account, partition: partition.to_owned() })
    }

    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// What these credentials reach in a region.
    pub(crate) fn at(&self, region: &str) -> Target {
        Target {
            account: self.account.clone(),
            region: region.to_owned(),
            partition: self.partition.clone(),
        }
    }
}

/// Where a cluster is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) partition: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, region, partition } = self;
        write!(f, "account {account} ({partition}), region {region}")
    }
}

/// Where a cluster is, by its spec and by the credentials at work, which is where it is remembered
/// to be. There are clients for such only.
#[derive(Clone, Debug)]
pub(crate) struct Admitted(Target);

/// A cluster is remembered to be elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) remembered: Target,
    pub(crate) reached: Target,
}

impl Admitted {
    /// Compares what the credentials reach with what is remembered of the cluster, if anything is.
    ///
    /// # Errors
    /// The two differ.
    pub(crate) fn compare(
        identity: &Identity,
        region: &str,
        remembered: Option<&Target>,
    ) -> Result<Self, Box<Elsewhere>> {
        let reached = identity.at(region);
        match remembered {
            Some(remembered) if *remembered != reached => {
                Err(Box::new(Elsewhere { remembered: remembered.clone(), reached }))
            }
            _ => Ok(Self(reached)),
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_any_part_is_elsewhere() {
        let identity = Identity { account: "1".to_owned(), partition: "aws".to_owned() };
        let here = identity.at("us-west-2");
        let compare = |remembered: &Target| {
            Admitted::compare(&identity, "us-west-2", Some(remembered)).is_ok()
        };
        assert!(compare(&here));
        assert!(Admitted::compare(&identity, "us-west-2", None).is_ok());
        assert!(!compare(&Target { account: "2".to_owned(), ..here.clone() }));
        assert!(!compare(&Target { region: "eu-west-1".to_owned(), ..here.clone() }));
        assert!(!compare(&Target { partition: "aws-cn".to_owned(), ..here }));
    }
}
