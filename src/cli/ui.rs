//! What the user sees: results on stdout, everything else on stderr, colour where it is
//! wanted.

use std::io::{ErrorKind, Write as _};

use anstyle::AnsiColor;
use anyhow::Context as _;
use clap::ValueEnum;

use crate::aws::{AwsError, Fault};
use crate::desired::Notice;
use crate::plan::Plan;
use crate::report::style::{QUIET, paint};
use crate::report::text;
use crate::spec::problem::Problem;
use crate::visible::text::visible_lines;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    pub(crate) verbose: bool,
}

const WARNING: anstyle::Style = AnsiColor::Yellow.on_default().bold();
const ERROR: anstyle::Style = AnsiColor::Red.on_default().bold();

impl Ui {
    pub(crate) fn new(verbose: bool, color: ColorChoice) -> Self {
        match color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::AlwaysAnsi,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        Self { verbose }
    }

    /// A result. A reader who has gone (`| head`) has seen enough: that is no error, and what
    /// the command does goes on.
    pub(crate) fn out(&self, text: &str) -> anyhow::Result<()> {
        self.document(&visible_lines(text))
    }

    /// A result that is written as it is: a kept text, or what machines read.
    pub(crate) fn document(&self, text: &str) -> anyhow::Result<()> {
        let mut stdout = anstream::stdout();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.context("the result cannot be written"),
        }
    }

    /// Progress, or a hint.
    pub(crate) fn status(&self, text: &str) {
        #[expect(clippy::let_underscore_must_use, reason = "stderr is not worth failing for")]
        let _ = writeln!(anstream::stderr(), "{}", visible_lines(text));
    }

    pub(crate) fn warn(&self, message: &str) {
        self.status(&format!("{} {message}", paint(WARNING, "warning:")));
    }

    pub(crate) fn warn_of(&self, notice: &Notice) {
        self.status(&text::notice("warning:", WARNING, notice));
    }

    /// What is to be told of a plan beside its changes.
    pub(crate) fn tell(&self, plan: &Plan) {
        for warning in &plan.warnings {
            self.warn_of(warning);
        }
        for note in &plan.notes {
            self.status(&text::notice("note:", QUIET, note));
        }
    }

    pub(crate) fn refuse(&self, notice: &Notice) {
        self.status(&text::notice("error:", ERROR, notice));
    }

    pub(crate) fn warn_of_problem(&self, subject: &str, problem: &Problem) {
        self.warn(&format!("{subject}: {problem}"));
    }

    /// Whoever was refused something by AWS is told what to allow.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let calls = error.chain().filter_map(|cause| cause.downcast_ref::<AwsError>());
        let refused = calls.into_iter().find(|call| call.fault == Fault::Denied);
        let next = refused.map(|call| format!("; allow {}", call.operation)).unwrap_or_default();
        self.status(&format!("{} {error:#}{next}", paint(ERROR, "error:")));
    }
}
