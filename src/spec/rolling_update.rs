//! `rollingUpdate` of clusters and instance groups: how many instances at once (kops,
//! `docs/operations/rolling-update.md`).

use serde::Deserialize;
use serde_json::Value as Json;

use super::path::FieldPath;
use super::problem::Problem;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RollingUpdate {
    pub(crate) max_surge: Option<Json>,
    pub(crate) max_unavailable: Option<Json>,
    pub(crate) drain_and_terminate: Option<bool>,
}

/// A number of instances, or a part of the group's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Amount {
    Number(usize),
    Percent(usize),
}

impl Amount {
    /// # Errors
    /// What the field takes instead.
    pub(crate) fn parse(value: &Json) -> Result<Self, String> {
        let wrong = || format!("is {value}, but takes a number, or a percentage such as \"10%\"");
        if let Some(number) = value.as_u64() {
            return usize::try_from(number).map(Self::Number).map_err(|_| wrong());
        }
        let text = value.as_str().ok_or_else(wrong)?.trim();
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().map(Self::Percent).map_err(|_| wrong()),
            None => text.parse().map(Self::Number).map_err(|_| wrong()),
        }
    }

    /// Of so many instances, rounded up: `maxSurge`.
    pub(crate) fn rounded_up(self, instances: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => (instances * percent).div_ceil(100),
        }
    }

    /// Of so many instances, rounded down, though a percentage is never less than one:
    /// `maxUnavailable`.
    pub(crate) fn rounded_down(self, instances: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => (instances * percent / 100).max(1),
        }
    }
}

impl RollingUpdate {
    /// What is wrong with the field at `path`.
    pub(crate) fn problems(&self, path: &FieldPath) -> Vec<Problem> {
        let fields = [("maxSurge", &self.max_surge), ("maxUnavailable", &self.max_unavailable)];
        let wrong = fields.into_iter().filter_map(|(name, value)| {
            let reason = Amount::parse(value.as_ref()?).err()?;
            Some(Problem::new(&path.key(name), reason))
        });
        let mut problems: Vec<Problem> = wrong.collect();
        let number = |value: &Option<Json>| Amount::parse(value.as_ref()?).ok();
        let is_none =
            |amount: Option<Amount>| matches!(amount, Some(Amount::Number(0) | Amount::Percent(0)));
        if is_none(number(&self.max_surge))
            && number(&self.max_unavailable) == Some(Amount::Number(0))
        {
            let message = "cannot be 0 where maxSurge is 0: nothing could ever be replaced";
            problems.push(Problem::new(&path.key("maxUnavailable"), message));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn percentages_round_as_kops_documents() {
        let parse = |text: &str| Amount::parse(&json!(text)).unwrap();
        let rounded = |text: &str, of: usize| {
            let amount = parse(text);
            (amount.rounded_up(of), amount.rounded_down(of))
        };
        assert_eq!(rounded("10%", 25), (3, 2));
        assert_eq!(rounded("10%", 5), (1, 1));
        assert_eq!(rounded("100%", 7), (7, 7));
        assert_eq!(rounded("0%", 7), (0, 1));
        assert_eq!(rounded("3", 7), (3, 3));
        assert_eq!(Amount::parse(&json!(3)), Ok(Amount::Number(3)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for wrong in [json!(-1), json!("-1"), json!("10 %%"), json!(1.5), json!("many"), json!([])]
        {
            assert!(Amount::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
