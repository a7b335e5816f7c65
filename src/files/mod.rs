//! Files, the user's own and those of a store in a folder.
//!
//! A path is opened once and never waits: what it leads to is asked of what was opened, which
//! is then read, within a limit. A path that is looked at and opened again may lead elsewhere in
//! between. What is made is its owner's alone, since specs hold secrets. [`tree`] follows no
//! link, for folders that others may write to.
//!
//! No other room opens or makes a file, but temporary ones and those of the system.

pub(crate) mod tree;

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// How what is made can be used, whatever the umask allows beyond that.
pub(crate) const FOLDER_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// A pipe does not wait for its writer, and no program that is started inherits the file.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
const NO_LINK: OFlags = OFlags::NOFOLLOW;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("cannot be read")]
    Failed(#[from] io::Error),
    #[error("is {0}, not a file")]
    NoFile(&'static str),
    /// It has so many bytes, more than were asked for.
    #[error("is too large: it has {0} bytes")]
    TooLarge(u64),
    #[error("is no text (UTF-8)")]
    NoText,
}

impl Unread {
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Failed(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// A file that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
    pub(crate) about: Metadata,
}

impl Opened {
    /// # Errors
    /// It is no file.
    fn new(file: File) -> Result<Self, Unread> {
        let about = file.metadata()?;
        match what_else(&about) {
            None => Ok(Self { file, about }),
            Some(other) => Err(Unread::NoFile(other)),
        }
    }

    /// What it holds, if that is at most so many bytes.
    pub(crate) fn read(self, most: u64) -> Result<Vec<u8>, Unread> {
        let told = self.about.len();
        if told > most {
            return Err(Unread::TooLarge(told));
        }
        let mut bytes = Vec::new();
        // It may grow, and files of /proc tell no size.
        self.file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        match u64::try_from(bytes.len()) {
            Ok(size) if size <= most => Ok(bytes),
            _ => Err(Unread::TooLarge(told.max(most.saturating_add(1)))),
        }
    }
}

/// What something is that is no file.
fn what_else(about: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = about.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_symlink() {
        Some("a link")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Reads a file that the user names, through links too.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    let file = rustix::fs::open(path, READ, Mode::empty()).map_err(io::Error::from)?;
    Opened::new(File::from(file))?.read(most)
}

/// Reads the text of a file that the user names, through links too.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String, Unread> {
    String::from_utf8(read(path, most)?).map_err(|_| Unread::NoText)
}

/// Writes a file that is its owner's alone, also where it was there before.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Unread> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK | OFlags::CLOEXEC | NO_LINK;
    let file = rustix::fs::open(path, flags, mode(FILE_MODE)).map_err(io::Error::from)?;
    let mut opened = Opened::new(File::from(file))?;
    rustix::fs::fchmod(&opened.file, mode(FILE_MODE)).map_err(io::Error::from)?;
    opened.file.set_len(0)?;
    opened.file.write_all(bytes)?;
    Ok(())
}

fn mode(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_no_file_is_told_at_once_and_nothing_is_read_beyond_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(1 << 40).unwrap();
        let bytes = folder.path().join("bytes");
        std::fs::write(&bytes, [0xff]).unwrap();
        let told = |path: &Path| read_text(path, 10).unwrap_err().to_string();
        assert_eq!(told(&pipe), "is a pipe, not a file");
        assert_eq!(told(folder.path()), "is a folder, not a file");
        assert_eq!(told(Path::new("/dev/zero")), "is a device, not a file");
        assert_eq!(told(&large), "is too large: it has 1099511627776 bytes");
        assert_eq!(told(&bytes), "is no text (UTF-8)");
        assert!(read_text(&folder.path().join("none"), 10).unwrap_err().is_absent());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(told(&link), "is a device, not a file");
        // It tells no size, and has more than ten bytes.
        assert_eq!(told(Path::new("/proc/self/status")), "is too large: it has 11 bytes");
    }

    #[test]
    fn a_private_file_is_its_owners_alone_also_when_it_was_open_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "a longer text").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        write_private(&path, b"text").unwrap();
        assert_eq!(read_text(&path, 10).unwrap(), "text");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, FILE_MODE);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(write_private(&link, b"other").is_err());
        assert_eq!(read_text(&path, 10).unwrap(), "text");
    }
}
