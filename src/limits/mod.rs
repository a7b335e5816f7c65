//! What AWS certainly refuses, as tables: names, tags, sizes, volumes, ranges of addresses and
//! the grammar of policies, each with the place where AWS says so.
//!
//! Pure, and below all other rooms: validation of specs and planning ask here alike, and no
//! limit of AWS stands anywhere else. Where AWS' documents do not say that a value is refused,
//! it is taken.

pub(crate) mod arn;
pub(crate) mod device;
pub(crate) mod kms;
pub(crate) mod partition;
pub(crate) mod policy;
pub(crate) mod role_name;
pub(crate) mod s3;
pub(crate) mod tag;
pub(crate) mod truncated;
pub(crate) mod volume;
pub(crate) mod zone;

use std::fmt;

/// A text of limited length and characters.
#[derive(Debug)]
pub(crate) struct Text {
    /// What it is, as messages name it.
    pub(crate) what: &'static str,
    /// How many characters it may have.
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) characters: Characters,
    /// How it may not begin.
    pub(crate) not_first: &'static str,
    pub(crate) source: &'static str,
}

/// The characters that a text may have.
#[derive(Debug)]
pub(crate) enum Characters {
    Any,
    /// Printable ASCII without the space and without these.
    AsciiBut(&'static str),
    /// Letters and digits of ASCII, and these.
    AlphanumericAnd(&'static str),
    /// The same without capitals.
    LowercaseAnd(&'static str),
}

impl Characters {
    pub(crate) fn allow(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::AsciiBut(these) => c.is_ascii_graphic() && !these.contains(c),
            Self::AlphanumericAnd(these) => c.is_ascii_alphanumeric() || these.contains(c),
            Self::LowercaseAnd(these) => {
                c.is_ascii_lowercase() || c.is_ascii_digit() || these.contains(c)
            }
        }
    }
}

impl fmt::Display for Characters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any characters"),
            Self::AsciiBut("") => f.write_str("printable ASCII without spaces"),
            Self::AsciiBut(these) => write!(f, "printable ASCII without spaces and {these}"),
            Self::AlphanumericAnd("") => f.write_str("letters and digits"),
            Self::AlphanumericAnd(these) => write!(f, "letters, digits and {these}"),
            Self::LowercaseAnd(these) => write!(f, "lower-case letters, digits and {these}"),
        }
    }
}

impl Text {
    /// Why AWS refuses a text here, or `None` if it does not.
    pub(crate) fn refusal(&self, text: &str) -> Option<String> {
        let Self { what, least, most, characters, not_first, source } = self;
        let length = text.chars().count();
        if !(*least..=*most).contains(&length) {
            return Some(format!(
                "{} has {length} characters; AWS takes {least} to {most} in {what} ({source})",
                shorten(text)
            ));
        }
        if let Some(c) = text.chars().find(|c| !characters.allow(*c)) {
            return Some(format!(
                "{} holds {c:?}; AWS takes {characters} in {what} ({source})",
                shorten(text)
            ));
        }
        let begins = !not_first.is_empty() && text.starts_with(not_first);
        begins.then(|| {
            format!(
                "{} begins with {not_first}, which AWS keeps from {what} ({source})",
                shorten(text)
            )
        })
    }
}

/// A whole number within bounds.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) what: &'static str,
    pub(crate) least: i64,
    pub(crate) most: i64,
    pub(crate) source: &'static str,
}

impl Number {
    /// Why AWS refuses a number here, or `None` if it does not.
    pub(crate) fn refusal(&self, number: i64) -> Option<String> {
        let Self { what, least, most, source } = self;
        let is_within = (*least..=*most).contains(&number);
        (!is_within).then(|| format!("is {number}; AWS takes {least} to {most} {what} ({source})"))
    }
}

/// A few words, of which one must be chosen.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) words: &'static [&'static str],
    pub(crate) source: &'static str,
}

/// A text as messages quote it: whole, or its beginning.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

const IAM_NAME: Characters = Characters::AlphanumericAnd("_+=,.@-");

pub(crate) const ROLE_NAME: Text = Text {
    what: "the name of a role",
    least: 1,
    most: 64,
    characters: IAM_NAME,
    not_first: "",
    source: "IAM API, CreateRole",
};
pub(crate) const POLICY_NAME: Text = Text {
    what: "the name of a policy",
    least: 1,
    most: 128,
    characters: IAM_NAME,
    not_first: "",
    source: "IAM API, PutRolePolicy",
};
pub(crate) const PROFILE_NAME: Text = Text {
    what: "the name of an instance profile",
    least: 1,
    most: 128,
    characters: IAM_NAME,
    not_first: "",
    source: "IAM API, CreateInstanceProfile",
};
pub(crate) const LAUNCH_TEMPLATE_NAME: Text = Text {
    what: "the name of a launch template",
    least: 3,
    most: 128,
    characters: Characters::AlphanumericAnd("().-/_"),
    not_first: "",
    source: "EC2 API, CreateLaunchTemplate",
};
pub(crate) const AUTOSCALING_GROUP_NAME: Text = Text {
    what: "the name of an Auto Scaling group",
    least: 1,
    most: 255,
    characters: Characters::AsciiBut(":"),
    not_first: "",
    source: "Auto Scaling API, CreateAutoScalingGroup",
};
pub(crate) const SECURITY_GROUP_NAME: Text = Text {
    what: "the name of a security group",
    least: 1,
    most: 255,
    characters: Characters::AlphanumericAnd(" ._-:/()#,@[]+=&;{}!$*"),
    not_first: "sg-",
    source: "EC2 API, CreateSecurityGroup",
};
pub(crate) const KEY_PAIR_NAME: Text = Text {
    what: "the name of a key pair",
    least: 1,
    most: 255,
    // Spaces within are taken.
    characters: Characters::AlphanumericAnd(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    not_first: "",
    source: "EC2 API, ImportKeyPair",
};
pub(crate) const LOAD_BALANCER_NAME: Text = Text {
    what: "the name of a load balancer",
    least: 1,
    most: 32,
    characters: Characters::AlphanumericAnd("-"),
    not_first: "internal-",
    source: "ELB API, CreateLoadBalancer",
};
pub(crate) const TARGET_GROUP_NAME: Text = Text {
    what: "the name of a target group",
    least: 1,
    most: 32,
    characters: Characters::AlphanumericAnd("-"),
    not_first: "-",
    source: "ELB API, CreateTargetGroup",
};
pub(crate) const QUEUE_NAME: Text = Text {
    what: "the name of a queue",
    least: 1,
    most: 80,
    characters: Characters::AlphanumericAnd("-_"),
    not_first: "",
    source: "SQS API, CreateQueue",
};
pub(crate) const EVENT_RULE_NAME: Text = Text {
    what: "the name of a rule for events",
    least: 1,
    most: 64,
    characters: Characters::AlphanumericAnd(".-_"),
    not_first: "",
    source: "EventBridge API, PutRule",
};
pub(crate) const LIFECYCLE_HOOK_NAME: Text = Text {
    what: "the name of a lifecycle hook",
    least: 1,
    most: 255,
    characters: Characters::AlphanumericAnd("-_/"),
    not_first: "",
    source: "Auto Scaling API, PutLifecycleHook",
};

/// All inline policies of a role together, white space not counted.
pub(crate) const INLINE_POLICIES: usize = 10_240;
/// A role's trust policy, white space not counted.
pub(crate) const TRUST_POLICY: usize = 2_048;
pub(crate) const POLICY_SIZES_SOURCE: &str = "IAM user guide, IAM and AWS STS quotas";

/// Before base64, with the frame that kapstan puts around its parts.
pub(crate) const USER_DATA: Number = Number {
    what: "bytes of user data",
    least: 0,
    most: 16_384,
    source: "EC2 API, RequestLaunchTemplateData",
};
pub(crate) const GROUP_SIZE: Number = Number {
    what: "instances",
    least: 0,
    most: i32::MAX as i64,
    source: "Auto Scaling API, CreateAutoScalingGroup",
};
pub(crate) const ON_DEMAND_PERCENTAGE: Number = Number {
    what: "per cent",
    least: 0,
    most: 100,
    source: "Auto Scaling API, InstancesDistribution",
};
pub(crate) const SPOT_POOLS: Number =
    Number { what: "pools", least: 1, most: 20, source: "Auto Scaling API, InstancesDistribution" };
pub(crate) const MIXED_TYPES: Number = Number {
    what: "machine types",
    least: 1,
    most: 40,
    source: "Auto Scaling API, LaunchTemplate.Overrides",
};
pub(crate) const HOP_LIMIT: Number = Number {
    what: "hops",
    least: 1,
    most: 64,
    source: "EC2 API, LaunchTemplateInstanceMetadataOptionsRequest",
};
pub(crate) const HEARTBEAT_TIMEOUT: Number = Number {
    what: "seconds",
    least: 30,
    most: 7_200,
    source: "Auto Scaling API, PutLifecycleHook",
};
/// The API's own model says 3,600, the user guide 4,000.
pub(crate) const IDLE_TIMEOUT: Number = Number {
    what: "seconds",
    least: 1,
    most: 3_600,
    source: "ELB API, ConnectionSettings.IdleTimeout",
};
/// The length of the prefix of a VPC's and a subnet's range.
pub(crate) const RANGE_PREFIX: Number = Number {
    what: "bits before the host's",
    least: 16,
    most: 28,
    source: "VPC user guide, VPC CIDR blocks",
};
/// The length of the prefix of a subnet's range of IPv6.
pub(crate) const RANGE_PREFIX_IPV6: Number = Number {
    what: "bits before the host's",
    least: 44,
    most: 64,
    source: "VPC user guide, Subnet CIDR blocks",
};

pub(crate) const SPOT_ALLOCATION: Words = Words {
    words: &[
        "lowest-price", "capacity-optimized", "capacity-optimized-prioritized",
        "price-capacity-optimized",
    ],
    source: "Auto Scaling API, InstancesDistribution",
};
/// The one strategy that knows pools.
pub(crate) const WITH_SPOT_POOLS: &str = "lowest-price";
pub(crate) const ON_DEMAND_ALLOCATION: Words = Words {
    words: &["prioritized", "lowest-price"],
    source: "Auto Scaling API, InstancesDistribution",
};
/// Auto Scaling starts spot instances that end only in one way.
pub(crate) const INTERRUPTION: Words =
    Words { words: &["terminate"], source: "Auto Scaling user guide, Request Spot Instances" };
pub(crate) const KEY_TYPES: Words =
    Words { words: &["ssh-rsa", "ssh-ed25519"], source: "EC2 API, ImportKeyPair" };

/// The tables, for tests that walk them.
#[cfg(test)]
pub(crate) const TEXTS: [&Text; 17] = [
    &ROLE_NAME,
    &POLICY_NAME,
    &PROFILE_NAME,
    &LAUNCH_TEMPLATE_NAME,
    &AUTOSCALING_GROUP_NAME,
    &SECURITY_GROUP_NAME,
    &KEY_PAIR_NAME,
    &LOAD_BALANCER_NAME,
    &TARGET_GROUP_NAME,
    &QUEUE_NAME,
    &EVENT_RULE_NAME,
    &LIFECYCLE_HOOK_NAME,
    &s3::BUCKET,
    &s3::KEY,
    &zone::ID,
    &tag::KEY,
    &tag::VALUE,
];
#[cfg(test)]
pub(crate) const NUMBERS: [&Number; 11] = [
    &USER_DATA,
    &GROUP_SIZE,
    &ON_DEMAND_PERCENTAGE,
    &SPOT_POOLS,
    &MIXED_TYPES,
    &HOP_LIMIT,
    &HEARTBEAT_TIMEOUT,
    &IDLE_TIMEOUT,
    &RANGE_PREFIX,
    &RANGE_PREFIX_IPV6,
    &tag::COUNT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_at_their_limits_and_refused_beyond() {
        for limit in TEXTS {
            let of = |length| "a".repeat(length);
            for length in [limit.least, limit.least + 1, limit.most - 1, limit.most] {
                assert_eq!(limit.refusal(&of(length)), None, "{} of {length}", limit.what);
            }
            let over = limit.refusal(&of(limit.most + 1)).unwrap();
            let wanted = format!(
                "has {} characters; AWS takes {} to {} in {} ({})",
                limit.most + 1,
                limit.least,
                limit.most,
                limit.what,
                limit.source
            );
            assert!(over.contains(&wanted), "{over}");
            if limit.least > 0 {
                assert!(limit.refusal(&of(limit.least - 1)).is_some(), "{}", limit.what);
            }
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(tag::VALUE.refusal(&"ü".repeat(256)), None);
        assert!(tag::VALUE.refusal(&"ü".repeat(257)).is_some());
    }

    #[test]
    fn numbers_are_taken_at_their_limits_and_refused_beyond() {
        for limit in NUMBERS {
            for number in [limit.least, limit.least + 1, limit.most - 1, limit.most] {
                assert_eq!(limit.refusal(number), None, "{number} {}", limit.what);
            }
            for number in [limit.least - 1, limit.most + 1, i64::MIN, i64::MAX] {
                let refusal = limit.refusal(number).unwrap();
                assert!(refusal.contains(&number.to_string()), "{refusal}");
                assert!(refusal.contains(limit.source), "{refusal}");
            }
        }
    }

    #[test]
    fn characters_are_those_that_aws_names() {
        for (limit, taken, refused) in [
            (&ROLE_NAME, "aZ0_+=,.@-", ":/ ä"),
            (&POLICY_NAME, "aZ0_+=,.@-", ":/ ä"),
            (&PROFILE_NAME, "aZ0_+=,.@-", ":/ ä"),
            (&LAUNCH_TEMPLATE_NAME, "aZ0().-/_", "+=,@: ä"),
            (&AUTOSCALING_GROUP_NAME, "aZ0!~+=,@/", ": ä\u{7f}"),
            (&SECURITY_GROUP_NAME, "aZ0 ._-:/()#,@[]+=&;{}!$*", "ä|%~"),
            (&KEY_PAIR_NAME, "aZ0 !~:", "ä\n"),
            (&LOAD_BALANCER_NAME, "aZ0-", "_. ä"),
            (&TARGET_GROUP_NAME, "aZ0-", "_. ä"),
            (&QUEUE_NAME, "aZ0-_", ". ä/"),
            (&EVENT_RULE_NAME, "aZ0-_.", " ä/"),
            (&LIFECYCLE_HOOK_NAME, "aZ0-_/", ". ä"),
        ] {
            for c in taken.chars() {
                assert_eq!(limit.refusal(&format!("abc{c}d")), None, "{c:?} in {}", limit.what);
            }
            for c in refused.chars() {
                let refusal = limit.refusal(&format!("abc{c}d"));
                assert!(refusal.is_some_and(|r| r.contains("holds")), "{c:?} in {}", limit.what);
            }
        }
        assert!(SECURITY_GROUP_NAME.refusal("sg-nodes").is_some());
        assert!(LOAD_BALANCER_NAME.refusal("internal-api").is_some());
    }
}
