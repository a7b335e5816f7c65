//! A store in a folder.
//!
//! Writers take a lock, look whether what they read still stands, write a temporary file
//! and rename it over the old one: a reader sees the old or the new object, never half of
//! one. Temporary files lie in the store's own folder, where neither kapstan nor kops takes
//! them for an object.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Content, Expect, NotRemoved, Refused, Stored, Version, Written};
use crate::aws::bucket::time_text;
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
        let path = self.root.join(key);
        // Asked before it is opened: to open a pipe would wait for its writer.
        let about = match fs::metadata(&path) {
            Ok(about) if about.is_dir() => return Ok(None),
            Ok(about) => about,
            Err(error) if is_absent(&error) => {
                // What a link led to is missed: to take it for deleted would delete a group.
                let is_link = fs::symlink_metadata(&path).is_ok();
                anyhow::ensure!(
                    !is_link,
                    "{}: is a link that leads nowhere; mend or remove it",
                    path.display()
                );
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        anyhow::ensure!(
            about.is_file(),
            "{}: is neither a file nor a folder; remove or rename it",
            path.display()
        );
        let written = Written { by: owner(&about), at: about.modified().ok().and_then(time_text) };
        let size = about.len();
        if size > yaml::MAX_BYTES as u64 {
            let version = Version::Size(size, about.modified().ok());
            return Ok(Some(Stored { content: Content::TooLarge(size), version, written }));
        }
        let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let version = Version::Content(bytes.clone());
        Ok(Some(Stored { content: Content::Bytes(bytes), version, written }))
    }

    pub(super) fn write(
        &self,
        key: &str,
        bytes: &[u8],
        expect: Expect<'_>,
    ) -> Result<Version, Refused> {
        fs::create_dir_all(&self.root).with_context(|| format!("{}", self.root.display()))?;
        let _lock = self.lock()?;
        let path = self.root.join(key);
        self.compare(key, expect)?;
        if path.is_dir() {
            let path = path.display();
            return Err(
                anyhow::anyhow!("{path} is a folder, where a text belongs; remove it").into()
            );
        }
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;

        let write = || -> anyhow::Result<()> {
            let mut temporary =
                tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.root)?;
            temporary.write_all(bytes)?;
            set_mode(temporary.as_file(), &path)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path)?;
            // The rename itself must survive a loss of power too.
            File::open(folder)?.sync_all()?;
            Ok(())
        };
        write().with_context(|| format!("{} was not written", path.display()))?;
        Ok(Version::Content(bytes.to_vec()))
    }

    pub(super) fn delete(&self, key: &str, version: &Version) -> Result<(), Refused> {
        let _lock = self.lock()?;
        let path = self.root.join(key);
        self.compare(key, Expect::Unchanged(version))?;
        fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
        self.remove_empty_above(&path);
        Ok(())
    }

    /// Folders that are empty now go with their last object; one that is not stays.
    fn remove_empty_above(&self, path: &Path) {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }

    pub(super) fn keys_below(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let top = self.root.join(folder);
        let mut folders = vec![(top, String::new())];
        let mut keys = Vec::new();
        while let Some((path, own)) = folders.pop() {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) && own.is_empty() => return Ok(keys),
                Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
            };
            let mut is_empty = true;
            for entry in entries {
                let entry = entry.with_context(|| format!("{}", path.display()))?;
                is_empty = false;
                let place = entry.path();
                let name = entry.file_name().into_string().ok();
                let name = name.with_context(|| {
                    format!("the name of {} is no text; rename or remove it", place.display())
                })?;
                // A link is not followed: what it leads to is not kept here.
                match entry.file_type().with_context(|| format!("{}", place.display()))?.is_dir() {
                    true => folders.push((place, format!("{own}{name}/"))),
                    false => keys.push(format!("{own}{name}")),
                }
            }
            if is_empty && !own.is_empty() {
                keys.push(own);
            }
        }
        Ok(keys)
    }

    pub(super) fn check_deletable(&self, folder: &str, keys: &[String]) -> anyhow::Result<()> {
        let folder = self.root.join(folder);
        let places: BTreeSet<PathBuf> = keys
            .iter()
            .filter_map(|key| folder.join(key).parent().map(Path::to_path_buf))
            .collect();
        for place in places {
            // Who may make a file in a folder may remove one.
            tempfile::Builder::new()
                .prefix(TEMPORARY)
                .tempfile_in(&place)
                .with_context(|| format!("nothing can be removed from {}", place.display()))?;
        }
        Ok(())
    }

    pub(super) fn delete_below(
        &self,
        folder: &str,
        keys: &[String],
    ) -> anyhow::Result<Vec<NotRemoved>> {
        let _lock = self.lock()?;
        let folder = self.root.join(folder);
        let mut failed = Vec::new();
        for key in keys {
            let path = folder.join(key);
            let removed = match key.ends_with('/') || key.is_empty() {
                true => fs::remove_dir(&path),
                false => fs::remove_file(&path),
            };
            match removed {
                Ok(()) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    failed.push(NotRemoved { key: key.clone(), reason: error.to_string() });
                }
            }
            self.remove_empty_above(&path);
        }
        Ok(failed)
    }

    pub(super) fn list(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("{}", path.display()))?;
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK
                && !name.starts_with(TEMPORARY)
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Held until it is dropped; the system frees it when a process dies.
    fn lock(&self) -> anyhow::Result<File> {
        let path = self.root.join(LOCK);
        let lock = || -> std::io::Result<File> {
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let file = lock().with_context(|| format!("{} cannot be locked", path.display()))?;
        self.sweep();
        Ok(file)
    }

    /// Removes what a writer that died has left; with the lock held, no one else writes.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "a leftover that cannot be removed harms no one"
                )]
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn compare(&self, key: &str, expect: Expect<'_>) -> Result<(), Refused> {
        let now = self.read(key)?;
        let is_expected = match (expect, &now) {
            (Expect::Absent, None) => true,
            (Expect::Unchanged(version), Some(now)) => now.version == *version,
            _ => false,
        };
        if is_expected { Ok(()) } else { Err(Refused::Conflict) }
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A new file is as readable as kops makes it, an old one keeps its mode.
#[cfg(unix)]
fn set_mode(file: &File, old: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(old).map_or(0o644, |about| about.permissions().mode() & 0o777);
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The user who owns a file, by name where the system knows one.
#[cfg(unix)]
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

#[cfg(not(unix))]
fn owner(_: &fs::Metadata) -> Option<String> {
    None
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
