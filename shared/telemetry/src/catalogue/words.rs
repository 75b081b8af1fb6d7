//! The values of attributes: the words that rows, logs and events use, listed here because this crate depends on none of
//! ours. Tests of the crates that own them hold both lists against each other.

/// `order::RejectReason`, those that are decided before anything is paid.
pub(super) const REJECT: &[&str] = &[
    "unknown_sku",
    "inactive_sku",
    "price_changed",
    "out_of_stock",
    "quantity_limit",
    "total_mismatch",
    "currency_mismatch",
    "invalid_order",
];

/// `order::QuarantineReason`.
pub(super) const QUARANTINE: &[&str] = &[
    "not_json",
    "no_body",
    "too_large",
    "too_deep",
    "bad_schema",
    "unknown_type",
    "unknown_version",
    "card_data",
    "control_char",
    "duplicate_key",
    "number_range",
    "id_reused",
];

/// Why a record goes back to its queue: reasons of our own, and `payments::Later`.
pub(super) const RETRY: &[&str] = &[
    "database_unavailable",
    "database_resuming",
    "database_refused",
    "payments_queue_unavailable",
    "quarantine_unavailable",
    "no_answer",
    "no_outcome",
    "no_time_left",
    "panicked",
    "row_not_moved",
    "in_flight",
    "rate_limited",
    "breaker_open",
    "key_too_old",
    "not_connected",
    "unauthorized",
    "throttled",
];

/// `payments::Later`, and the switch that stops all payments.
pub(super) const PARK: &[&str] = &[
    "rate_limited",
    "breaker_open",
    "no_time_left",
    "key_too_old",
    "not_connected",
    "unauthorized",
    "throttled",
    "in_flight",
    "no_answer",
    "payments_stopped",
];

/// What a step made of a payment.
pub(super) const MOVE: &[&str] = &["confirmed", "declined", "canceled", "awaiting", "unknown", "review"];

/// `payments::Outcome`.
pub(super) const REQUEST: &[&str] = &[
    "authorized",
    "captured",
    "canceled",
    "refunded",
    "declined",
    "awaits_customer",
    "awaits_provider",
    "rate_limited",
    "breaker_open",
    "no_time_left",
    "key_too_old",
    "not_connected",
    "unauthorized",
    "throttled",
    "in_flight",
    "no_answer",
    "saved_failure",
    "dependency_failed",
    "key_conflict",
];

/// `payments::Signal`.
pub(super) const SIGNAL: &[&str] = &[
    "not_connected",
    "certificate_invalid",
    "not_sendable",
    "closed_before_answer",
    "timed_out",
    "broken_answer",
    "not_the_provider",
    "charge_held",
    "charge_captured",
    "charge_canceled",
    "charge_processing",
    "charge_requires_action",
    "charge_not_held",
    "refund_succeeded",
    "refund_pending",
    "refund_failed",
    "page_read",
    "parameter_refused",
    "key_reused",
    "unexpected_state",
    "already_captured",
    "already_refunded",
    "unauthorized",
    "forbidden",
    "not_found",
    "declined",
    "declined_for_good",
    "declined_soft",
    "authentication_required",
    "in_flight",
    "locked",
    "throttled_global_rate",
    "throttled_endpoint_rate",
    "throttled_global_concurrency",
    "throttled_endpoint_concurrency",
    "throttled_resource",
    "throttled_unnamed",
    "dependency_failed",
    "server_error",
    "gateway_failed",
    "failed_for_good",
    "refused",
];

/// What a failed call to the Data API was, by `data_api::Fault::class`.
pub(super) const DATA_API_FAULT: &[&str] =
    &["throttled", "resuming", "unavailable", "timed_out", "connection", "sql", "denied", "malformed"];

/// The layer of the catalog that knew a product; `joined` waited for the read of another look-up.
pub(super) const LOOKUP: &[&str] = &["snapshot", "redis", "joined", "miss"];

/// What became of a product change or an adjustment.
pub(super) const CHANGE: &[&str] = &["applied", "known", "superseded"];

/// Whether Redis took a product.
pub(super) const WRITE: &[&str] = &["written", "missed"];

/// Classes of HTTP status codes.
pub(super) const STATUS: &[&str] = &["2xx", "3xx", "4xx", "5xx"];

/// `catalog::Source`.
pub(super) const LISTING: &[&str] = &["snapshot", "redis", "database", "nowhere"];

/// The duties of `reconcile-orders`.
pub(super) const DUTY: &[&str] = &["events", "expiries", "unknown", "sweeps", "compare", "backlog", "pump"];
