//! `edit`: opens a kept spec in the user's editor.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};

use super::carried;
use super::checks::{self, UnknownFields};
use super::input::read_file;
use super::locked::{Held, locked};
use super::placed::renewed_one;
use super::settings::Global;
use super::ui::Ui;
use crate::files;
use crate::spec::cluster::Cluster;
use crate::spec::document::{self, Document};
use crate::spec::name::ObjectName;
use crate::store::Store;
use crate::store::objects::{KeptText, Place};

/// Edit a kept spec in your editor (KUBE_EDITOR, VISUAL or EDITOR)
///
/// What is not valid is opened again with the errors on top. Leave it unchanged to abandon
/// it; your text is then kept in a file.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct EditArgs {
    #[command(subcommand)]
    what: EditCommand,
}

#[derive(Debug, Subcommand)]
enum EditCommand {
    /// Edit a cluster
    #[command(after_help = "Examples:
  kapstan edit cluster dev.example.com
  EDITOR='code --wait' kapstan edit cluster dev.example.com")]
    Cluster {
        /// The cluster
        #[arg(value_name = "CLUSTER")]
        cluster: Option<String>,
    },
    /// Edit an instance group
    #[command(visible_aliases = ["instancegroup", "instancegroups"], after_help = "Examples:
  kapstan edit ig nodes --name dev.example.com")]
    Ig {
        /// The instance group
        #[arg(value_name = "NAME")]
        group: String,
    },
}

/// What begins each line that kapstan puts on top of an edited text, and takes away again.
const OUR_COMMENT: &str = "# kapstan:";

pub(crate) async fn run(ui: &Ui, global: &Global, args: &EditArgs) -> anyhow::Result<()> {
    let (store, _) = global.store(ui).await?;
    match &args.what {
        EditCommand::Cluster { cluster } => {
            let name = global.cluster(cluster.as_deref())?;
            let kept = store.existing(&Place::Cluster(name)).await?;
            edit(ui, global, &store, &kept, None).await
        }
        EditCommand::Ig { group } => {
            let name = global.cluster(None)?;
            let cluster = store.cluster_spec(&name).await?;
            let place = Place::InstanceGroup(name, ObjectName::new(group)?);
            let kept = store.existing(&place).await?;
            edit(ui, global, &store, &kept, Some(&cluster)).await
        }
    }
}

async fn edit(
    ui: &Ui,
    global: &Global,
    store: &Store,
    kept: &KeptText,
    cluster: Option<&Cluster>,
) -> anyhow::Result<()> {
    let before = &kept.place;
    let name = before.cluster();
    let kept_text = kept.lossy()?;
    if let Some(other) = store.lock_of(name).await? {
        ui.status(&format!(
            "{name} is locked at present by {other}. What you edit is written once it is free"
        ));
    }
    let file = EditedFile::new(before)?;
    // What cannot be read is here to be mended.
    let mut shown = match kept.document() {
        Ok(_) => kept_text.clone(),
        Err(error) => with_errors(&format!("{error:#}"), &kept_text),
    };
    loop {
        file.write(&shown)?;
        let ended = open_editor(file.path());
        let text = match file.read() {
            Ok(text) => text,
            Err(error) => {
                let place = file.keep_as_it_is();
                return Err(error.context(format!("{before} was not changed; see {place}")));
            }
        };
        if let Err(error) = ended {
            let error = error.context(format!("{before} was not changed"));
            let own = without_our_comments(&text);
            if own == kept_text {
                return Err(error);
            }
            let place = file.keep(&own)?;
            return Err(error.context(format!("your text is kept in {place}")));
        }
        let own = without_our_comments(&text);
        if own == kept_text || own.trim().is_empty() {
            ui.status(&format!("{before} is unchanged; nothing was written"));
            return Ok(());
        }
        if text == shown {
            let place = file.keep(&own)?;
            bail!("{before} was not changed: it is not valid. Your text is kept in {place}");
        }
        match read_edited(ui, global, kept, cluster, &own) {
            Ok(document) => {
                checks::warn_of_shared_places(ui, global, &document).await?;
                let write = async |held: &Held| {
                    held.begin()?;
                    store.update(kept, &document).await
                };
                // While the editor is open, others may write.
                return match locked(ui, global, "edit", [name.clone()], write).await {
                    Ok(()) => {
                        if let Ok(before) = kept.document() {
                            carried::tell_between(ui, &before, &document, cluster);
                        }
                        ui.out(&format!("{document} changed\n"))
                    }
                    Err(error) => {
                        let place = file.keep(&own)?;
                        Err(error.context(format!("your text is kept in {place}")))
                    }
                };
            }
            Err(error) => {
                let error = format!("{error:#}");
                ui.status(&error);
                shown = with_errors(&error, &own);
            }
        }
    }
}

fn read_edited(
    ui: &Ui,
    global: &Global,
    kept: &KeptText,
    cluster: Option<&Cluster>,
    text: &str,
) -> anyhow::Result<Document> {
    let after = renewed_one(ui, document::read_one(text, "the edited text")?)?;
    let place = &kept.place;
    ensure!(
        after.to_string() == place.to_string(),
        "this is {after}, but {place} was to be edited; an object keeps its kind and name"
    );
    checks::document(ui, &after, cluster, UnknownFields::from_strict(global.strict))?;
    if let Ok(before) = kept.document() {
        checks::update(&before, &after)?;
    }
    after.check_text()?;
    Ok(after)
}

fn with_errors(error: &str, text: &str) -> String {
    let mut shown = String::new();
    for line in error.lines() {
        shown.push_str(&format!("{OUR_COMMENT} {line}\n"));
    }
    shown.push_str(&format!("{OUR_COMMENT} Mend it, or leave it as it is to abandon the edit.\n"));
    shown.push_str(text);
    shown
}

fn without_our_comments(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.skip_while(|line| line.starts_with(OUR_COMMENT)).collect()
}

/// The file that the editor opens. It goes when the edit is done, unless its text is worth
/// keeping.
struct EditedFile {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl EditedFile {
    fn new(place: &Place) -> anyhow::Result<Self> {
        let mode = Permissions::from_mode(files::FOLDER_MODE);
        let folder = tempfile::Builder::new().prefix("kapstan-edit-").permissions(mode).tempdir();
        let folder = folder.context("no folder for the edited text can be made")?;
        let path = folder.path().join(format!("{}.yaml", place.name()));
        Ok(Self { folder, path })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the text; no one else may read it, whatever an editor has made of the file.
    fn write(&self, text: &str) -> anyhow::Result<()> {
        files::write_private(&self.path, text.as_bytes())
            .with_context(|| format!("the edited file {}", self.path.display()))
    }

    fn read(&self) -> anyhow::Result<String> {
        read_file(&self.path)
            .with_context(|| format!("the edited file {} cannot be read", self.path.display()))
    }

    /// Keeps the text and tells where.
    fn keep(self, text: &str) -> anyhow::Result<String> {
        self.write(text)?;
        Ok(self.keep_as_it_is())
    }

    /// Keeps what the editor has left, whatever it is.
    fn keep_as_it_is(self) -> String {
        let path = self.path.display().to_string();
        #[expect(clippy::let_underscore_must_use, reason = "where the folder is, `path` tells")]
        let _ = self.folder.keep();
        path
    }
}

/// Runs the user's editor on a file and waits for it.
fn open_editor(path: &Path) -> anyhow::Result<()> {
    let command = ["KUBE_EDITOR", "VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let words = shell_words::split(&command)
        .with_context(|| format!("the editor {command:?} cannot be understood"))?;
    let (program, arguments) = words.split_first().context("the editor's name is empty")?;
    let status = Command::new(program)
        .args(arguments)
        .arg(path)
        .status()
        .with_context(|| format!("the editor {program:?} cannot be started; set EDITOR"))?;
    ensure!(status.success(), "the editor {program:?} ended with {status}");
    Ok(())
}
