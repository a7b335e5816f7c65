//! Amazon Resource Names, as far as something is called by a part of one.

/// The name of what an ARN is of, without a path before it: `nodes` of
/// `arn:aws:iam::123456789012:instance-profile/team/nodes`. A text without a slash is a name
/// already.
pub(crate) fn name_of(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name)
}

/// The name of a target group: its ARN ends in `targetgroup/NAME/ID` (Service Authorization
/// Reference, "Resource types defined by AWS Elastic Load Balancing V2").
pub(crate) fn target_group_name(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(before, _)| name_of(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_off_arns() {
        assert_eq!(name_of("arn:aws:iam::123456789012:instance-profile/nodes"), "nodes");
        assert_eq!(name_of("arn:aws:iam::123456789012:instance-profile/team/nodes"), "nodes");
        assert_eq!(name_of("nodes"), "nodes");
        let group = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/tcp-a/50d1";
        assert_eq!(target_group_name(group), "tcp-a");
    }
}
