//! A store in a folder.
//!
//! Writers take a lock, look whether what they read still stands, write a temporary file
//! and rename it over the old one: a reader sees the old or the new object, never half of
//! one. Temporary files lie in the store's own folder, where neither kapstan nor kops takes
//! them for an object.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Context as _;

use super::{Content, Expect, NotRemoved, Refused, Stored, Version, Written};
use crate::aws::bucket::time_text;
use crate::files::Unread;
use crate::files::tree::{Folder, Found};
use crate::spec::yaml;

const LOCK: &str = ".kapstan.lock";
const TEMPORARY: &str = ".kapstan-write-";

#[derive(Clone, Debug)]
pub(crate) struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn read(&self, key: &str) -> anyhow::Result<Option<Stored>> {
        match Folder::top(&self.root)? {
            Some(top) => self.read_in(&top, key),
            None => Ok(None),
        }
    }

    fn read_in(&self, top: &Folder, key: &str) -> anyhow::Result<Option<Stored>> {
        let Found::File(file) = top.find(key)? else { return Ok(None) };
        let modified = file.about.modified().ok();
        let written = Written { by: owner(&file.about), at: modified.and_then(time_text) };
        let (content, version) = match file.read(yaml::MAX_BYTES as u64) {
            Ok(bytes) => (Content::Bytes(bytes.clone()), Version::Content(bytes)),
            Err(Unread::TooLarge(size)) => (Content::TooLarge(size), Version::Size(size, modified)),
            Err(error) => return Err(error).with_context(|| self.place(key)),
        };
        Ok(Some(Stored { content, version, written }))
    }

    pub(super) fn write(
        &self,
        key: &str,
        bytes: &[u8],
        expect: Expect<'_>,
    ) -> Result<Version, Refused> {
        let top = Folder::make_top(&self.root)?;
        let _lock = self.lock(&top)?;
        self.compare(&top, key, expect)?;
        if top.folder(key)?.is_some() {
            let place = self.place(key);
            return Err(
                anyhow::anyhow!("{place} is a folder, where a text belongs; remove it").into()
            );
        }
        let (folder, name) = split(key);
        let temporary = format!("{TEMPORARY}{}", std::process::id());
        let put = || top.make_folder(folder)?.put(name, bytes, &top, &temporary);
        put().with_context(|| format!("{} was not written", self.place(key)))?;
        Ok(Version::Content(bytes.to_vec()))
    }

    pub(super) fn delete(&self, key: &str, version: &Version) -> Result<(), Refused> {
        let Some(top) = Folder::top(&self.root)? else { return Err(Refused::Conflict) };
        let _lock = self.lock(&top)?;
        self.compare(&top, key, Expect::Unchanged(version))?;
        let (folder, name) = split(key);
        if let Some(folder) = top.folder(folder)? {
            folder.remove_file(name).with_context(|| self.place(key))?;
        }
        remove_empty_above(&top, key)?;
        Ok(())
    }

    pub(super) fn keys_below(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let mut keys = Vec::new();
        let Some(top) = Folder::top(&self.root)? else { return Ok(keys) };
        let mut folders = vec![String::new()];
        while let Some(own) = folders.pop() {
            let place = format!("{folder}/{own}");
            let Some(opened) = top.folder(&place)? else { continue };
            let entries = opened.entries()?;
            if entries.is_empty() && !own.is_empty() {
                keys.push(own.clone());
            }
            for entry in entries {
                let name = entry.name.into_string().map_err(|name| {
                    let name = name.to_string_lossy();
                    anyhow::anyhow!(
                        "the name of {} is no text; rename or remove it",
                        self.place(&format!("{place}{name}"))
                    )
                })?;
                match entry.is_folder {
                    true => folders.push(format!("{own}{name}/")),
                    false => keys.push(format!("{own}{name}")),
                }
            }
        }
        Ok(keys)
    }

    pub(super) fn check_deletable(&self, folder: &str, keys: &[String]) -> anyhow::Result<()> {
        let Some(top) = Folder::top(&self.root)? else { return Ok(()) };
        let of = |key: &String| split(&whole(folder, key)).0.to_owned();
        let places: BTreeSet<String> = keys.iter().map(of).collect();
        for place in places {
            if let Some(opened) = top.folder(&place)? {
                opened.check_writable().context("nothing can be removed there")?;
            }
        }
        Ok(())
    }

    pub(super) fn delete_below(
        &self,
        folder: &str,
        keys: &[String],
    ) -> anyhow::Result<Vec<NotRemoved>> {
        let Some(top) = Folder::top(&self.root)? else { return Ok(Vec::new()) };
        let _lock = self.lock(&top)?;
        let mut failed = Vec::new();
        for key in keys {
            let whole = whole(folder, key);
            let (parent, name) = split(&whole);
            let removed = match top.folder(parent)? {
                None => Ok(()),
                Some(parent) if key.ends_with('/') || key.is_empty() => parent.remove_folder(name),
                Some(parent) => parent.remove_file(name),
            };
            if let Err(error) = removed.or_else(if_present) {
                failed.push(NotRemoved { key: key.clone(), reason: error.to_string() });
            }
            remove_empty_above(&top, &whole)?;
        }
        Ok(failed)
    }

    pub(super) fn list(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let Some(top) = Folder::top(&self.root)? else { return Ok(Vec::new()) };
        let Some(opened) = top.folder(folder)? else { return Ok(Vec::new()) };
        let names = opened.entries()?.into_iter().filter_map(|entry| entry.name.into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name != LOCK && !name.starts_with(TEMPORARY)).collect();
        names.sort();
        Ok(names)
    }

    /// Held until it is dropped; the system frees it when a process dies.
    fn lock(&self, top: &Folder) -> anyhow::Result<File> {
        let lock = || -> anyhow::Result<File> {
            let file = top.lock_file(LOCK)?;
            file.lock()?;
            Ok(file)
        };
        let file = lock().with_context(|| format!("{} cannot be locked", self.place(LOCK)))?;
        sweep(top)?;
        Ok(file)
    }

    fn compare(&self, top: &Folder, key: &str, expect: Expect<'_>) -> Result<(), Refused> {
        let now = self.read_in(top, key)?;
        let is_expected = match (expect, &now) {
            (Expect::Absent, None) => true,
            (Expect::Unchanged(version), Some(now)) => now.version == *version,
            _ => false,
        };
        if is_expected { Ok(()) } else { Err(Refused::Conflict) }
    }

    /// Where a key lies, for messages.
    fn place(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }
}

/// The folder of a key, and the name in it.
fn split(key: &str) -> (&str, &str) {
    key.trim_end_matches('/').rsplit_once('/').unwrap_or(("", key.trim_end_matches('/')))
}

/// The key from the store on of one that is told from a folder on.
fn whole(folder: &str, key: &str) -> String {
    format!("{folder}/{key}").trim_end_matches('/').to_owned()
}

/// Folders that are empty now go with their last object; one that is not stays.
fn remove_empty_above(top: &Folder, key: &str) -> anyhow::Result<()> {
    let (mut folder, _) = split(key);
    while !folder.is_empty() {
        let (parent, name) = split(folder);
        let Some(opened) = top.folder(parent)? else { break };
        if opened.remove_folder(name).is_err() {
            break;
        }
        folder = parent;
    }
    Ok(())
}

/// Removes what a writer that died has left; with the lock held, no one else writes.
fn sweep(top: &Folder) -> anyhow::Result<()> {
    for entry in top.entries()? {
        if let Some(name) = entry.name.to_str().filter(|name| name.starts_with(TEMPORARY)) {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a leftover that cannot be removed harms no one"
            )]
            let _ = top.remove_file(name);
        }
    }
    Ok(())
}

/// What is gone already need not be removed.
fn if_present(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// The user who owns a file, by name where the system's own list has one. Those of a directory
/// service stay numbers: only C's library knows them, and calling it takes unsafe code.
fn owner(about: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let id = about.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    Some(name.unwrap_or(format!("the user {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, LocalStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path().join("state"));
        (folder, store)
    }

    #[test]
    fn a_write_that_expects_something_else_is_refused() {
        let (_folder, store) = store();
        store.write("c/config", b"one", Expect::Absent).unwrap();
        assert!(matches!(store.write("c/config", b"x", Expect::Absent), Err(Refused::Conflict)));
        let one = store.read("c/config").unwrap().unwrap().version;
        store.write("c/config", b"two", Expect::Unchanged(&one)).unwrap();
        let late = store.write("c/config", b"three", Expect::Unchanged(&one));
        assert!(matches!(late, Err(Refused::Conflict)));
        assert!(matches!(store.delete("c/config", &one), Err(Refused::Conflict)));
        assert_eq!(
            store.read("c/config").unwrap().unwrap().content,
            Content::Bytes(b"two".to_vec())
        );
    }

    #[test]
    fn of_many_writers_each_wins_once() {
        let (_folder, store) = store();
        store.write("c/config", b"0", Expect::Absent).unwrap();
        let add_one = || {
            loop {
                let now = store.read("c/config").unwrap().unwrap();
                let Content::Bytes(bytes) = now.content else { panic!("{now:?}") };
                let count: u32 = String::from_utf8(bytes).unwrap().parse().unwrap();
                let next = (count + 1).to_string();
                match store.write("c/config", next.as_bytes(), Expect::Unchanged(&now.version)) {
                    Ok(_) => break,
                    Err(Refused::Conflict) => {}
                    Err(Refused::Failed(error)) => panic!("{error:#}"),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|_| add_one()));
            }
        });
        assert_eq!(
            store.read("c/config").unwrap().unwrap().content,
            Content::Bytes(b"100".to_vec())
        );
    }

    #[test]
    fn leftovers_of_a_crash_are_no_objects_and_are_swept() {
        let (_folder, store) = store();
        store.write("c/config", b"one", Expect::Absent).unwrap();
        let leftover = store.root.join(format!("{TEMPORARY}x"));
        fs::write(&leftover, "half").unwrap();
        assert_eq!(store.list("").unwrap(), ["c"]);
        store.write("d/config", b"one", Expect::Absent).unwrap();
        assert!(!leftover.exists());
    }

    #[test]
    fn empty_folders_go_with_their_last_object() {
        let (_folder, store) = store();
        store.write("c/instancegroup/a", b"x", Expect::Absent).unwrap();
        let version = store.read("c/instancegroup/a").unwrap().unwrap().version;
        store.delete("c/instancegroup/a", &version).unwrap();
        assert_eq!(store.list("").unwrap(), [""; 0]);
    }
}
