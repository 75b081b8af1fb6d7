//! A stack beside an AWS emulator: there are the queues, the functions and the secrets of what was deployed; here is
//! what the emulator lacks, so that the deployed functions have a real database, a real cache and a provider.
//!
//! This stack then hosts no function, polls no queue and runs no schedule; its own queues stay empty.

use crate::data_api::SecretsManager;

/// The emulator, and the cluster that was deployed to it.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Its endpoint for all services.
    pub url: String,
    /// The cluster that our Data API answers for.
    pub cluster_arn: String,
    /// The user whose secret opens the database as the superuser.
    pub master_user: String,
}

impl Beside {
    /// Where the secrets are.
    pub(super) fn secrets_manager(&self) -> SecretsManager {
        SecretsManager { url: self.url.clone(), master_user: self.master_user.clone() }
    }
}
