//! The stack's folder: its lock, its logs, and `stack.json`.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::StackInfo;
use crate::error::Error;

/// The file that says where everything is, for as long as the stack runs.
const INFO: &str = "stack.json";

/// A state folder that no other stack has.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held open; the kernel takes the lock back when this process ends, however it ends.
    lock: File,
}

impl Drop for Folder {
    /// Closing the file is not enough: a child that is just being forked holds a copy of the descriptor until
    /// it executes its program, and the lock lives as long as any copy. Unlocking holds for all copies.
    fn drop(&mut self) {
        if let Err(error) = flock(&self.lock, FlockOperation::Unlock) {
            tracing::debug!(%error, "the lock of the state folder goes with this process");
        }
    }
}

impl Folder {
    /// Makes the folder and takes its lock.
    pub(super) fn claim(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path.join("logs")).map_err(Error::file("create the folder", path))?;
        let path = path.canonicalize().map_err(Error::file("find the folder", path))?;
        let lock = File::create(path.join("lock")).map_err(Error::file("create the lock of", &path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::StateInUse { path });
        }
        let folder = Self { path, lock };
        // What a killed stack left behind would be taken for ours.
        folder.remove_info();
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The log of a function or server.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// Writes `stack.json` in one step: a reader sees all of it or none.
    pub(super) fn write_info(&self, info: &StackInfo) -> Result<(), Error> {
        let path = self.path.join(INFO);
        let draft = self.path.join(format!("{INFO}.draft"));
        std::fs::write(&draft, info.to_json()).map_err(Error::file("write", &draft))?;
        std::fs::rename(&draft, &path).map_err(Error::file("write", &path))
    }

    /// Removes `stack.json`; nobody shall connect from now on.
    pub(super) fn remove_info(&self) {
        let path = self.path.join(INFO);
        if path.exists()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "a file that says where the stack is could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_stack_at_a_time() {
        let path = std::env::temp_dir().join(format!("orderflow-folder-{}", std::process::id()));
        let first = Folder::claim(&path).unwrap();
        let error = Folder::claim(&path).unwrap_err();
        assert!(matches!(error, Error::StateInUse { .. }), "{error}");
        drop(first);
        Folder::claim(&path).unwrap();
        std::fs::remove_dir_all(path).unwrap();
    }
}
