//! What a scalar without quotes is to kops, which reads YAML 1.1 through go-yaml
//! (`sigs.k8s.io/yaml`, `goyaml.v2/resolve.go`): numbers of four bases, more words for true
//! and false than YAML 1.2 has, and a leading zero for an octal number.

/// What kops takes an unquoted scalar for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Flag(bool),
    Whole(i64),
    /// A number with a fraction, or too large for a whole one; also infinite or none.
    Number(f64),
    Text,
}

impl Plain {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                Self::Flag(true)
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off"
            | "OFF" => Self::Flag(false),
            ".nan" | ".NaN" | ".NAN" => Self::Number(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Self::Number(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Self::Number(f64::NEG_INFINITY),
            _ => number(text).unwrap_or(Self::Text),
        }
    }

    /// The value as kops prints it, for a message.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => format!("the number {number}"),
            Self::Number(number) if number.is_infinite() => "an infinite number".to_owned(),
            Self::Number(number) if number.is_nan() => "no number (NaN)".to_owned(),
            Self::Number(number) => format!("the number {number}"),
            Self::Text => "a text".to_owned(),
        }
    }

    /// The whole number that a field of whole numbers gets, if kops takes it there.
    pub(crate) fn as_whole(self) -> Option<i64> {
        // Beyond this a float does not tell each whole number from the next.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Whole(number) => Some(number),
            Self::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT => {
                Some(number as i64)
            }
            _ => None,
        }
    }
}

/// The decimal number that someone who knows nothing of octal ones would read, if it is not
/// the one that kops reads.
pub(crate) fn other_reading(text: &str) -> Option<i64> {
    let decimal: i64 = text.replace('_', "").parse().ok()?;
    (Plain::of(text).as_whole() != Some(decimal)).then_some(decimal)
}

fn number(text: &str) -> Option<Plain> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    let whole = whole(&digits).map(Plain::Whole);
    whole.or_else(|| is_float(&digits).then(|| digits.parse().ok().map(Plain::Number)).flatten())
}

/// Go's `strconv.ParseInt` with base 0.
fn whole(digits: &str) -> Option<i64> {
    let (sign, unsigned) = match digits.strip_prefix(['+', '-']) {
        Some(unsigned) => (&digits[..1], unsigned),
        None => ("", digits),
    };
    let (base, own) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    let only_digits = !own.is_empty() && own.bytes().all(|byte| byte.is_ascii_alphanumeric());
    only_digits.then(|| i64::from_str_radix(&format!("{sign}{own}"), base).ok()).flatten()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits =
        exponent.is_none_or(|power| is_digits(power.strip_prefix(['+', '-']).unwrap_or(power)));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(mantissa),
    };
    mantissa_fits && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kops 1.36.2 was seen to read them.
    #[test]
    fn scalars_are_read_as_kops_reads_them() {
        use Plain::*;
        for (text, read) in [
            ("50", Whole(50)),
            ("+50", Whole(50)),
            ("0", Whole(0)),
            ("0100", Whole(64)),
            ("-010", Whole(-8)),
            ("09", Number(9.0)),
            ("0x40", Whole(64)),
            ("-0x40", Whole(-64)),
            ("0b1000000", Whole(64)),
            ("0o100", Whole(64)),
            ("1_00", Whole(100)),
            ("0_100", Whole(64)),
            ("1e2", Number(100.0)),
            ("50.0", Number(50.0)),
            ("1.10", Number(1.1)),
            (".5", Number(0.5)),
            ("5.", Number(5.0)),
            ("1e3", Number(1000.0)),
            ("99999999999999999999", Number(1e20)),
            (".inf", Number(f64::INFINITY)),
            ("1:40", Text),
            ("2018-01-01", Text),
            ("1.10.3", Text),
            ("0x", Text),
            ("0xg", Text),
            ("0x-5", Text),
            ("1e", Text),
            ("-", Text),
            (".", Text),
            ("_1", Text),
            ("m5.large", Text),
            ("y", Flag(true)),
            ("n", Flag(false)),
            ("On", Flag(true)),
            ("off", Flag(false)),
            ("yES", Text),
            ("~", Null),
            ("nULL", Text),
        ] {
            assert_eq!(Plain::of(text), read, "{text}");
        }
    }

    #[test]
    fn two_readings_are_noticed() {
        for (text, other) in [
            ("0100", Some(100)),
            ("-010", Some(-10)),
            ("0_100", Some(100)),
            ("00", None),
            ("07", None),
            ("09", None),
            ("0x40", None),
            ("0o100", None),
            ("1_00", None),
            ("1e2", None),
        ] {
            assert_eq!(other_reading(text), other, "{text}");
        }
    }
}
