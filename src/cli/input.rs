//! Spec files that the user gives with `-f`.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::files::{self, Unread};
use crate::spec::document::{self, Document};
use crate::spec::yaml;

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// A file of specs, of which it may hold several; - for standard input or a pipe
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub(crate) filename: Vec<String>,
}

impl Files {
    /// Every document of every file.
    pub(crate) fn documents(&self) -> anyhow::Result<Vec<Document>> {
        let mut documents = Vec::new();
        for name in &self.filename {
            documents.extend(read_documents(name)?);
        }
        ensure!(!documents.is_empty(), "{} holds no object", self.filename.join(", "));
        Ok(documents)
    }
}

pub(crate) fn read_documents(name: &str) -> anyhow::Result<Vec<Document>> {
    let origin = if name == "-" { "standard input" } else { name };
    let text = read_text(name).with_context(|| origin.to_owned())?;
    document::read_all(&text, origin)
}

/// A file's text, read no further than a spec may go.
pub(crate) fn read_text(name: &str) -> anyhow::Result<String> {
    if name != "-" {
        return read_file(Path::new(name));
    }
    let limit = yaml::MAX_BYTES as u64;
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= limit, "{}", yaml::too_large(bytes.len() as u64));
    String::from_utf8(bytes).context("is no text (UTF-8)")
}

/// The same of a path.
pub(super) fn read_file(path: &Path) -> anyhow::Result<String> {
    match files::read_text(path, yaml::MAX_BYTES as u64) {
        Ok(text) => Ok(text),
        Err(Unread::TooLarge(size)) => bail!("{}", yaml::too_large(size)),
        Err(Unread::NoFile("a pipe")) => {
            bail!("is a pipe; give - to read standard input, and the pipe there")
        }
        Err(error) => Err(error.into()),
    }
}
