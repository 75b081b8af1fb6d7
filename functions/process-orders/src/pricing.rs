//! Holds orders beside the catalog, and notices where the database contradicts what the cache said.

use std::collections::BTreeSet;

use catalog::Lookup;
use order::{Doubt, DoubtKind, Known, RejectReason, Sku, doubts};
use order_store::{Accepted, Verdict};

use crate::flow::Orders;

/// The SKUs whose cached entry the database has just proved wrong: it accepted an order that the cache doubted, or
/// rejected for its price or its kits one that the cache did not. Dropping them makes the next look-up read anew.
pub(crate) fn contradicted(orders: &Orders, lookup: &Lookup, answers: &[Accepted]) -> BTreeSet<Sku> {
    let mut stale = BTreeSet::new();
    for answer in answers {
        let placed = orders.get(&answer.record_no).map(|decoded| &decoded.placed);
        let Some(request) = placed.and_then(|placed| placed.verdict.as_ref().ok()) else { continue };
        let doubts = doubts(request, |sku| lookup.products.get(sku).unwrap_or(&Known::Unread));
        match &answer.verdict {
            Verdict::Accepted => stale.extend(doubts.into_iter().filter(cached).map(|doubt| doubt.sku)),
            Verdict::Rejected(reason) if blames_catalog(*reason) && doubts.is_empty() => {
                stale.extend(request.lines.iter().map(|line| line.sku.clone()));
            }
            Verdict::Rejected(_)
            | Verdict::Known
            | Verdict::IdReused
            | Verdict::Canceled
            | Verdict::Refused { .. } => {}
        }
    }
    stale
}

fn cached(doubt: &Doubt) -> bool {
    doubt.kind != DoubtKind::Unread
}

fn blames_catalog(reason: RejectReason) -> bool {
    use RejectReason::{CurrencyMismatch, InactiveSku, PriceChanged, UnknownSku};
    matches!(reason, UnknownSku | InactiveSku | PriceChanged | CurrencyMismatch)
}
