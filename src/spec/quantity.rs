//! Quantities of Kubernetes (`100m`, `1.5Gi`, `2e3`; `resource.ParseQuantity`) and lengths of time
//! as Go writes them (`time.ParseDuration`).

use serde_json::Value as Json;

/// What a suffix multiplies by: a power of ten, and one of two.
const SUFFIXES: [(&str, i32, u32); 16] = [
    ("", 0, 0),
    ("n", -9, 0),
    ("u", -6, 0),
    ("m", -3, 0),
    ("k", 3, 0),
    ("M", 6, 0),
    ("G", 9, 0),
    ("T", 12, 0),
    ("P", 15, 0),
    ("E", 18, 0),
    ("Ki", 0, 10),
    ("Mi", 0, 20),
    ("Gi", 0, 30),
    ("Ti", 0, 40),
    ("Pi", 0, 50),
    ("Ei", 0, 60),
];

/// What a count of something comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Count {
    /// Rounded up.
    pub(crate) units: i64,
    pub(crate) is_whole: bool,
}

/// Whether Kubernetes reads the text as a quantity; it takes none for zero.
pub(super) fn is_one(text: &str) -> bool {
    text.is_empty() || parts(text).is_some()
}

/// Whether two quantities come to the same, however they are written.
pub(super) fn is_same(left: &str, right: &str) -> bool {
    // What is less than a millionth of a unit counts for nothing.
    let millionths = |text: &str| count(&Json::from(text), -6);
    millionths(left).is_some_and(|left| millionths(right) == Some(left))
}

/// Whether two lengths of time are the same to a second.
pub(super) fn is_same_time(left: &str, right: &str) -> bool {
    seconds(left).is_some_and(|left| seconds(right) == Some(left))
}

/// How many times `10^unit` a quantity is; `None` where it is none, or too large.
pub(crate) fn count(quantity: &Json, unit: i32) -> Option<Count> {
    let text = match quantity {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    let (number, ten, two) = parts(&text)?;
    let (number, ten) = (number.checked_mul(1_i128.checked_shl(two)?)?, ten.checked_sub(unit)?);
    let factor = 10_i128.checked_pow(ten.unsigned_abs())?;
    let (units, is_whole) = match ten >= 0 {
        true => (number.checked_mul(factor)?, true),
        false => {
            let is_whole = number % factor == 0;
            (number.div_euclid(factor) + i128::from(!is_whole), is_whole)
        }
    };
    Some(Count { units: i64::try_from(units).ok()?, is_whole })
}

/// A number without its decimal point, and the powers of ten and two to multiply it by.
fn parts(text: &str) -> Option<(i128, i32, u32)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    let known = SUFFIXES.iter().find(|(name, ..)| *name == suffix);
    let (ten, two) = match (known, suffix.strip_prefix(['e', 'E'])) {
        (Some((_, ten, two)), _) => (*ten, *two),
        (None, exponent) => (exponent?.parse().ok()?, 0),
    };
    Some((digits, ten.checked_sub(places)?, two))
}

/// The seconds of a length of time such as `48h20m`, without the rest of one; `None` where it is
/// none, or too long.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("\u{b5}s", 1e-6),
        ("\u{3bc}s", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        // The longer ones first: `ms` is not `m`.
        let (unit, after) =
            UNITS.iter().find_map(|(name, unit)| Some((unit, after.strip_prefix(name)?)))?;
        total += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    let total = sign * total;
    // Go keeps nanoseconds in 64 bits.
    const MOST: f64 = 9.2e9;
    (total.abs() < MOST && !text.is_empty()).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_counted_in_units_and_rounded_up() {
        for (quantity, unit, expected) in [
            (json!("4"), 0, Some((4, true))),
            (json!(16), 0, Some((16, true))),
            (json!("1500m"), 0, Some((2, false))),
            (json!("2G"), 6, Some((2000, true))),
            (json!("2Gi"), 6, Some((2148, false))),
            (json!("1.5G"), 6, Some((1500, true))),
            (json!("2e3"), 0, Some((2000, true))),
            (json!("1E"), 6, Some((1_000_000_000_000, true))),
            (json!("-1"), 0, Some((-1, true))),
            (json!("900Ei"), 0, None),
            (json!("lots"), 0, None),
            (json!(null), 0, None),
        ] {
            let found = count(&quantity, unit).map(|found| (found.units, found.is_whole));
            assert_eq!(found, expected, "{quantity}");
        }
    }

    #[test]
    fn lengths_of_time_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("24h", Some(86_400)),
            ("48h20m", Some(174_000)),
            ("1.5h", Some(5_400)),
            ("1500ms", Some(1)),
            ("-1m", Some(-60)),
            ("", None),
            ("5", None),
            ("1d", None),
            ("99999999h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
