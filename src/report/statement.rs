//! One statement of a policy in words: `Allow  s3:Get*  on arn:aws:s3:::state/*`.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

use super::style::{self, paint};
use crate::policy::document::{Scope, Statement, Values};
use crate::visible::text::visible;

const WIDTH: usize = 100;

/// The statement as lines that fit the page, the first behind `mark`, the others indented
/// below the first's text.
pub(crate) fn lines(statement: &Statement, mark: &str, mark_style: anstyle::Style) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(listed("", &statement.actions, "all actions but "));
    if let Some(principal) = &statement.principal {
        let all_but = if matches!(principal, Scope::AllBut(_)) { "all but " } else { "" };
        let kinds = principal.inner().iter().map(|(kind, values)| {
            let names: Vec<Cow<'_, str>> = values.iter().map(visible).collect();
            let kind = visible(kind);
            if kind == "*" { "everyone".to_owned() } else { format!("{kind} {}", names.join(", ")) }
        });
        let who = kinds.collect::<Vec<_>>().join(" and ");
        words.push(format!("  for {all_but}{who}"));
    }
    if let Some(resources) = &statement.resources {
        words.extend(listed("  on ", resources, "all but "));
    }
    for (operator, keys) in &statement.conditions {
        for (key, values) in keys {
            let values: Vec<Cow<'_, str>> = values.iter().map(visible).collect();
            let (operator, key) = (visible(operator), visible(key));
            words.push(format!("  if {operator} {key} = {}", values.join(" or ")));
        }
    }
    if let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) {
        words.push(format!("  ({})", visible(sid)));
    }
    let head = format!("{mark} {}  ", statement.effect);
    let indent = head.width();
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words {
        let is_full = indent + line.width() + 1 + word.trim_start().width() > WIDTH;
        if !line.is_empty() && is_full {
            lines.push(std::mem::take(&mut line));
        }
        match line.is_empty() {
            true => line.push_str(word.trim_start()),
            false => line.push_str(&word),
        }
    }
    lines.push(line);
    lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| match index {
            0 => format!("{}{line}", paint(mark_style, &head)),
            _ => format!("{}{line}", " ".repeat(indent)),
        })
        .collect()
}

/// The texts of an element, each a word that may begin a line.
fn listed(before: &str, scope: &Scope<Values>, all_but: &str) -> Vec<String> {
    let not = if matches!(scope, Scope::AllBut(_)) { all_but } else { "" };
    let texts: Vec<Cow<'_, str>> = scope.inner().iter().map(visible).collect();
    let count = texts.len();
    let comma = |index: usize| if index + 1 < count { "," } else { "" };
    texts
        .into_iter()
        .enumerate()
        .map(|(index, text)| match index {
            0 => format!("{before}{not}{text}{}", comma(0)),
            _ => format!(" {text}{}", comma(index)),
        })
        .collect()
}

/// The lines of what is gained and lost.
pub(crate) fn difference(
    difference: &crate::policy::difference::Difference,
    gained: &str,
    lost: &str,
) -> Vec<String> {
    let gains = difference.gained.iter().flat_map(|s| lines(s, gained, style::CREATE));
    let losses = difference.lost.iter().flat_map(|s| lines(s, lost, style::DELETE));
    gains.chain(losses).collect()
}
