//! kapstan reads kops' cluster specs, works out the AWS resources they need, shows how AWS
//! differs, and applies the difference.
//!
//! Data flows one way: spec → desired → live → plan → apply → report. See
//! `docs/architecture.md`.

mod apply;
mod aws;
mod cli;
mod desired;
mod iam;
mod kubernetes;
mod limits;
mod plan;
mod report;
mod resource;
mod rolling;
mod spec;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
