//! Who may take a role: EC2, on behalf of an instance.

use std::collections::BTreeMap;

use crate::limits::partition::Partition;
use crate::policy::document::{Conditions, Document, Effect, Scope, Statement, Values};

/// The trust policy of every role of ours (kops `pkg/model/iam.go`). EC2's name ends as
/// its partition's endpoints do.
pub(crate) fn document(partition: Partition) -> Document {
    let service = Values::One(format!("ec2.{}", partition.dns_suffix));
    Document::new(vec![Statement {
        sid: None,
        effect: Effect::Allow,
        principal: Some(Scope::Only(BTreeMap::from([("Service".to_owned(), service)]))),
        actions: Scope::Only(Values::One("sts:AssumeRole".to_owned())),
        resources: None,
        conditions: Conditions::new(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_follows_the_partition() {
        for (region, service) in [
            ("us-west-2", "ec2.amazonaws.com"),
            ("cn-north-1", "ec2.amazonaws.com.cn"),
            ("us-gov-east-1", "ec2.amazonaws.com"),
        ] {
            assert_eq!(
                document(Partition::of_region(region)).to_json(),
                serde_json::json!({
                    "Version": "2012-10-17",
                    "Statement": [{
                        "Effect": "Allow",
                        "Principal": {"Service": service},
                        "Action": "sts:AssumeRole",
                    }],
                })
            );
        }
    }
}
