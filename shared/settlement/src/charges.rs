//! What stands at the provider for one attempt, found by customer and time: the list is read consistently, while the
//! provider's search may be an hour behind (Stripe's documentation, "Search").

use backoff::{Clock, Deadline};
use order::ProviderRef;
use payments::{Cancel, Charge, ChargeStatus, Later, ListCharges, LookUps, Payment, Request};

/// How far the provider's clock may differ from ours, each way.
const SKEW_S: u64 = 5 * 60;

/// Most pages of 100 that are read for one attempt. No customer is charged a thousand times in a day.
const PAGES_MAX: usize = 10;

/// Where to look for the charges of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The attempt that the charges name in their metadata.
    pub payment: Payment,
    /// The customer at the provider.
    pub customer_ref: ProviderRef,
    /// When the key may first have been sent, Unix seconds.
    pub first_sent_s: u64,
}

/// Every charge of the attempt, whatever its state. An empty answer is no proof that there will never be one: a request
/// may still be on its way.
///
/// # Errors
/// Why there is no answer now.
pub async fn charges_of<L: LookUps>(
    look_ups: &L,
    clock: &impl Clock,
    search: &Search,
    deadline: Deadline,
) -> Result<Vec<Charge>, Later> {
    let mut query = ListCharges {
        customer_ref: Some(search.customer_ref.clone()),
        from_s: search.first_sent_s.saturating_sub(SKEW_S),
        to_s: (clock.now_ms() / 1_000).saturating_add(SKEW_S),
        after: None,
    };
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = look_ups.list(&query, deadline).await?;
        query.after = page.charges.last().map(|charge| charge.payment_id.clone());
        found.extend(
            page.charges.into_iter().filter(|charge| charge.payment.as_ref() == Some(&search.payment)),
        );
        if !page.has_more || query.after.is_none() {
            return Ok(found);
        }
    }
    // What lies beyond is not known, so nothing may be concluded.
    Err(Later::NoAnswer)
}

/// The requests that end every charge of the attempt but `kept`, except for those that are over. A captured one is
/// left: giving money back is no machine's decision.
#[must_use]
pub fn cancellations(charges: &[Charge], kept: Option<&ProviderRef>) -> Vec<Request> {
    let live = charges.iter().filter(|charge| kept != Some(&charge.payment_id) && can_end(charge.status));
    live.filter_map(|charge| {
        Some(Request::Cancel(Cancel {
            payment: charge.payment.clone()?,
            payment_id: charge.payment_id.clone(),
        }))
    })
    .collect()
}

const fn can_end(status: ChargeStatus) -> bool {
    match status {
        ChargeStatus::NotHeld
        | ChargeStatus::RequiresAction
        | ChargeStatus::Processing
        | ChargeStatus::Held => true,
        ChargeStatus::Captured | ChargeStatus::Canceled => false,
    }
}
