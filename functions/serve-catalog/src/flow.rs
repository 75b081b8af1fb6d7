//! The screen to read: what becomes of a request.
//!
//! Deterministic: given the same listing, the same request has the same answer, byte for byte. Nothing is spawned, no
//! clock is read.

use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use backoff::Deadline;
use catalog::{CatalogLister, Listing};

use crate::answer::{Answer, CacheTimes};
use crate::page::{self, PRODUCTS_PER_PAGE};
use crate::report::Report;
use crate::request::{Asked, Refused, Wanted, read};

/// Answers a request, and says what it took.
///
/// Nothing that is refused costs a look at the catalog.
pub async fn respond<L: CatalogLister>(
    catalog: &L,
    times: CacheTimes,
    request: &LambdaFunctionUrlRequest,
    deadline: Deadline,
) -> (Answer, Report) {
    let mut report = Report::default();
    let answer = match read(request) {
        Err(refused) => refuse(refused, times),
        Ok(asked) => {
            report.route = asked.wanted.route();
            let listed = catalog.list(deadline).await;
            report.note(&listed);
            match listed.listing {
                None => Answer::unavailable(),
                Some(listing) => show(&asked, &listing, times),
            }
        }
    };
    report.close(&answer);
    (answer, report)
}

fn refuse(refused: Refused, times: CacheTimes) -> Answer {
    match refused {
        Refused::Path => {
            Answer::problem(404, "there is nothing here: ask for /catalog or /catalog/SKU", times)
        }
        Refused::Sku => {
            let says = "an SKU has 1 to 64 letters, digits and . _ : -";
            Answer::problem(400, says, times)
        }
        Refused::Method => Answer::method_not_allowed(),
    }
}

fn show(asked: &Asked, listing: &Listing, times: CacheTimes) -> Answer {
    let body = match &asked.wanted {
        Wanted::List { after } => Some(page::list(listing.after(after.as_ref()), PRODUCTS_PER_PAGE)),
        Wanted::Item { sku } => listing.product(sku).map(page::item),
    };
    match body {
        // Known, off sale or never heard of: the same to whoever looks.
        None => Answer::problem(404, "this product is not for sale", times),
        Some(body) => Answer::shown(body, times, asked),
    }
}
