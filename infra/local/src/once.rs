//! Folders that are made once and then only read: installed wheels, a fresh database to copy.
//!
//! The folder is filled beside its final place and renamed, so one that is there is whole; a crash leaves
//! only a `.partial` that the next maker removes. Makers of one root take turns by a file lock.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Returns `root/name`, filling it by `make` if it is not there.
///
/// # Errors
/// Those of `make`, and [`Error::File`] when the root cannot be written.
pub(crate) async fn folder(
    root: &Path,
    name: &str,
    make: impl AsyncFnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let folder = root.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    std::fs::create_dir_all(root).map_err(Error::file("create the folder", root))?;
    let lock = locked(&root.join("lock")).await?;
    if !folder.is_dir() {
        let partial = root.join(format!("{name}.partial"));
        remove(&partial)?;
        make(&partial).await?;
        std::fs::rename(&partial, &folder).map_err(Error::file("rename to", &folder))?;
    }
    drop(lock);
    Ok(folder)
}

/// Removes a folder with all that is in it; one that is missing is removed already.
pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove the folder", folder)(source))
        }
        _ => Ok(()),
    }
}

/// Waits for the lock, which the kernel releases when the file is closed, also by a crash.
async fn locked(path: &Path) -> Result<File, Error> {
    let file = path.to_owned();
    let waiting = tokio::task::spawn_blocking(move || {
        let file = File::create(file)?;
        file.lock()?;
        Ok(file)
    });
    waiting.await.unwrap_or_else(|panicked| Err(panicked.into())).map_err(Error::file("lock", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new folder in the system's temporary one.
    fn root() -> PathBuf {
        std::env::temp_dir().join(format!("orderflow-once-{}", uuid::Uuid::new_v4().simple()))
    }

    async fn make(root: &Path, content: &str) -> Result<PathBuf, Error> {
        folder(root, "made", async |partial| {
            std::fs::create_dir(partial).map_err(Error::file("create", partial))?;
            // Others get their turn while this one is half done.
            tokio::task::yield_now().await;
            std::fs::write(partial.join("content"), content).map_err(Error::file("write", partial))
        })
        .await
    }

    #[tokio::test]
    async fn a_folder_is_made_once_even_by_two_at_once() {
        let root = root();
        let (one, two) = tokio::join!(make(&root, "one"), make(&root, "two"));
        assert_eq!(one.unwrap(), two.unwrap());
        let third = make(&root, "three").await.unwrap();
        let content = std::fs::read_to_string(third.join("content")).unwrap();
        assert!(["one", "two"].contains(&content.as_str()), "{content}");
        remove(&root).unwrap();
    }

    #[tokio::test]
    async fn what_a_crash_left_half_done_is_made_again() {
        let root = root();
        std::fs::create_dir_all(root.join("made.partial/half")).unwrap();
        let made = make(&root, "whole").await.unwrap();
        assert!(!made.join("half").exists() && made.join("content").exists());
        remove(&root).unwrap();
        remove(&root).unwrap();
    }
}
