//! Detects changes of a file by polling. It works on every file system, and for a file that is replaced by
//! a rename or through a symbolic link, as editors and Kubernetes do. What a change leads to is up to the caller.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::threads;

/// The polling interval. Four polls per second use no measurable CPU time.
const INTERVAL: Duration = Duration::from_millis(250);

/// The most bytes that are compared, one more than a config may have.
const MAX_BYTES: u64 = (16 << 20) + 1;

/// A file that is watched.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// What the last poll found.
    seen: Option<Stamp>,
    /// The last file whose content was read.
    read: Option<Stamp>,
    /// Its content. `None` if it could not be read.
    content: Option<Vec<u8>>,
}

/// What distinguishes a file from one that replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Watch {
    /// Changes count from now on, so call it before the file is loaded.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let (seen, content) = (Stamp::of(&path), content(&path));
        Self { path, seen, read: seen, content }
    }

    /// Calls `on_change` after each change of the content, on a thread of its own, until the process ends.
    ///
    /// # Errors
    /// No thread is available.
    pub fn start(mut self, on_change: impl Fn() + Send + 'static) -> io::Result<()> {
        threads::spawn("watch", move || {
            loop {
                thread::sleep(INTERVAL);
                if self.has_changed() {
                    on_change();
                }
            }
        })
    }

    /// Reads the file after two consecutive polls have found the same metadata, so that a partly written file is not
    /// loaded. Many tools write a file again without a change, so the content decides.
    fn has_changed(&mut self) -> bool {
        let found = Stamp::of(&self.path);
        let is_settled = found == self.seen;
        self.seen = found;
        if !is_settled || found == self.read {
            return false;
        }
        self.read = found;
        let before = std::mem::replace(&mut self.content, content(&self.path));
        self.content != before
    }
}

impl Stamp {
    /// Follows symbolic links. A pipe or a device has none, because reading it could take forever.
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let modified = (found.mtime(), found.mtime_nsec());
        Some(Self { device: found.dev(), inode: found.ino(), size: found.len(), modified })
    }
}

fn content(path: &Path) -> Option<Vec<u8>> {
    Stamp::of(path)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::os::unix::fs::symlink;
    use std::process::id;

    use super::*;

    /// A directory with a file `config`, which is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = env::temp_dir().join(format!("chaos-proxy-watch-{}-{test}", id()));
            fs::create_dir_all(&path).expect("a directory");
            let folder = Self(path);
            folder.write("config", "one");
            folder
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.at(name), text).expect("a file");
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.at(from), self.at(to)).expect("both exist");
        }

        fn watch(&self) -> Watch {
            Watch::new(self.at("config"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A leftover does no harm.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// What the next three polls report.
    fn polls(watch: &mut Watch) -> [bool; 3] {
        [(); 3].map(|()| watch.has_changed())
    }

    const CHANGED: [bool; 3] = [false, true, false];
    const UNCHANGED: [bool; 3] = [false; 3];

    #[test]
    fn a_change_is_reported_once_the_file_has_settled() {
        let folder = Folder::new("settled");
        let mut watch = folder.watch();
        assert_eq!(polls(&mut watch), UNCHANGED);
        for text in ["t", "tw", "two"] {
            folder.write("config", text);
            assert!(!watch.has_changed(), "it is still being written");
        }
        assert!(watch.has_changed());
        assert_eq!(polls(&mut watch), UNCHANGED);
    }

    #[test]
    fn a_file_replaced_by_rename_is_seen() {
        let folder = Folder::new("rename");
        let mut watch = folder.watch();
        folder.write("new", "two");
        folder.rename("new", "config");
        assert_eq!(polls(&mut watch), CHANGED);
        folder.write("same", "two");
        folder.rename("same", "config");
        assert_eq!(polls(&mut watch), UNCHANGED, "the content is the same");
    }

    /// A `ConfigMap` is a link to `..data/config`, and `..data` is a link to a directory that is replaced.
    #[test]
    fn a_config_map_that_is_replaced_is_seen() {
        let folder = Folder::new("map");
        for (version, text) in [("v1", "one"), ("v2", "two")] {
            fs::create_dir(folder.at(version)).expect("a directory");
            folder.write(&format!("{version}/config"), text);
        }
        fs::remove_file(folder.at("config")).expect("it exists");
        symlink("v1", folder.at("..data")).expect("a link");
        symlink("..data/config", folder.at("config")).expect("a link");
        let mut watch = folder.watch();
        symlink("v2", folder.at("..data_tmp")).expect("a link");
        folder.rename("..data_tmp", "..data");
        assert_eq!(polls(&mut watch), CHANGED);
    }

    #[test]
    fn a_missing_file_is_a_change_and_so_is_its_return() {
        let folder = Folder::new("missing");
        let mut watch = folder.watch();
        folder.rename("config", "away");
        assert_eq!(polls(&mut watch), CHANGED);
        folder.rename("away", "config");
        assert_eq!(polls(&mut watch), CHANGED);
    }

    #[test]
    fn a_device_is_not_read() {
        assert_eq!(polls(&mut Watch::new(PathBuf::from("/dev/zero"))), UNCHANGED);
    }
}
