//! kapstan reads kops' cluster specs, works out the AWS resources they need, shows how AWS
//! differs, and applies the difference.
//!
//! Data flows one way: spec → desired → live → plan → apply → report. See
//! `docs/architecture.md`.

// What comes from outside ends no run by a panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used, clippy::panic, clippy::todo, clippy::unimplemented,
        clippy::unreachable, clippy::unwrap_used
    )
)]

mod apply;
mod autoscaling;
mod aws;
mod catalogue;
mod cli;
mod core;
mod desired;
mod ec2;
mod elb;
mod eventbridge;
mod files;
mod iam;
mod kubernetes;
mod limits;
mod plan;
mod policy;
mod report;
mod resolve;
mod rolling;
mod route53;
mod spec;
mod sqs;
mod store;
mod visible;
mod vpc;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
