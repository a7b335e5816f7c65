//! `completion`: the script that teaches a shell kapstan's words.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::ui::Ui;

/// Print the script that completes kapstan's words in a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  source <(kapstan completion bash)
  kapstan completion fish > ~/.config/fish/completions/kapstan.fish")]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: ShellName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(
    ui: &Ui,
    args: &CompletionArgs,
    mut command: clap::Command,
) -> anyhow::Result<()> {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "kapstan", &mut script);
    ui.document(&String::from_utf8_lossy(&script))
}
