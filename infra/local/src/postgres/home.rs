//! The folder a PostgreSQL server lives in, and the user it runs as.
//!
//! PostgreSQL refuses root, so as root it runs as `postgres` or `nobody`. That user may be unable to reach
//! the state folder (a checkout below `/root` is closed to others): then the server lives in a private
//! folder of the temporary one, named by a digest of the state folder, and removed at the end.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{children::User, error::Error, once};

/// The users to become instead of root, in order of preference.
const OTHER_USERS: [&str; 2] = ["postgres", "nobody"];

/// A new, empty folder for one server.
#[derive(Debug)]
pub(super) struct Home {
    user: Option<User>,
    folder: PathBuf,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    InState,
    InTemporary,
}

impl Home {
    /// Makes the folder, after removing what an earlier run left in it.
    pub(super) fn create(state_dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(state_dir).map_err(Error::file("create the folder", state_dir))?;
        let state_dir = state_dir.canonicalize().map_err(Error::file("find", state_dir))?;
        let user = if rustix::process::geteuid().is_root() { Some(other_user()?) } else { None };
        let home = Self::placed(&state_dir, user);
        home.make()?;
        Ok(home)
    }

    fn placed(state_dir: &Path, user: Option<User>) -> Self {
        match user {
            Some(user) if !can_reach(user, state_dir) => {
                let digest = Sha256::digest(state_dir.as_os_str().as_encoded_bytes());
                let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                let temporary = Some(std::env::temp_dir()).filter(|folder| can_reach(user, folder));
                let folder = temporary.unwrap_or_else(|| "/tmp".into()).join(format!("orderflow-{name}"));
                Self { user: Some(user), folder, place: Place::InTemporary }
            }
            user => Self { user, folder: state_dir.join("postgres"), place: Place::InState },
        }
    }

    fn make(&self) -> Result<(), Error> {
        let folder = &self.folder;
        if let Ok(metadata) = folder.symlink_metadata() {
            // In a folder that everybody may write, somebody else may have been first.
            let owners = [rustix::process::geteuid().as_raw(), self.user.map_or(0, |user| user.uid)];
            if !metadata.is_dir() || !owners.contains(&metadata.uid()) {
                let source = std::io::Error::other("it exists and is not ours");
                return Err(Error::file("use", folder)(source));
            }
            once::remove(folder)?;
        }
        std::fs::create_dir(folder)
            .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)))
            .map_err(Error::file("create the folder", folder))?;
        self.give(folder)
    }

    /// Makes a file or folder the server's own.
    pub(super) fn give(&self, path: &Path) -> Result<(), Error> {
        let Some(User { uid, gid }) = self.user else { return Ok(()) };
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))
            .map_err(Error::file("change the owner of", path))
    }

    /// Whom the server runs as; none is this process's own user.
    pub(super) fn user(&self) -> Option<User> {
        self.user
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Whether the server's user can get at a file or folder below `path`.
    pub(super) fn can_reach(&self, path: &Path) -> bool {
        self.user.is_none_or(|user| can_reach(user, path))
    }

    /// Removes the folder, if it is outside the state folder; inside, it is left for a look.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match self.place {
            Place::InState => Ok(()),
            Place::InTemporary => once::remove(&self.folder),
        }
    }
}

/// Whether `user` may pass through `path` and every folder above it.
fn can_reach(user: User, path: &Path) -> bool {
    path.ancestors().filter(|folder| !folder.as_os_str().is_empty()).all(|folder| {
        folder.metadata().is_ok_and(|metadata| {
            let wanted = match metadata {
                ref owned if owned.uid() == user.uid => 0o100,
                ref grouped if grouped.gid() == user.gid => 0o010,
                _ => 0o001,
            };
            metadata.mode() & wanted != 0
        })
    })
}

fn other_user() -> Result<User, Error> {
    let path = Path::new("/etc/passwd");
    let users = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    find_user(&users)
        .ok_or(Error::NoProgram { server: "user to run PostgreSQL as", instead: "create the user postgres" })
}

/// The preferred user of a password file: `name:password:uid:gid:…`.
fn find_user(users: &str) -> Option<User> {
    OTHER_USERS.iter().find_map(|wanted| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (name == *wanted && uid != 0).then_some(User { uid, gid })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY: User = User { uid: 4_000_000, gid: 4_000_000 };

    #[test]
    fn postgres_is_preferred_to_nobody_and_root_is_never_taken() {
        let nobody = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(find_user(nobody), Some(User { uid: 65534, gid: 65534 }));
        let both = format!("{nobody}postgres:x:101:104::/var/lib/postgresql:/bin/bash\n");
        assert_eq!(find_user(&both), Some(User { uid: 101, gid: 104 }));
        assert_eq!(find_user("postgres:x:0:0::/:/bin/sh\n"), None);
    }

    #[test]
    fn a_state_folder_that_is_closed_to_the_user_is_replaced_by_a_private_one() {
        let root = std::env::temp_dir().join(format!("orderflow-home-{}", uuid::Uuid::new_v4().simple()));
        let state = root.join("closed/state");
        std::fs::create_dir_all(&state).unwrap();
        let open = Home::placed(&state, Some(SOMEBODY));
        assert_eq!((open.place, open.folder), (Place::InState, state.join("postgres")));

        std::fs::set_permissions(root.join("closed"), std::fs::Permissions::from_mode(0o700)).unwrap();
        let closed = Home::placed(&state, Some(SOMEBODY));
        assert_eq!(closed.place, Place::InTemporary);
        assert!(!closed.folder.starts_with(&root), "{}", closed.folder.display());
        let other = Home::placed(&root.join("closed/other"), Some(SOMEBODY));
        assert_ne!(closed.folder, other.folder, "two stacks never share a folder");
        once::remove(&root).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_taken_over() {
        let root = std::env::temp_dir().join(format!("orderflow-home-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&root).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("postgres")).unwrap();
        let home = Home { user: None, folder: root.join("postgres"), place: Place::InState };
        assert!(home.make().is_err());
        once::remove(&root).unwrap();
    }
}
