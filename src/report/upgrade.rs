//! What roles gain and lose by moving to the documents of another generation.

use serde::Serialize;

use super::machine::{API_VERSION, ReportedGeneration};
use super::{statement, style};
use crate::policy::difference::{self, Difference, permissions};
use crate::policy::document::Statement;
use crate::policy::generation::{Chosen, Generation};
use crate::visible::text::visible;

/// What becomes of one role.
#[derive(Debug, Serialize)]
pub(crate) struct Moved {
    name: String,
    gained: Vec<Statement>,
    lost: Vec<Statement>,
    /// How many permissions stay.
    kept: usize,
}

impl Moved {
    pub(crate) fn new(name: String, before: &[Statement], after: &[Statement]) -> Self {
        let Difference { gained, lost } = difference::between(before, after);
        let all = difference::between(&[], after).gained;
        Self { name, kept: permissions(&all) - permissions(&gained), gained, lost }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    cluster: &'a str,
    from: ReportedGeneration,
    to: Generation,
    roles: &'a [Moved],
}

/// For machines; `docs/json-output.md` describes it.
pub(crate) fn report<'a>(
    cluster: &'a str,
    from: &Chosen,
    to: Generation,
    roles: &'a [Moved],
) -> Report<'a> {
    let from = ReportedGeneration::of(from);
    Report { api_version: API_VERSION, kind: "IamUpgrade", cluster, from, to, roles }
}

pub(crate) fn text(cluster: &str, from: &Chosen, to: Generation, roles: &[Moved]) -> String {
    let why = from.why.to_string();
    let mut lines = vec![format!(
        "{} · IAM from kops {} ({}) to kops {to}",
        style::paint(style::STRONG, cluster),
        from.generation,
        visible(&why)
    )];
    for role in roles {
        lines.push(format!(
            "\n{}: gains {}, loses {}, keeps {}",
            style::paint(style::STRONG, &role.name),
            permissions(&role.gained),
            permissions(&role.lost),
            role.kept
        ));
        let gained = role.gained.iter().flat_map(|s| statement::lines(s, "+", style::CREATE));
        let lost = role.lost.iter().flat_map(|s| statement::lines(s, "-", style::DELETE));
        lines.extend(gained.chain(lost).map(|line| format!("  {line}")));
    }
    lines.join("\n") + "\n"
}
