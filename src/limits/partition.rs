//! AWS' partitions: which regions each has, and how it names things.

/// A group of AWS regions with ARNs, endpoints and accounts of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Partition {
    /// The second part of its ARNs.
    pub(crate) name: &'static str,
    pub(crate) dns_suffix: &'static str,
    /// What the names of its regions begin with.
    regions: &'static [&'static str],
}

/// The region table of the AWS SDKs (`partitions.json` of botocore, whose `regionRegex`
/// these prefixes stand for, regions to come included).
const PARTITIONS: [Partition; 8] = [
    Partition { name: "aws-cn", dns_suffix: "amazonaws.com.cn", regions: &["cn-"] },
    Partition { name: "aws-us-gov", dns_suffix: "amazonaws.com", regions: &["us-gov-"] },
    Partition { name: "aws-iso", dns_suffix: "c2s.ic.gov", regions: &["us-iso-"] },
    Partition { name: "aws-iso-b", dns_suffix: "sc2s.sgov.gov", regions: &["us-isob-"] },
    Partition { name: "aws-iso-e", dns_suffix: "cloud.adc-e.uk", regions: &["eu-isoe-"] },
    Partition { name: "aws-iso-f", dns_suffix: "csp.hci.ic.gov", regions: &["us-isof-"] },
    Partition { name: "aws-eusc", dns_suffix: "amazonaws.eu", regions: &["eusc-"] },
    Partition { name: "aws", dns_suffix: "amazonaws.com", regions: &[""] },
];

impl Partition {
    /// The partition of a region. One that no other claims belongs to `aws`.
    pub(crate) fn of_region(region: &str) -> Self {
        let claims = |partition: &&Partition| {
            partition.regions.iter().any(|prefix| region.starts_with(prefix))
        };
        PARTITIONS.iter().find(claims).copied().unwrap_or(PARTITIONS[PARTITIONS.len() - 1])
    }

    pub(crate) fn names() -> Vec<&'static str> {
        PARTITIONS.iter().map(|partition| partition.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_lie_in_their_partition() {
        for (region, name) in [
            ("us-west-2", "aws"),
            ("mx-central-1", "aws"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-isof-south-1", "aws-iso-f"),
            ("us-gov-east-1", "aws-us-gov"),
            ("cn-northwest-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Partition::of_region(region).name, name, "{region}");
        }
    }
}
