//! A tree of folders below which no link is followed: whoever may write there must not lead
//! readers and writers elsewhere. Each step of a key is opened in the folder before it.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{FILE_MODE, FOLDER_MODE, NO_LINK, Opened, READ, Unread, mode};

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Folder {
    handle: OwnedFd,
    /// For messages.
    path: PathBuf,
}

/// What lies at a key.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    Folder(Folder),
    File(Opened),
}

/// Something in a folder, by its name alone.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) is_folder: bool,
}

impl Folder {
    /// The top of a tree, if it is there. The way to it is the user's, and may hold links.
    pub(crate) fn top(path: &Path) -> anyhow::Result<Option<Self>> {
        match rustix::fs::open(path, READ | OFlags::DIRECTORY, Mode::empty()) {
            Ok(handle) => Ok(Some(Self { handle, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed(error, path)),
        }
    }

    /// The top of a tree, made where it is missing.
    pub(crate) fn make_top(path: &Path) -> anyhow::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
        made.with_context(|| format!("{}", path.display()))?;
        Self::top(path)?.with_context(|| format!("{}: is gone again", path.display()))
    }

    /// What lies at a key below this folder.
    ///
    /// # Errors
    /// A link on the way or at its end; what is neither a file nor a folder.
    pub(crate) fn find(&self, key: &str) -> anyhow::Result<Found> {
        let mut steps = key.split('/').filter(|step| !step.is_empty());
        let Some(first) = steps.next() else { return Ok(Found::Folder(self.again()?)) };
        let mut found = self.child(first)?;
        for step in steps {
            found = match found {
                Found::Folder(folder) => folder.child(step)?,
                Found::File(_) | Found::Nothing => return Ok(Found::Nothing),
            };
        }
        Ok(found)
    }

    /// The folder at a key, if one is there.
    pub(crate) fn folder(&self, key: &str) -> anyhow::Result<Option<Self>> {
        match self.find(key)? {
            Found::Folder(folder) => Ok(Some(folder)),
            Found::File(_) | Found::Nothing => Ok(None),
        }
    }

    /// The folder at a key; what is missing of it is made.
    pub(crate) fn make_folder(&self, key: &str) -> anyhow::Result<Self> {
        let mut folder = self.again()?;
        for step in key.split('/').filter(|step| !step.is_empty()) {
            match rustix::fs::mkdirat(&folder.handle, step, mode(FOLDER_MODE)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(failed(error, &folder.path.join(step))),
            }
            let path = folder.path.join(step);
            let made = folder.folder(step)?;
            folder = made.with_context(|| format!("{}: is no folder", path.display()))?;
        }
        Ok(folder)
    }

    /// Everything in this folder. Links are not followed.
    pub(crate) fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let at = |error| failed(error, &self.path);
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.handle).map_err(at)? {
            let entry = entry.map_err(at)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let about = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
                    FileType::from_raw_mode(about.map_err(at)?.st_mode)
                }
                known => known,
            };
            let name = OsString::from_vec(name.to_bytes().to_vec());
            entries.push(Entry { name, is_folder: kind == FileType::Directory });
        }
        Ok(entries)
    }

    /// Whether something can be made and removed here.
    pub(crate) fn check_writable(&self) -> anyhow::Result<()> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&self.handle, ".", access, AtFlags::EACCESS)
            .map_err(|error| failed(error, &self.path))
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Removes a folder that is empty.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// A file that writers lock, made where it is missing.
    pub(crate) fn lock_file(&self, name: &str) -> anyhow::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK | OFlags::CLOEXEC | NO_LINK;
        let path = self.path.join(name);
        let file = rustix::fs::openat(&self.handle, name, flags, mode(FILE_MODE));
        let file = file.map_err(|error| failed(error, &path))?;
        Ok(opened(file, &path)?.file)
    }

    /// Puts a file in its place in one step: a reader sees the old one or the new one. Until
    /// then it is called `temporary`, in `top`. An old file's mode is kept.
    pub(crate) fn put(
        &self,
        name: &str,
        bytes: &[u8],
        top: &Self,
        temporary: &str,
    ) -> anyhow::Result<()> {
        let path = self.path.join(name);
        let kept = match self.child(name)? {
            Found::File(old) => old.about.permissions().mode() & 0o777,
            Found::Nothing => FILE_MODE,
            Found::Folder(_) => bail!("{}: is a folder", path.display()),
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | NO_LINK;
        let file = rustix::fs::openat(&top.handle, temporary, flags, mode(FILE_MODE));
        let mut file = File::from(file.map_err(|error| failed(error, &top.path.join(temporary)))?);
        let mut write = || -> io::Result<()> {
            file.write_all(bytes)?;
            rustix::fs::fchmod(&file, mode(kept))?;
            file.sync_all()?;
            rustix::fs::renameat(&top.handle, temporary, &self.handle, name)?;
            // The rename itself must survive a loss of power too.
            Ok(rustix::fs::fsync(&self.handle)?)
        };
        write()
            .inspect_err(|_| {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "the next writer removes it too"
                )]
                let _ = top.remove_file(temporary);
            })
            .with_context(|| format!("{}", path.display()))
    }

    fn again(&self) -> anyhow::Result<Self> {
        let handle = self.handle.try_clone().with_context(|| format!("{}", self.path.display()))?;
        Ok(Self { handle, path: self.path.clone() })
    }

    fn child(&self, name: &str) -> anyhow::Result<Found> {
        let path = self.path.join(name);
        ensure!(!matches!(name, "." | ".."), "{}: leads out of its folder", path.display());
        let handle = match rustix::fs::openat(&self.handle, name, READ | NO_LINK, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(error) => return Err(failed(error, &path)),
        };
        let file = File::from(handle);
        let about = file.metadata().with_context(|| format!("{}", path.display()))?;
        match about.is_dir() {
            true => Ok(Found::Folder(Self { handle: OwnedFd::from(file), path })),
            false => Ok(Found::File(opened(file, &path)?)),
        }
    }
}

fn opened(file: impl Into<File>, path: &Path) -> anyhow::Result<Opened> {
    match Opened::new(file.into()) {
        Ok(opened) => Ok(opened),
        Err(Unread::NoFile(what)) => bail!(
            "{}: is {what}, which is neither a file nor a folder; remove or rename it",
            path.display()
        ),
        Err(error) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

/// What the system says, or what it means by it.
fn failed(error: Errno, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error {
        Errno::LOOP => anyhow::anyhow!(
            "{path}: is a link, and links are not followed here; put what it leads to in its place"
        ),
        // How a socket answers, and a pipe that nobody reads.
        Errno::NXIO => {
            anyhow::anyhow!("{path}: is neither a file nor a folder; remove or rename it")
        }
        error => anyhow::Error::new(io::Error::from(error)).context(format!("{path}")),
    }
}
