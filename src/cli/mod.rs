//! The command line: one file a command, each an `Args` whose comments are its help, and
//! one function that reads top to bottom. No rules live here.

mod admission;
mod adopt_account;
mod carried;
mod carry_out;
mod checks;
mod completion;
mod create;
mod create_cluster;
mod delete;
mod delete_cluster;
mod delete_instance;
mod done;
mod duration;
mod edit;
mod get;
mod iam_diff;
mod iam_show;
mod iam_upgrade;
mod input;
mod kubernetes;
mod locked;
mod observe;
mod output;
mod placed;
mod refresh;
mod replace;
mod replacing;
mod rolling_update;
mod secret;
mod set;
mod settings;
mod signals;
mod ui;
mod unlock;
mod unset;
mod update_cluster;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use done::Done;
use settings::Global;
use ui::Ui;

/// A cluster provisioner that reads kops' specs, shows how AWS differs, and applies it.
///
/// Specs are kept in a state store (--state). Nothing in AWS changes without --yes.
///
/// Exit codes: 0 done, or nothing to do; 1 an error; 2 with --detailed-exitcode, a dry run
/// that found changes, and of validate, a cluster that is not valid.
#[derive(Debug, Parser)]
#[command(
    name = "kapstan",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:
  kapstan create -f cluster.yaml
  kapstan update cluster dev.example.com
  kapstan update cluster dev.example.com --yes
  kapstan rolling-update cluster dev.example.com --yes"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::CreateArgs),
    Replace(replace::ReplaceArgs),
    Delete(delete::DeleteArgs),
    Get(get::GetArgs),
    Edit(edit::EditArgs),
    Set(set::SetArgs),
    Unset(unset::UnsetArgs),
    /// Bring AWS in line with a cluster's spec
    #[command(subcommand, arg_required_else_help = true)]
    Update(UpdateCommand),
    /// Replace the instances that do not run what the cluster now says
    #[command(subcommand, arg_required_else_help = true)]
    RollingUpdate(RollingUpdateCommand),
    /// Tell whether a cluster is whole
    #[command(subcommand, arg_required_else_help = true)]
    Validate(ValidateCommand),
    /// Show policy documents, by themselves, against AWS or against those of another kops
    #[command(subcommand, arg_required_else_help = true)]
    Iam(IamCommand),
    /// Print the version
    Version,
    AdoptAccount(adopt_account::AdoptAccountArgs),
    Unlock(unlock::UnlockArgs),
    Completion(completion::CompletionArgs),
}

#[derive(Debug, Subcommand)]
enum UpdateCommand {
    Cluster(update_cluster::UpdateClusterArgs),
}

#[derive(Debug, Subcommand)]
enum RollingUpdateCommand {
    Cluster(rolling_update::RollingUpdateArgs),
}

#[derive(Debug, Subcommand)]
enum ValidateCommand {
    Cluster(validate::ValidateArgs),
}

#[derive(Debug, Subcommand)]
enum IamCommand {
    Show(iam_show::IamShowArgs),
    Diff(iam_diff::IamDiffArgs),
    Upgrade(iam_upgrade::IamUpgradeArgs),
}

/// Runs the program with its arguments.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap would exit with 2, which means something else here.
            let wanted = !error.use_stderr();
            #[expect(
                clippy::let_underscore_must_use,
                reason = "what cannot be printed cannot be told either"
            )]
            let _ = error.print();
            return if wanted { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let ui = Ui::new(cli.global.verbose > 0, cli.global.color);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.error(&anyhow::Error::new(error).context("the program cannot start"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&ui, &cli)) {
        Ok(Done::Yes) => ExitCode::SUCCESS,
        Ok(Done::ChangesFound | Done::Invalid) => ExitCode::from(2),
        Err(error) => {
            ui.error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(ui: &Ui, cli: &Cli) -> anyhow::Result<Done> {
    let global = &cli.global;
    if !matches!(cli.command, Command::Version | Command::Completion(_)) {
        global.check_expected_account(ui).await?;
    }
    let done = match &cli.command {
        Command::Create(args) => return create::run(ui, global, args).await,
        Command::Replace(args) => replace::run(ui, global, args).await,
        Command::Delete(args) => return delete::run(ui, global, args).await,
        Command::Get(args) => get::run(ui, global, args).await,
        Command::Edit(args) => edit::run(ui, global, args).await,
        Command::Set(args) => set::run(ui, global, args).await,
        Command::Unset(args) => unset::run(ui, global, args).await,
        Command::Update(UpdateCommand::Cluster(args)) => {
            return update_cluster::run(ui, global, args).await;
        }
        Command::RollingUpdate(RollingUpdateCommand::Cluster(args)) => {
            return rolling_update::run(ui, global, args).await;
        }
        Command::Validate(ValidateCommand::Cluster(args)) => {
            return validate::run(ui, global, args).await;
        }
        Command::Iam(IamCommand::Show(args)) => iam_show::run(ui, global, args).await,
        Command::Iam(IamCommand::Diff(args)) => iam_diff::run(ui, global, args).await,
        Command::Iam(IamCommand::Upgrade(args)) => iam_upgrade::run(ui, global, args).await,
        Command::Version => ui.out(concat!("kapstan ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::AdoptAccount(args) => adopt_account::run(ui, global, args).await,
        Command::Unlock(args) => unlock::run(ui, global, args).await,
        Command::Completion(args) => completion::run(ui, args, Cli::command()),
    };
    done.map(|()| Done::Yes)
}
