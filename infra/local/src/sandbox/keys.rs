//! Idempotency keys as Stripe's API v1 keeps them: the first result of a key is its result for a day, whatever it
//! was, a 500 included.
//!
//! Not kept is what was not executed: 401, 429, 409, a request that failed validation, 503. Source: Stripe's API
//! reference, "Idempotent requests", and "Low-level errors".

use std::collections::HashMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{form::Form, problem::Problem, word::Word};

/// After this a key is forgotten, and executes anew.
const LIFE_S: u64 = 24 * 60 * 60;
/// The longest key.
const LENGTH_MAX: usize = 255;

/// A result that is answered again.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) status: u16,
    pub(super) body: Bytes,
    /// The request that was executed.
    pub(super) request_id: Word,
}

/// What a request asks for: its path, and a digest of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    path: String,
    parameters: [u8; 32],
}

impl Fingerprint {
    pub(super) fn of(path: &str, form: &Form) -> Self {
        let mut digest = Sha256::new();
        for (name, value) in form.canonical() {
            // Lengths keep `a=bc` apart from `ab=c`.
            digest.update(name.len().to_le_bytes());
            digest.update(name);
            digest.update(value.len().to_le_bytes());
            digest.update(value);
        }
        Self { path: path.to_owned(), parameters: digest.finalize().into() }
    }
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    first_s: u64,
    /// None while the first request is being executed.
    saved: Option<Saved>,
}

/// What a request with a key is to do.
#[derive(Debug)]
pub(super) enum Begin {
    /// Execute; its key is taken until it is finished or released.
    Execute,
    /// Answer this.
    Replay(Saved),
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, Entry>);

impl Keys {
    /// The first request of a key executes, later ones get its result.
    ///
    /// # Errors
    /// The key is being used, was used for something else, or is none.
    pub(super) fn begin(
        &mut self,
        key: &str,
        fingerprint: &Fingerprint,
        now_s: u64,
    ) -> Result<Begin, Problem> {
        if key.len() > LENGTH_MAX {
            return Err(Problem::key_too_long());
        }
        let alive = self.0.get(key).filter(|entry| now_s.saturating_sub(entry.first_s) < LIFE_S);
        let Some(entry) = alive else {
            let entry = Entry { fingerprint: fingerprint.clone(), first_s: now_s, saved: None };
            self.0.insert(key.to_owned(), entry);
            return Ok(Begin::Execute);
        };
        if entry.fingerprint.path != fingerprint.path {
            return Err(Problem::other_endpoint(key, &entry.fingerprint.path, &fingerprint.path));
        }
        if entry.fingerprint != *fingerprint {
            return Err(Problem::other_parameters(key));
        }
        entry.saved.clone().map(Begin::Replay).ok_or_else(|| Problem::key_in_use(key))
    }

    /// The result of the first request, from now on everybody's.
    pub(super) fn finish(&mut self, key: &str, saved: Saved) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.saved = Some(saved);
        }
    }

    /// The first request was not executed: the next one is the first.
    pub(super) fn release(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Forgets what is too old; the provider's clock has moved.
    pub(super) fn prune(&mut self, now_s: u64) {
        self.0.retain(|_, entry| now_s.saturating_sub(entry.first_s) < LIFE_S);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(path: &str, form: &str) -> Fingerprint {
        Fingerprint::of(path, &Form::parse(form.as_bytes()).unwrap())
    }

    fn saved() -> Saved {
        Saved { status: 200, body: Bytes::from_static(b"{}"), request_id: "req_1".into() }
    }

    #[track_caller]
    fn check(keys: &mut Keys, form: &str, now_s: u64, expected: &str) {
        let found = match keys.begin("k", &fingerprint("/v1/refunds", form), now_s) {
            Ok(Begin::Execute) => "execute".to_owned(),
            Ok(Begin::Replay(saved)) => format!("replay {}", saved.request_id),
            Err(problem) => problem.status.to_string(),
        };
        assert_eq!(found, expected, "{form} at {now_s}");
    }

    #[test]
    fn the_first_result_of_a_key_is_its_result_for_a_day() {
        let mut keys = Keys::default();
        check(&mut keys, "a=1", 0, "execute");
        check(&mut keys, "a=1", 0, "409");
        check(&mut keys, "a=2", 0, "400");
        keys.finish("k", saved());
        check(&mut keys, "a=1", LIFE_S - 1, "replay req_1");
        check(&mut keys, "a=2", LIFE_S - 1, "400");
        check(&mut keys, "a=2", LIFE_S, "execute");
    }

    #[test]
    fn a_key_that_was_not_executed_is_free() {
        let mut keys = Keys::default();
        check(&mut keys, "a=1", 0, "execute");
        keys.release("k");
        check(&mut keys, "a=2", 0, "execute");
    }

    #[test]
    fn a_key_belongs_to_one_path() {
        let mut keys = Keys::default();
        check(&mut keys, "", 0, "execute");
        let problem = keys.begin("k", &fingerprint("/v1/customers", ""), 0).unwrap_err();
        assert!(problem.message().contains("'/v1/customers' vs '/v1/refunds'"), "{}", problem.message());
        assert_eq!(keys.begin(&"k".repeat(256), &fingerprint("/", ""), 0).unwrap_err().status, 400);
    }

    #[test]
    fn parameters_are_compared_by_name_and_value() {
        assert_eq!(fingerprint("/", "a=1&b=2"), fingerprint("/", "b=2&a=1"));
        assert_ne!(fingerprint("/", "a=bc"), fingerprint("/", "ab=c"));
    }
}
