//! Reads policy documents and lists of statements, with the place of each fault.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::policy::{self, Operand};
use crate::limits::shorten;
use crate::policy::document::{Conditions, Document, Effect, Principals, Scope, Statement, Values};
use crate::spec::spelling::nearest;

/// A fault in the text of a policy. Line and column count from 1, inside that text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column} of the text: {message}")]
pub(crate) struct PolicyError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

/// Whether statements say who they are for: trust policies must, policies of a role must
/// not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PrincipalRule {
    Expected,
    Refused,
}

/// How strictly actions, resources and conditions are read.
#[derive(Clone, Copy, Debug)]
enum Grammar<'a> {
    /// What AWS gives back it has taken.
    Loose,
    /// As AWS reads what is written to it; resources lie in one of these partitions.
    Strict(&'a [&'a str]),
}

/// Reads a whole document, such as AWS gives back.
pub(crate) fn document(text: &str, principal: PrincipalRule) -> Result<Document, PolicyError> {
    let reader = Reader { text, principal, grammar: Grammar::Loose };
    let raw: &RawValue = reader.json(text)?;
    let mut faults = Vec::new();
    let mut document = Document { version: None, id: None, statements: Vec::new() };
    for (key, value) in reader.entries(raw, "a policy document")? {
        match key.as_ref() {
            "Version" => document.version = Some(reader.text_of(value, "Version")?),
            "Id" => document.id = Some(reader.text_of(value, "Id")?),
            "Statement" => document.statements = reader.statements(value, &mut faults)?,
            other => return Err(reader.unknown(value, other, &["Version", "Id", "Statement"])),
        }
    }
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(document),
    }
}

/// Reads the JSON list of statements that a user gives a role, and reports every statement
/// that AWS would refuse. Their resources may lie in these partitions.
pub(crate) fn statements(
    text: &str,
    partitions: &[&str],
) -> Result<Vec<Statement>, Vec<PolicyError>> {
    let grammar = Grammar::Strict(partitions);
    let reader = Reader { text, principal: PrincipalRule::Refused, grammar };
    let raw: &RawValue = reader.json(text).map_err(|fault| vec![fault])?;
    if !raw.get().starts_with('[') {
        let message = "a list of statements is expected: [ {\"Effect\": …}, … ]";
        return Err(vec![reader.fault(raw, message)]);
    }
    let mut faults = Vec::new();
    match reader.statements(raw, &mut faults) {
        Ok(statements) if faults.is_empty() => Ok(statements),
        Ok(_) => Err(faults),
        Err(fault) => Err(vec![fault]),
    }
}

const ELEMENTS: [&str; 9] = [
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
];

struct Reader<'a> {
    text: &'a str,
    principal: PrincipalRule,
    grammar: Grammar<'a>,
}

/// A JSON object's members in order, duplicates included.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = Entries<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

impl<'a> Reader<'a> {
    fn json<T: Deserialize<'a>>(&self, text: &'a str) -> Result<T, PolicyError> {
        serde_json::from_str(text).map_err(|error| {
            let whole = error.to_string();
            let message = whole.split(" at line ").next().unwrap_or(&whole);
            PolicyError {
                line: error.line().max(1),
                column: error.column().max(1),
                message: format!("this is not JSON: {message}"),
            }
        })
    }

    /// A fault at a value of the text.
    fn fault(&self, at: &RawValue, message: impl Into<String>) -> PolicyError {
        self.fault_within(at, 0, message)
    }

    /// A fault so many bytes behind the beginning of a value.
    fn fault_within(&self, at: &RawValue, skip: usize, message: impl Into<String>) -> PolicyError {
        let begin = (at.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let offset = begin + skip;
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        PolicyError { line, column, message: message.into() }
    }

    fn unknown(&self, at: &RawValue, name: &str, known: &[&str]) -> PolicyError {
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => format!("{name:?} is no element of a policy; did you mean {near}?"),
            None => format!("{name:?} is no element of a policy; they are {}", known.join(", ")),
        };
        self.fault(at, message)
    }

    fn entries(
        &self,
        raw: &'a RawValue,
        what: &str,
    ) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, PolicyError> {
        let Ok(Entries(entries)) = serde_json::from_str(raw.get()) else {
            return Err(self.fault(raw, format!("{what} must be an object: {{ … }}")));
        };
        for (index, (key, value)) in entries.iter().enumerate() {
            if entries[..index].iter().any(|(other, _)| other == key) {
                return Err(self.fault(value, format!("{key} is given twice")));
            }
        }
        Ok(entries)
    }

    fn statements(
        &self,
        raw: &'a RawValue,
        faults: &mut Vec<PolicyError>,
    ) -> Result<Vec<Statement>, PolicyError> {
        let items: Vec<&RawValue> = match raw.get().starts_with('[') {
            true => self.items(raw)?,
            false => vec![raw],
        };
        let mut statements: Vec<Statement> = Vec::new();
        for item in items {
            match self.statement(item) {
                Ok(statement) => {
                    let sid = statement.sid.as_deref().filter(|sid| !sid.is_empty());
                    if let Some(sid) = sid
                        && statements.iter().any(|other| other.sid.as_deref() == Some(sid))
                    {
                        faults.push(self.fault(item, format!("the Sid {sid:?} is used twice")));
                    }
                    statements.push(statement);
                }
                Err(fault) => faults.push(fault),
            }
        }
        Ok(statements)
    }

    fn items(&self, raw: &'a RawValue) -> Result<Vec<&'a RawValue>, PolicyError> {
        serde_json::from_str(raw.get()).map_err(|_| self.fault(raw, "a list is expected"))
    }

    fn statement(&self, raw: &'a RawValue) -> Result<Statement, PolicyError> {
        let mut sid = None;
        let mut effect = None;
        let mut principal = None;
        let mut actions = None;
        let mut resources = None;
        let mut conditions = Conditions::new();
        let twice = |raw, name: &str| {
            Err(self.fault(raw, format!("a statement has {name} or Not{name}, not both")))
        };
        for (key, value) in self.entries(raw, "a statement")? {
            match key.as_ref() {
                "Sid" => sid = Some(self.sid(value)?),
                "Effect" => effect = Some(self.effect(value)?),
                "Principal" | "NotPrincipal" if self.principal == PrincipalRule::Refused => {
                    let message = format!(
                        "{key} is not allowed here: the policy of a role is for that role; \
                         remove it"
                    );
                    return Err(self.fault(value, message));
                }
                "Action" | "NotAction" if actions.is_some() => return twice(value, "Action"),
                "Resource" | "NotResource" if resources.is_some() => {
                    return twice(value, "Resource");
                }
                "Principal" => principal = Some(Scope::Only(self.principals(value)?)),
                "NotPrincipal" => principal = Some(Scope::AllBut(self.principals(value)?)),
                "Action" => actions = Some(Scope::Only(self.actions(value, "Action")?)),
                "NotAction" => actions = Some(Scope::AllBut(self.actions(value, "NotAction")?)),
                "Resource" => resources = Some(Scope::Only(self.resources(value, "Resource")?)),
                "NotResource" => {
                    resources = Some(Scope::AllBut(self.resources(value, "NotResource")?));
                }
                "Condition" => conditions = self.conditions(value)?,
                other => return Err(self.unknown(value, other, &ELEMENTS)),
            }
        }
        self.check_characters(raw)?;
        let missing = |name: &str| self.fault(raw, format!("this statement has no {name}"));
        if self.principal == PrincipalRule::Refused && resources.is_none() && actions.is_some() {
            return Err(missing("Resource (nor NotResource)"));
        }
        Ok(Statement {
            sid,
            effect: effect.ok_or_else(|| missing("Effect: \"Allow\" or \"Deny\""))?,
            principal,
            actions: actions.ok_or_else(|| missing("Action (nor NotAction)"))?,
            resources,
            conditions,
        })
    }

    fn text_of(&self, raw: &'a RawValue, name: &str) -> Result<String, PolicyError> {
        serde_json::from_str(raw.get()).map_err(|_| self.fault(raw, format!("{name} takes a text")))
    }

    /// IAM takes letters and digits only in the Sid of a role's policy.
    fn sid(&self, raw: &'a RawValue) -> Result<String, PolicyError> {
        let sid = self.text_of(raw, "Sid")?;
        match sid.chars().all(|c| c.is_ascii_alphanumeric()) {
            true => Ok(sid),
            false => Err(self.fault(raw, "a Sid has letters and digits only")),
        }
    }

    fn effect(&self, raw: &'a RawValue) -> Result<Effect, PolicyError> {
        let text = self.text_of(raw, "Effect")?;
        match text.as_str() {
            "Allow" => Ok(Effect::Allow),
            "Deny" => Ok(Effect::Deny),
            found => {
                let hint = did_you_mean(found, policy::EFFECTS);
                let message =
                    format!("Effect is {}, and takes Allow or Deny{hint}", shorten(found));
                Err(self.fault(raw, message))
            }
        }
    }

    fn actions(&self, raw: &'a RawValue, name: &str) -> Result<Values, PolicyError> {
        let values = self.filled(raw, name)?;
        if let Grammar::Loose = self.grammar {
            return Ok(values);
        }
        self.refuse_first(raw, &values, |action| {
            let reason = policy::action_refusal(action)?;
            Some(format!(
                "{} is no action, such as dynamodb:GetItem, or * for all: {reason}",
                shorten(action)
            ))
        })?;
        Ok(values)
    }

    fn resources(&self, raw: &'a RawValue, name: &str) -> Result<Values, PolicyError> {
        let values = self.filled(raw, name)?;
        let Grammar::Strict(partitions) = self.grammar else { return Ok(values) };
        self.refuse_first(raw, &values, |resource| {
            let reason = policy::resource_refusal(resource, partitions)?;
            Some(format!("{} is no resource: {reason}", shorten(resource)))
        })?;
        Ok(values)
    }

    /// A fault for the first value that is refused.
    fn refuse_first(
        &self,
        raw: &RawValue,
        values: &Values,
        refusal: impl Fn(&str) -> Option<String>,
    ) -> Result<(), PolicyError> {
        match values.iter().find_map(refusal) {
            Some(message) => Err(self.fault(raw, message)),
            None => Ok(()),
        }
    }

    fn check_characters(&self, raw: &'a RawValue) -> Result<(), PolicyError> {
        if let Grammar::Loose = self.grammar {
            return Ok(());
        }
        // Escapes (\u65e5) say the same.
        let json: Result<serde_json::Value, _> = serde_json::from_str(raw.get());
        let said = json.map(|json| json.to_string()).unwrap_or_default();
        let Some(c) = policy::foreign_character(&said) else { return Ok(()) };
        let message = format!(
            "IAM takes no {c:?} in a policy: its characters end at U+00FF (IAM API, \
             policyDocumentType)"
        );
        Err(self.fault_within(raw, raw.get().find(c).unwrap_or_default(), message))
    }

    fn filled(&self, raw: &'a RawValue, name: &str) -> Result<Values, PolicyError> {
        let values = self.values(raw, name)?;
        let is_filled = values.iter().next().is_some() && values.iter().all(|v| !v.is_empty());
        if is_filled { Ok(values) } else { Err(self.fault(raw, format!("{name} is empty"))) }
    }

    fn values(&self, raw: &'a RawValue, name: &str) -> Result<Values, PolicyError> {
        let scalar = |raw: &'a RawValue| match serde_json::from_str(raw.get()) {
            Ok(serde_json::Value::String(text)) => Ok(text),
            // IAM takes flags and numbers as the values of conditions, and gives back texts.
            Ok(value @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)))
                if name == "Condition" =>
            {
                Ok(value.to_string())
            }
            _ => Err(self.fault(raw, format!("{name} takes a text or a list of texts"))),
        };
        match raw.get().starts_with('[') {
            true => {
                let items = self.items(raw)?.into_iter().map(scalar);
                Ok(Values::Many(items.collect::<Result<_, _>>()?))
            }
            false => Ok(Values::One(scalar(raw)?)),
        }
    }

    fn principals(&self, raw: &'a RawValue) -> Result<Principals, PolicyError> {
        if raw.get() == "\"*\"" {
            return Ok(BTreeMap::from([("*".to_owned(), Values::Many(Vec::new()))]));
        }
        let entries = self.entries(raw, "Principal")?.into_iter();
        entries
            .map(|(kind, value)| Ok((kind.into_owned(), self.filled(value, "Principal")?)))
            .collect()
    }

    fn conditions(&self, raw: &'a RawValue) -> Result<Conditions, PolicyError> {
        let mut conditions = Conditions::new();
        for (operator, raw_keys) in self.entries(raw, "Condition")? {
            let operand = self.operand(raw_keys, &operator)?;
            let keys = self.entries(raw_keys, "what a condition operator takes")?.into_iter();
            let keys = keys.map(|(key, raw)| {
                let values = self.values(raw, "Condition")?;
                self.check_dates(raw, operand, &key, &values)?;
                Ok((key.into_owned(), values))
            });
            conditions.insert(operator.into_owned(), keys.collect::<Result<_, _>>()?);
        }
        Ok(conditions)
    }

    /// What an operator compares with, where that is known.
    fn operand(&self, raw: &RawValue, operator: &str) -> Result<Option<Operand>, PolicyError> {
        match (policy::operand(operator), self.grammar) {
            (None, Grammar::Strict(_)) => {
                let bare = policy::bare_operator(operator);
                let known = policy::OPERATORS.iter().map(|(name, _)| *name);
                let hint = did_you_mean(bare, known);
                let message =
                    format!("{} is no condition operator of IAM{hint}", shorten(operator));
                Err(self.fault(raw, message))
            }
            (operand, _) => Ok(operand),
        }
    }

    /// Dates are what IAM reads while it takes a policy; other values are [doubted] only.
    ///
    /// [doubted]: crate::policy::additional::doubts
    fn check_dates(
        &self,
        raw: &RawValue,
        operand: Option<Operand>,
        key: &str,
        values: &Values,
    ) -> Result<(), PolicyError> {
        let (Grammar::Strict(_), Some(Operand::Date)) = (self.grammar, operand) else {
            return Ok(());
        };
        self.refuse_first(raw, values, |value| {
            let reason = policy::value_doubt(Operand::Date, value)?;
            Some(format!("{key} is {}; {reason}", shorten(value)))
        })
    }
}

/// A hint at the word that was likely meant, to be put behind what was found.
fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(found, known).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = statements(text, &["aws"]).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_element_of_iam_survives() {
        let text = r#"[
          {"Sid": "One", "Effect": "Deny", "NotAction": "s3:*",
           "NotResource": ["arn:aws:s3:::a", "arn:aws:s3:::b"],
           "Condition": {"Bool": {"aws:SecureTransport": "true"}, "NumericLessThan": {"k": ["1"]}}},
          {"Effect": "Allow", "Action": ["es:*"], "Resource": "*"}
        ]"#;
        let read = statements(text, &["aws"]).unwrap();
        let again: serde_json::Value = read.iter().map(Statement::to_json).collect();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap());
    }

    #[test]
    fn faults_are_told_with_their_place() {
        for (text, fault) in [
            ("[", "line 1, column 1 of the text: this is not JSON: EOF while parsing a list"),
            (
                "{}",
                "line 1, column 1 of the text: a list of statements is expected: [ {\"Effect\": …}, … ]",
            ),
            (
                "[\n  {\"Action\": \"s3:*\", \"Resource\": \"*\"}\n]",
                "line 2, column 3 of the text: this statement has no Effect: \"Allow\" or \"Deny\"",
            ),
            (
                "[{\"Effect\": \"Allow\", \"Resource\": \"*\"}]",
                "line 1, column 2 of the text: this statement has no Action (nor NotAction)",
            ),
            (
                "[{\"Effect\": \"Allow\", \"Action\": \"s3:*\"}]",
                "line 1, column 2 of the text: this statement has no Resource (nor NotResource)",
            ),
            (
                "[{\"Effect\": \"Allow\",\n  \"Actoin\": \"s3:*\", \"Resource\": \"*\"}]",
                "line 2, column 13 of the text: \"Actoin\" is no element of a policy; did you mean Action?",
            ),
            (
                "[{\"Effect\": \"allow\"}]",
                "line 1, column 13 of the text: Effect is \"allow\", and takes Allow or Deny; did you mean \"Allow\"?",
            ),
            (
                "[{\"Effect\": \"Alow\"}]",
                "line 1, column 13 of the text: Effect is \"Alow\", and takes Allow or Deny; did you mean \"Allow\"?",
            ),
            (
                "[{\"Effect\": \"Maybe\"}]",
                "line 1, column 13 of the text: Effect is \"Maybe\", and takes Allow or Deny",
            ),
            (
                "[{\"Principal\": \"*\"}]",
                "line 1, column 16 of the text: Principal is not allowed here: the policy of a role is for that role; remove it",
            ),
            (
                "[{\"Effect\":\"Allow\",\"Action\":\"everything\",\"Resource\":\"*\"}]",
                "line 1, column 29 of the text: \"everything\" is no action, such as dynamodb:GetItem, or * for all: the service is missing",
            ),
            (
                "[{\"Effect\":\"Allow\",\"Action\":[\"s3:*\",\"s3:a:b\"],\"Resource\":\"*\"}]",
                "line 1, column 29 of the text: \"s3:a:b\" is no action, such as dynamodb:GetItem, or * for all: it has more than one colon",
            ),
            (
                "[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws-cn:s3:::b\"}]",
                "line 1, column 47 of the text: \"arn:aws-cn:s3:::b\" is no resource: its partition is \"aws-cn\", and the cluster lies in aws",
            ),
            (
                "[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\n\"Resource\":\"arn:aws:s3:::a日\"}]",
                "line 2, column 27 of the text: IAM takes no '日' in a policy: its characters end at U+00FF (IAM API, policyDocumentType)",
            ),
            (
                "[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\",\"Sid\":\"\",\"Condition\":{\"ForAnyValue:StringEqual\":{\"k\":\"v\"}}}]",
                "line 1, column 99 of the text: \"ForAnyValue:StringEqual\" is no condition operator of IAM; did you mean \"StringEquals\"?",
            ),
            (
                "[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\",\"Condition\":{\"DateLessThan\":{\"aws:CurrentTime\":[\"tomorrow\"]}}}]",
                "line 1, column 98 of the text: aws:CurrentTime is \"tomorrow\"; a date is expected, such as 2018-01-01 or 2018-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(faults(text), [fault], "{text}");
        }
    }

    #[test]
    fn what_aws_gives_back_is_read_whatever_it_is() {
        let text = r#"{"Statement": [{"Effect": "Allow", "Action": "new thing", "Resource": "日",
            "Condition": {"NewOperator": {"k": "v"}, "DateEquals": {"k": "soon"}}}]}"#;
        assert!(document(text, PrincipalRule::Refused).is_ok());
    }

    #[test]
    fn every_wrong_statement_is_told() {
        let text = "[{\"Effect\": \"No\"}, 3, {\"Effect\": \"Allow\", \"Effect\": \"Deny\"}]";
        assert_eq!(faults(text).len(), 3);
    }
}
