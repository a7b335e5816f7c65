//! Spec files that the user gives with `-f`.

use std::io::Read as _;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::spec::document::{self, Document};
use crate::spec::yaml;

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// A file of specs, of which it may hold several; - for standard input
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
    let limit = yaml::MAX_BYTES as u64;
    let mut bytes = Vec::new();
    if name == "-" {
        std::io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(name).context("cannot be opened")?;
        let size = file.metadata()?.len();
        ensure!(size <= limit, "{}", yaml::too_large(size));
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    ensure!(bytes.len() as u64 <= limit, "{}", yaml::too_large(bytes.len() as u64));
    String::from_utf8(bytes).context("is no text (UTF-8)")
}
