//! The states of orders and payments, and which may follow which.
//!
//! The tables say what is allowed at all. Whether a move happens is decided by a compare-and-set on the row, and
//! some moves have conditions the tables cannot hold; they are told beside them.

use crate::words::words;

words! {
    /// What became of an order. A tombstone (a cancellation that came before its order) is `canceled` without payload.
    pub enum OrderStatus("order status") {
        /// Committed, stock reserved, waiting for its payment.
        Accepted = "accepted",
        /// Paid.
        Confirmed = "confirmed",
        /// Ended with a reason, nothing charged.
        Rejected = "rejected",
        /// Ended by the customer or the shop.
        Canceled = "canceled",
        /// A person has to look.
        Review = "review",
        /// Paid, then given back partly or wholly; the sum of its refunds tells how much.
        Refunded = "refunded",
    }
}

words! {
    /// Where one attempt to pay stands.
    pub enum PaymentStatus("payment status") {
        /// The request is committed; the provider may or may not have heard of it.
        Requested = "requested",
        /// Authorized, and the order still wanted: the capture may be sent.
        Capturing = "capturing",
        /// The money is ours.
        Captured = "captured",
        /// Over, nothing charged. Absorbs: a new attempt is a new row.
        Failed = "failed",
        /// The provider's answer is not known.
        Unknown = "unknown",
        /// Authorized but no longer wanted: the hold is being released.
        Voiding = "voiding",
        /// The customer has to authenticate.
        AwaitingCustomer = "awaiting_customer",
        /// The provider works on it.
        AwaitingProvider = "awaiting_provider",
        /// A refund is under way.
        Refunding = "refunding",
        /// Given back.
        Refunded = "refunded",
        /// A person has to look.
        Review = "review",
    }
}

impl OrderStatus {
    /// Whether an order in this state may move to `to`. Staying is not a move.
    #[must_use]
    pub const fn can_become(self, to: Self) -> bool {
        use OrderStatus::{Accepted, Canceled, Confirmed, Refunded, Rejected, Review};
        match self {
            Accepted => matches!(to, Confirmed | Rejected | Canceled | Review),
            Confirmed => matches!(to, Refunded),
            Rejected | Canceled | Review | Refunded => false,
        }
    }
}

impl PaymentStatus {
    /// Whether a payment in this state may move to `to`. Staying is not a move.
    ///
    /// Conditions beside the table: `unknown → requested` opens the next attempt and needs the quarantine time to be
    /// over, as does `unknown → failed`; `capturing → failed` needs the provider to have confirmed the cancellation.
    #[must_use]
    pub const fn can_become(self, to: Self) -> bool {
        use PaymentStatus::{
            AwaitingCustomer, AwaitingProvider, Captured, Capturing, Failed, Refunded, Refunding, Requested,
            Review, Unknown, Voiding,
        };
        if matches!(to, Review) {
            return !matches!(self, Failed | Review);
        }
        match self {
            Requested => {
                matches!(to, Capturing | Failed | Unknown | AwaitingCustomer | AwaitingProvider | Voiding)
            }
            Unknown => matches!(to, Capturing | Voiding | Failed | Requested),
            AwaitingCustomer | AwaitingProvider => matches!(to, Capturing | Voiding | Failed),
            Capturing => matches!(to, Captured | Failed),
            Voiding => matches!(to, Failed),
            Captured => matches!(to, Refunding),
            Refunding => matches!(to, Refunded),
            Failed | Refunded | Review => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OrderStatus, PaymentStatus};

    /// The contract's lines (and what ends an awaited payment, which it leaves open), and nothing else: every pair that is not named here is refused.
    const ORDER_MOVES: &str = "
        accepted → confirmed rejected canceled review
        confirmed → refunded";

    const PAYMENT_MOVES: &str = "
        requested → capturing failed unknown awaiting_customer awaiting_provider voiding review
        unknown → capturing voiding failed requested review
        capturing → captured failed review
        voiding → failed review
        captured → refunding review
        refunding → refunded review
        refunded → review
        awaiting_customer → capturing voiding failed review
        awaiting_provider → capturing voiding failed review";

    fn allowed(table: &str, from: &str, to: &str) -> bool {
        let rows = table.lines().filter_map(|row| row.split_once('→'));
        let mut targets =
            rows.filter(|(left, _)| left.trim() == from).flat_map(|(_, right)| right.split_whitespace());
        targets.any(|target| target == to)
    }

    #[test]
    fn orders_move_as_the_contract_says() {
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                let expected = allowed(ORDER_MOVES, from.as_str(), to.as_str());
                assert_eq!(from.can_become(*to), expected, "{from} → {to}");
            }
        }
    }

    #[test]
    fn payments_move_as_the_contract_says() {
        for from in PaymentStatus::ALL {
            for to in PaymentStatus::ALL {
                let expected = allowed(PAYMENT_MOVES, from.as_str(), to.as_str());
                assert_eq!(from.can_become(*to), expected, "{from} → {to}");
            }
        }
    }

    #[test]
    fn a_failed_attempt_stays_failed() {
        assert!(PaymentStatus::ALL.iter().all(|to| !PaymentStatus::Failed.can_become(*to)));
    }
}
