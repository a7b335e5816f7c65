//! The grammar of policies: actions, resources, conditions, characters.
//!
//! Sources: IAM user guide, "Grammar of the IAM JSON policy language", "Action", "Resource",
//! "Condition operators" and "Multivalued context keys"; IAM API, `policyDocumentType`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::arn::{self, Arn};

/// The values that a condition operator compares with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operand {
    Text,
    Number,
    Date,
    Flag,
    Binary,
    Address,
    Arn,
}

pub(crate) const EFFECTS: [&str; 2] = ["Allow", "Deny"];

#[rustfmt::skip]
pub(crate) const OPERATORS: [(&str, Operand); 27] = [
    ("StringEquals", Operand::Text),
    ("StringNotEquals", Operand::Text),
    ("StringEqualsIgnoreCase", Operand::Text),
    ("StringNotEqualsIgnoreCase", Operand::Text),
    ("StringLike", Operand::Text),
    ("StringNotLike", Operand::Text),
    ("NumericEquals", Operand::Number),
    ("NumericNotEquals", Operand::Number),
    ("NumericLessThan", Operand::Number),
    ("NumericLessThanEquals", Operand::Number),
    ("NumericGreaterThan", Operand::Number),
    ("NumericGreaterThanEquals", Operand::Number),
    ("DateEquals", Operand::Date),
    ("DateNotEquals", Operand::Date),
    ("DateLessThan", Operand::Date),
    ("DateLessThanEquals", Operand::Date),
    ("DateGreaterThan", Operand::Date),
    ("DateGreaterThanEquals", Operand::Date),
    ("Bool", Operand::Flag),
    ("BinaryEquals", Operand::Binary),
    ("IpAddress", Operand::Address),
    ("NotIpAddress", Operand::Address),
    ("ArnEquals", Operand::Arn),
    ("ArnLike", Operand::Arn),
    ("ArnNotEquals", Operand::Arn),
    ("ArnNotLike", Operand::Arn),
    ("Null", Operand::Flag),
];
/// What may stand before an operator, for keys with several values.
pub(crate) const SETS: [&str; 2] = ["ForAllValues:", "ForAnyValue:"];
/// What may stand behind each operator but `Null`.
pub(crate) const IF_EXISTS: &str = "IfExists";

/// An operator without what may stand before and behind it.
pub(crate) fn bare_operator(operator: &str) -> &str {
    let inner = SETS.iter().find_map(|set| operator.strip_prefix(set)).unwrap_or(operator);
    match inner.strip_suffix(IF_EXISTS) {
        Some(bare) if bare != "Null" => bare,
        _ => inner,
    }
}

pub(crate) fn operand(operator: &str) -> Option<Operand> {
    let bare = bare_operator(operator);
    OPERATORS.iter().find(|(name, _)| *name == bare).map(|(_, operand)| *operand)
}

/// The first character that IAM takes in no policy.
pub(crate) fn foreign_character(text: &str) -> Option<char> {
    text.chars().find(|c| *c > '\u{ff}')
}

/// Why IAM refuses an action, or `None` if it does not.
pub(crate) fn action_refusal(action: &str) -> Option<&'static str> {
    if action == "*" {
        return None;
    }
    let Some((service, name)) = action.split_once(':') else {
        return Some("the service is missing");
    };
    let is_service = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "*?".contains(c);
    if name.contains(':') {
        Some("it has more than one colon")
    } else if service.is_empty() {
        Some("nothing stands before the colon")
    } else if name.is_empty() {
        Some("nothing stands after the colon")
    } else if action != "*:*" && !service.chars().all(is_service) {
        Some("a service has letters, digits and hyphens only")
    } else if !name.chars().all(is_name) {
        Some("a name has letters, digits, * and ? only")
    } else {
        None
    }
}

/// Why IAM refuses a resource, or `None` if it does not. `partitions` are those that it may
/// lie in.
pub(crate) fn resource_refusal(resource: &str, partitions: &[&str]) -> Option<String> {
    if resource == "*" {
        return None;
    }
    let parts = arn::parts(resource);
    let ["arn", partition, ..] = parts[..] else {
        return Some("a resource is * or an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME".into());
    };
    // One that ends so stands for the parts that it lacks too.
    if parts.len() < 6 && !resource.ends_with('*') {
        return Some(format!(
            "it has {} parts, and an ARN has six: arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME",
            parts.len()
        ));
    }
    if !arn::is_open(partition) && !partitions.contains(&partition) {
        return Some(match partitions {
            [one] => format!("its partition is {partition:?}, and the cluster lies in {one}"),
            all => format!("{partition:?} is no partition; they are {}", all.join(", ")),
        });
    }
    let service = parts.get(2).copied().unwrap_or("*");
    let is_service = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if service.is_empty() || !arn::is_open(service) && !service.chars().all(is_service) {
        return Some(format!("its service is {service:?}; write one such as s3"));
    }
    None
}

/// What is strange about a resource that IAM may take.
pub(crate) fn resource_doubt(resource: &str) -> Option<&'static str> {
    let parts = arn::parts(resource);
    let [_, _, service, region, account, name] = parts[..] else { return None };
    if arn::is_open(service) {
        return Some("IAM knows no wildcards in the service of an ARN");
    }
    let is_word = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !arn::is_open(region) && !is_word(region) {
        return Some("no region has such a name");
    }
    if !arn::is_open(account) && !is_word(account) {
        return Some("no account has such a number");
    }
    name.is_empty().then_some("nothing stands in its last part, so that it matches nothing")
}

/// Why a value is none that an operator compares with, or `None` if it is. Of these IAM
/// certainly refuses dates only.
pub(crate) fn value_doubt(operand: Operand, value: &str) -> Option<&'static str> {
    if value.contains("${") {
        return None;
    }
    let (is_right, wanted) = match operand {
        Operand::Text | Operand::Binary => return None,
        Operand::Number => {
            let number = value.parse::<f64>();
            (number.is_ok_and(f64::is_finite), "a number is expected, such as 10")
        }
        Operand::Date => {
            (is_date(value), "a date is expected, such as 2018-01-01 or 2018-01-01T00:00:00Z")
        }
        Operand::Flag => (
            ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)),
            "true or false is expected",
        ),
        Operand::Address => (
            value.parse::<IpAddr>().is_ok() || value.parse::<IpNet>().is_ok(),
            "an address or a range is expected, such as 203.0.113.0/24",
        ),
        Operand::Arn => {
            let is_arn = arn::is_open(value) || Arn::parse(value).is_ok();
            (is_arn, "an ARN is expected")
        }
    };
    (!is_right).then_some(wanted)
}

/// A date as W3C writes it (<https://www.w3.org/TR/NOTE-datetime>), whole or its beginning, or
/// seconds since 1970.
fn is_date(text: &str) -> bool {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<i64>().is_ok();
    }
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.strip_prefix('-').unwrap_or(date).split('-');
    let year = parts.next().filter(|year| number(year, 0, 292_278_993));
    let month = parts.next();
    let days = match (month.and_then(|month| month.parse::<i64>().ok()), year) {
        (Some(2), Some(year)) => {
            if is_leap(year) {
                29
            } else {
                28
            }
        }
        (Some(4 | 6 | 9 | 11), _) => 30,
        _ => 31,
    };
    let month = month.is_none_or(|month| number(month, 1, 12));
    let day = parts.next().is_none_or(|day| number(day, 1, days));
    year.is_some() && month && day && parts.next().is_none() && time.is_none_or(is_time)
}

fn is_leap(year: &str) -> bool {
    let is_multiple = |of| year.parse::<i64>().is_ok_and(|year| year % of == 0);
    is_multiple(4) && !is_multiple(100) || is_multiple(400)
}

/// `12:30`, `12:30:45`, `12:30:45.5`, with `Z` or a difference such as `+01:00` behind it.
fn is_time(text: &str) -> bool {
    let (clock, zone) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, "Z"),
    };
    let mut parts = clock.split(':');
    let hours = parts.next().is_some_and(|hours| number(hours, 0, 23));
    let minutes = parts.next().is_none_or(|minutes| number(minutes, 0, 59));
    let seconds = parts.next().is_none_or(|seconds| match seconds.split_once('.') {
        Some((whole, rest)) => number(whole, 0, 59) && number(rest, 0, 999_999_999),
        None => number(seconds, 0, 59),
    });
    let difference = zone.eq_ignore_ascii_case("z") || {
        let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "00"));
        number(hours, 0, 23) && number(minutes, 0, 59)
    };
    hours && minutes && seconds && parts.next().is_none() && difference
}

fn number(text: &str, least: i64, most: i64) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits && text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_name_a_service() {
        for action in ["*", "s3:*", "s3:Get?bject*", "execute-api:Invoke", "*:*", "apigateway:GET"]
        {
            assert_eq!(action_refusal(action), None, "{action}");
        }
        for action in [
            "", "s3", "s3:", ":GetObject", ":", "s3:Get Object", "s3 :GetObject", " s3:GetObject",
            "s3:a:b", "s3::GetObject", "s3*:GetObject", "*:GetObject", "*:Get*", "s3:Get/Object",
            "s3:GetObject\t", "s3:日本",
        ] {
            assert!(action_refusal(action).is_some(), "{action}");
        }
    }

    #[test]
    fn resources_are_arns_of_the_cluster_s_partition() {
        for resource in [
            "*", "arn:aws:s3:::b/*", "arn:aws:s3:::${aws:username}/*", "arn:*:s3:::b",
            "arn:aws:ec2:*:123456789012:volume/*", "arn:aws:logs:us-west-2:1:log-group:a:*",
            "arn:aws:sns:${aws:RequestedRegion}:1:t", "arn:aws:dynamodb:*",
            "arn:aws:ec2:us west-2:1:volume/*",
        ] {
            assert_eq!(resource_refusal(resource, &["aws"]), None, "{resource}");
        }
        for (resource, why) in [
            ("my-bucket", "* or an ARN"),
            ("", "* or an ARN"),
            ("**", "* or an ARN"),
            ("ARN:aws:s3:::b", "* or an ARN"),
            ("arn:aws:s3", "has 3 parts"),
            ("arn:aws:s3::b", "has 5 parts"),
            ("arn:aws-foo:s3:::b", "\"aws-foo\""),
            ("arn:aws-cn:s3:::b", "the cluster lies in aws"),
            ("arn::s3:::b", "its partition is \"\""),
            ("arn:aws::::b", "its service is \"\""),
            ("arn:aws:s 3:::b", "its service is \"s 3\""),
        ] {
            let refusal = resource_refusal(resource, &["aws"]).unwrap_or_default();
            assert!(refusal.contains(why), "{resource}: {refusal}");
        }
        let all = ["aws", "aws-cn"];
        assert_eq!(resource_refusal("arn:aws-cn:s3:::b", &all), None);
        assert!(resource_refusal("arn:aws-foo:s3:::b", &all).unwrap().contains("aws, aws-cn"));
    }

    #[test]
    fn strange_resources_are_doubted() {
        for resource in [
            "arn:aws:ec2:us west-2:1:volume/*", "arn:aws:*:::b", "arn:aws:s3:::",
            "arn:aws:ec2:us-west-2:1 2:volume/*",
        ] {
            assert!(resource_doubt(resource).is_some(), "{resource}");
        }
        for resource in ["*", "arn:aws:s3:::b/日", "arn:aws:ec2:*:*:volume/*"] {
            assert_eq!(resource_doubt(resource), None, "{resource}");
        }
    }

    #[test]
    fn every_operator_is_known_with_what_may_stand_around_it() {
        for (name, kind) in OPERATORS {
            assert_eq!(operand(name), Some(kind), "{name}");
            for set in SETS {
                assert_eq!(operand(&format!("{set}{name}")), Some(kind), "{set}{name}");
            }
            let if_exists = operand(&format!("{name}IfExists"));
            assert_eq!(if_exists.is_some(), name != "Null", "{name}");
        }
        for name in ["StringEqual", "stringEquals", "ForSomeValue:StringEquals", "IfExists", ""] {
            assert_eq!(operand(name), None, "{name}");
        }
    }

    #[test]
    fn values_are_of_the_operator_s_kind() {
        for (operand, right, wrong) in [
            (Operand::Number, &["0", "-1", "1.5", "10"][..], &["many", "", "1,5", "inf"][..]),
            (Operand::Flag, &["true", "False"], &["maybe", "", "1"]),
            (
                Operand::Address,
                &["203.0.113.0/24", "203.0.113.7", "2001:db8::/32"],
                &["300.1.1.1/99", "", "203.0.113.0/33"],
            ),
            (Operand::Arn, &["arn:aws:s3:::b", "arn:aws:*", "*"], &["b", "", "arn:aws:s3"]),
            (
                Operand::Date,
                &[
                    "2018", "2018-01", "2018-01-01", "2016-02-29", "2018-01-01T00:00:00Z",
                    "2018-01-01T00:00Z", "2018-01-01T00:00:00.5+01:00", "2018-01-01t00:00:00z",
                    "1514764800", "2018-01-01T00:00:00-08:00",
                ],
                &[
                    "tomorrow", "", "2018-13-01", "2018-01-32", "2018-02-29", "2018-06-31",
                    "01.01.2018", "2018-01-01T25:00:00Z", "2018-01-01 00:00:00", "2018-01-01-01",
                    "99999999999999999999",
                ],
            ),
            (Operand::Text, &["", "anything"], &[]),
        ] {
            for value in right.iter().chain(&["${aws:username}"]) {
                assert_eq!(value_doubt(operand, value), None, "{operand:?} {value}");
            }
            for value in wrong {
                assert!(value_doubt(operand, value).is_some(), "{operand:?} {value}");
            }
        }
    }

    #[test]
    fn characters_beyond_latin_are_found() {
        assert_eq!(foreign_character("arn:aws:s3:::ÿ\u{80}\t"), None);
        assert_eq!(foreign_character("a日"), Some('日'));
        assert_eq!(foreign_character("\u{100}"), Some('\u{100}'));
    }
}
