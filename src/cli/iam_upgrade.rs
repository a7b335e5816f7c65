//! `iam upgrade`: what moving a cluster to the documents of another kops gives and takes.

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use super::iam_show::{self, Specs};
use super::output::{self, ReportFormat};
use super::set;
use super::settings::Global;
use super::ui::Ui;
use crate::desired::{self, Input};
use crate::policy::difference::{self, Difference};
use crate::policy::document::Statement;
use crate::policy::generation::{ANNOTATION, Chosen, Generation, Reason};
use crate::report::machine::{API_VERSION, ReportedGeneration};
use crate::report::{statement, style};
use crate::spec::instance_group::InstanceGroup;
use crate::spec::patch::Edit;
use crate::spec::path::FieldPath;
use crate::visible::text::visible;

/// Show what each role gains and loses with the policies of another kops, and move there
///
/// Without --yes nothing is changed. With it the cluster gets the annotation
/// kapstan.io/iam-generation, and the next update cluster writes the policies. AWS is not asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kapstan iam upgrade dev.example.com --to 1.36
  kapstan iam upgrade dev.example.com --to 1.36 --yes")]
pub(crate) struct IamUpgradeArgs {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// The kops whose policies the cluster is to have, 1.10 or 1.36
    #[arg(long, value_name = "GENERATION")]
    to: Generation,
    /// Write the annotation
    #[arg(short, long)]
    yes: bool,
    /// The form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    output: ReportFormat,
}

/// What becomes of one role.
#[derive(Debug, Serialize)]
struct Moved {
    name: String,
    gained: Vec<Statement>,
    lost: Vec<Statement>,
    /// How many permissions stay: pairs of an action and a resource.
    kept: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    cluster: &'a str,
    from: ReportedGeneration,
    to: Generation,
    roles: &'a [Moved],
}

pub(crate) async fn run(ui: &Ui, global: &Global, args: &IamUpgradeArgs) -> anyhow::Result<()> {
    let specs = iam_show::from_store(ui, global, args.cluster.as_deref()).await?;
    let groups: Vec<&InstanceGroup> = specs.groups.iter().collect();
    let input = specs.input(&groups);
    let from = iam_show::chosen(&specs.cluster, input, None)?;
    let roles = moved(&specs, input, from.generation, args.to)?;
    let name = specs.cluster.name();
    match args.output {
        ReportFormat::Text => ui.out(&text(name, &from, args.to, &roles))?,
        format => {
            let report = Report {
                api_version: API_VERSION,
                kind: "IamUpgrade",
                cluster: name,
                from: ReportedGeneration::of(&from),
                to: args.to,
                roles: &roles,
            };
            output::machine(ui, &report, format)?;
        }
    }
    if from.generation == args.to {
        ui.status("nothing to do");
        return Ok(());
    }
    ensure!(
        !args.yes || from.why != Reason::Legacy,
        "{name} has spec.iam.legacy, which is of kops 1.10 alone; nothing was changed. Remove it \
         first: kapstan unset cluster {name} spec.iam.legacy"
    );
    if !args.yes {
        ui.status(&format!(
            "nothing was changed; to move: kapstan iam upgrade {name} --to {} --yes",
            args.to
        ));
        return Ok(());
    }
    let path = FieldPath::root().key("metadata").key("annotations").key(ANNOTATION);
    // The value is YAML, and must not be read as a number.
    let edit = Edit::Set { path, value: format!("\"{}\"", args.to) };
    let told = set::edit_cluster(ui, global, "iam upgrade", Some(name), &[edit]).await?;
    ui.status(told.trim_end());
    ui.status(&format!("to write the policies: kapstan update cluster {name} --yes"));
    Ok(())
}

fn moved(
    specs: &Specs,
    input: Input<'_>,
    from: Generation,
    to: Generation,
) -> anyhow::Result<Vec<Moved>> {
    let mut all = Vec::new();
    for role in specs.roles() {
        let (before, _) = desired::documents(input, from, role);
        let (after, _) = desired::documents(input, to, role);
        let name = role.iam_name(input.cluster.name());
        all.push(Moved::new(name, &before.statements, &after.statements));
    }
    let accounts = iam_show::account_roles(input)?;
    let zone = desired::told_zone(input.cluster);
    for role in accounts {
        let document = role.document(zone.as_deref());
        let statements = document.map(|document| document.statements).unwrap_or_default();
        let of = |generation| match generation {
            Generation::V1_10 => &[][..],
            Generation::V1_36 => &statements[..],
        };
        all.push(Moved::new(role.name.clone(), of(from), of(to)));
    }
    Ok(all)
}

impl Moved {
    fn new(name: String, before: &[Statement], after: &[Statement]) -> Self {
        let Difference { gained, lost } = difference::between(before, after);
        let all = difference::between(&[], after).gained;
        Self { name, kept: permissions(&all) - permissions(&gained), gained, lost }
    }
}

/// How many pairs of an action and a resource statements name.
fn permissions(statements: &[Statement]) -> usize {
    let pairs = |statement: &Statement| {
        let resources = statement.resources.as_ref().map_or(1, |all| all.inner().iter().count());
        statement.actions.inner().iter().count() * resources
    };
    statements.iter().map(pairs).sum()
}

fn text(cluster: &str, from: &Chosen, to: Generation, roles: &[Moved]) -> String {
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
