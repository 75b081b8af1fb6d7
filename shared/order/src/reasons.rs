//! Why an order is rejected, and why a message is quarantined.
//!
//! The line between the two: whoever sent a readable order must hear of its end, so that is a rejection, a row and
//! an event. Quarantine is for messages that name no order one could answer for, or that must not be kept.

use crate::words::words;

words! {
    /// Why an order ended as `rejected`. The first eight are decided before anything is paid.
    pub enum RejectReason("reject reason") {
        /// An item that is not in the catalog.
        UnknownSku = "unknown_sku",
        /// An item that is not sold now.
        InactiveSku = "inactive_sku",
        /// A price that is not the catalog's, which the customer has not agreed to.
        PriceChanged = "price_changed",
        /// Not enough on the shelf for the whole order.
        OutOfStock = "out_of_stock",
        /// More lines, or more of one item, than a household orders.
        QuantityLimit = "quantity_limit",
        /// Items and adjustments do not add up to the total, or to no number at all.
        TotalMismatch = "total_mismatch",
        /// A well-formed currency that is not the catalog's.
        CurrencyMismatch = "currency_mismatch",
        /// Readable, but impossible: no items, a negative price, a malformed currency, an amount nobody can charge.
        InvalidOrder = "invalid_order",
        /// The provider or the bank said no.
        PaymentDeclined = "payment_declined",
        /// The customer did not authenticate in time.
        PaymentExpired = "payment_expired",
        /// No authorization within 23 hours.
        PaymentUnavailable = "payment_unavailable",
    }
}

words! {
    /// Why a message was put aside. [`CardData`](Self::CardData) takes precedence over all others, because it decides
    /// that the body is not kept.
    pub enum QuarantineReason("quarantine reason") {
        /// Not a JSON text (RFC 8259), or more than one.
        NotJson = "not_json",
        /// Nothing there.
        NoBody = "no_body",
        /// Larger than [`MAX_BODY_BYTES`](crate::MAX_BODY_BYTES).
        TooLarge = "too_large",
        /// Nested deeper than any event of the contract.
        TooDeep = "too_deep",
        /// JSON, but not the event it says it is; or an order or customer id that cannot be trusted.
        BadSchema = "bad_schema",
        /// An event that is not for us.
        UnknownType = "unknown_type",
        /// A known event in a version that this code does not know.
        UnknownVersion = "unknown_version",
        /// Digits that look like a card number, or a field for card data. The body must not be kept.
        CardData = "card_data",
        /// A control character in a string or a key.
        ControlChar = "control_char",
        /// An object that names a key twice: two readers would see two orders.
        DuplicateKey = "duplicate_key",
        /// A number that is no 64-bit integer where one is needed.
        NumberRange = "number_range",
        /// An id that was used for something else: an order's, an adjustment's event id, a version of a product. Decided by
        /// the database.
        IdReused = "id_reused",
    }
}
