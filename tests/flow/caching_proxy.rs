//! A caching proxy in front of a function URL, as the CDN is one: a shared cache by the rules of RFC 9111 (the crate
//! `http-cache-semantics`), with `stale-while-revalidate` and `stale-if-error` of RFC 5861 on top, and with one question
//! to the origin for all who ask for the same page at once.
//!
//! Its clock is a number that tests move.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http_cache_semantics::{AfterResponse, BeforeRequest, CachePolicy};
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderMap};
use hyper::{Request, Response};
use tokio::sync::Mutex as AsyncMutex;

/// The proxy, for many clients.
pub(crate) struct Proxy {
    origin: String,
    now: Mutex<SystemTime>,
    pages: AsyncMutex<BTreeMap<String, Page>>,
    questions: AtomicU64,
}

/// A page in the cache.
#[derive(Clone)]
struct Page {
    policy: CachePolicy,
    response: Response<Bytes>,
    fresh_for: Duration,
}

/// What a client gets, and what it took.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) response: Response<Bytes>,
    pub(crate) how: How,
}

/// What it took to serve a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The page was fresh.
    Fresh,
    /// The page was old, and was served at once; the origin was asked behind the client's back.
    StaleWhileRevalidating,
    /// The page was old, and the origin failed.
    StaleBecauseOfError,
    /// The origin was asked, and answered with this status.
    Origin(u16),
}

impl Proxy {
    pub(crate) fn before(origin: &str) -> Self {
        let (now, pages, questions) =
            (Mutex::new(SystemTime::UNIX_EPOCH), AsyncMutex::default(), AtomicU64::new(0));
        Self { origin: origin.to_owned(), now, pages, questions }
    }

    /// Moves the proxy's clock.
    pub(crate) fn advance(&self, duration: Duration) {
        *self.now.lock().unwrap() += duration;
    }

    /// How often the origin was asked.
    pub(crate) fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }

    /// Serves a client.
    pub(crate) async fn get(&self, path: &str) -> Served {
        let mut pages = self.pages.lock().await;
        let now = *self.now.lock().unwrap();
        let request = Request::get(path).body(()).unwrap();
        let Some(page) = pages.get(path).cloned() else {
            let response = self.ask(path, HeaderMap::new()).await;
            let how = How::Origin(response.status().as_u16());
            keep(
                &mut pages,
                path,
                CachePolicy::new_options(&request, &response, now, Default::default()),
                &response,
                now,
            );
            return Served { response, how };
        };
        let question = match page.policy.before_request(&request, now) {
            BeforeRequest::Fresh(_) => return Served { response: page.response, how: How::Fresh },
            BeforeRequest::Stale { request, .. } => request,
        };
        let answer = self.ask(path, question.headers.clone()).await;
        let how = How::Origin(answer.status().as_u16());
        if answer.status().is_server_error() && page.allows("stale-if-error", now) {
            return Served { response: page.response, how: How::StaleBecauseOfError };
        }
        let question = Request::from_parts(question, ());
        let (policy, response) = match page.policy.after_response(&question, &answer, now) {
            AfterResponse::NotModified(policy, parts) => {
                (policy, Response::from_parts(parts, page.response.body().clone()))
            }
            AfterResponse::Modified(policy, _) => (policy, answer),
        };
        keep(&mut pages, path, policy, &response, now);
        if page.allows("stale-while-revalidate", now) {
            return Served { response: page.response, how: How::StaleWhileRevalidating };
        }
        Served { response, how }
    }

    async fn ask(&self, path: &str, mut headers: HeaderMap) -> Response<Bytes> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        headers.remove("host");
        harness::http::fetch("GET", &format!("{}{path}", self.origin), headers).await.unwrap()
    }
}

/// Keeps a page, if it may be kept.
fn keep(
    pages: &mut BTreeMap<String, Page>,
    path: &str,
    policy: CachePolicy,
    response: &Response<Bytes>,
    now: SystemTime,
) {
    let fresh_for = policy.time_to_live(now);
    if policy.is_storable() {
        pages.insert(path.to_owned(), Page { policy, response: response.clone(), fresh_for });
    } else {
        pages.remove(path);
    }
}

impl Page {
    /// Whether it is stale for no longer than this directive allows.
    fn allows(&self, directive: &str, now: SystemTime) -> bool {
        let stale_for = self.policy.age(now).saturating_sub(self.fresh_for);
        let cache_control = self.response.headers()[CACHE_CONTROL].to_str().unwrap();
        let mut directives =
            cache_control.split(',').filter_map(|directive| directive.trim().split_once('='));
        let allowed =
            directives.find(|(name, _)| *name == directive).map(|(_, seconds)| seconds.parse().unwrap());
        allowed.is_some_and(|seconds| stale_for <= Duration::from_secs(seconds))
    }
}
