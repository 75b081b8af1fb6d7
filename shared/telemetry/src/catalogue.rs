//! Every metric of orderflow, once. Documentation, dashboards, alarms and rules are made from this list or checked
//! against it; see `infra/monitoring`.
//!
//! Names are OpenTelemetry's where it has one (semantic conventions 1.45: messaging, faas, http, db); messaging and
//! faas are still in development there, so they may change.

mod buckets;
mod words;

use crate::metric::{Attribute, Kind, Metric, Source, Unit};
use buckets::{CACHE_S, LATENCY_S};

/// What a value of an attribute is counted as that the catalogue does not list.
pub const OTHER: &str = "other";

/// The dimension of every metric that a function emits: the name of the Lambda function.
pub const FUNCTION: &str = "faas.name";
/// The CloudWatch namespace of every metric that a function emits.
pub const NAMESPACE: &str = "orderflow";

const BATCHES: Source = Source::Functions(&["process-orders", "settle-payments", "refresh-catalog"]);
const PROCESS: Source = Source::Functions(&["process-orders"]);
const SETTLE: Source = Source::Functions(&["settle-payments"]);
const RECONCILE: Source = Source::Functions(&["reconcile-orders"]);
const REFRESH: Source = Source::Functions(&["refresh-catalog"]);
const SERVE: Source = Source::Functions(&["serve-catalog"]);
const PROVIDER: Source = Source::Functions(&["settle-payments", "reconcile-orders"]);
const DATABASE: Source = Source::Functions(&[
    "process-orders",
    "settle-payments",
    "refresh-catalog",
    "reconcile-orders",
    "serve-catalog",
]);
const REDIS: Source =
    Source::Functions(&["process-orders", "settle-payments", "reconcile-orders", "serve-catalog"]);

const fn queue(name: &'static str, statistic: &'static str) -> Source {
    Source::Platform { dimension: "QueueName", cloudwatch: Some(("AWS/SQS", name, statistic)) }
}

const fn lambda(name: &'static str, statistic: &'static str) -> Source {
    Source::Platform { dimension: "FunctionName", cloudwatch: Some(("AWS/Lambda", name, statistic)) }
}

const fn by(key: &'static str, values: &'static [&'static str]) -> Option<Attribute> {
    Some(Attribute { key, values })
}

/// Declares each metric as a constant and all of them as a list.
macro_rules! catalogue {
    ($($constant:ident = ($name:literal, $kind:expr, $unit:ident, $attribute:expr, $source:expr, $meaning:literal);)+) => {
        $(
            #[doc = $meaning]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: $kind,
                unit: Unit::$unit,
                attribute: $attribute,
                source: $source,
                meaning: $meaning,
            };
        )+

        /// Every metric, in the order of the documentation.
        pub const METRICS: &[Metric] = &[$($constant),+];
    };
}

catalogue! {
    // Queues, as the platform sees them.
    QUEUE_OLDEST_AGE = ("messaging.queue.oldest_age", Kind::Gauge, Seconds, None, queue("ApproximateAgeOfOldestMessage", "Maximum"),
        "How long the oldest message of a queue has waited");
    QUEUE_VISIBLE = ("messaging.queue.visible", Kind::Gauge, Count, None, queue("ApproximateNumberOfMessagesVisible", "Maximum"),
        "The backlog: messages that nobody has received; in a dead-letter queue or the quarantine, all of them");
    QUEUE_IN_FLIGHT = ("messaging.queue.in_flight", Kind::Gauge, Count, None, queue("ApproximateNumberOfMessagesNotVisible", "Maximum"),
        "Messages received and neither deleted nor handed back");
    QUEUE_DELETED = ("messaging.queue.deleted", Kind::Counter, Count, None, queue("NumberOfMessagesDeleted", "Sum"),
        "Messages deleted because they were done: with the backlog, the time to drain");

    // Functions, as the platform sees them.
    INSTANCES = ("faas.instances", Kind::Gauge, Count, None, lambda("ConcurrentExecutions", "Maximum"),
        "Instances that work now");
    INVOCATIONS = ("faas.invocations", Kind::Counter, Count, None, lambda("Invocations", "Sum"),
        "Events handed to a function");
    ERRORS = ("faas.errors", Kind::Counter, Count, None, lambda("Errors", "Sum"),
        "Invocations that crashed, timed out or failed as a whole");
    THROTTLES = ("faas.throttles", Kind::Counter, Count, None, lambda("Throttles", "Sum"),
        "Invocations refused because the function was at its limit");
    TIMEOUTS = ("faas.timeouts", Kind::Counter, Count, None, Source::Platform { dimension: "FunctionName", cloudwatch: None },
        "Invocations ended at their timeout; on AWS they are among the errors");
    MEMORY = ("faas.mem_usage", Kind::Gauge, Bytes, None, Source::Platform { dimension: "FunctionName", cloudwatch: None },
        "The most memory any instance has had; on AWS it stands in the REPORT line");

    // Every function.
    COLD_STARTS = ("faas.coldstarts", Kind::Counter, Count, None, DATABASE,
        "Instances that answered their first event");
    INVOKE_DURATION = ("faas.invoke_duration", Kind::Histogram(LATENCY_S), Seconds, None, DATABASE,
        "From an event's arrival at an instance to its answer");
    DATA_API_CALLS = ("data_api.calls", Kind::Counter, Count, None, DATABASE,
        "Calls to the RDS Data API, second attempts included");
    DATA_API_RETRIES = ("data_api.retries", Kind::Counter, Count, None, DATABASE,
        "Calls to the RDS Data API that were second attempts");
    DATA_API_FAILURES = ("data_api.failures", Kind::Counter, Count, by("error.type", words::DATA_API_FAULT), DATABASE,
        "Calls to the RDS Data API that failed, throttled ones among them");
    DATA_API_DURATION = ("db.client.operation.duration", Kind::Histogram(LATENCY_S), Seconds, None, DATABASE,
        "How long each call to the RDS Data API took");
    REDIS_CALLS = ("redis.calls", Kind::Counter, Count, None, REDIS,
        "Commands sent to Redis");

    // Messages.
    CONSUMED = ("messaging.client.consumed.messages", Kind::Counter, Count, None, BATCHES,
        "Messages handed to a function; each delivery counts");
    REDELIVERED = ("messaging.redelivered.messages", Kind::Counter, Count, None, BATCHES,
        "Messages among them that were received before");
    WAIT_DURATION = ("messaging.wait.duration", Kind::Histogram(LATENCY_S), Seconds, None, BATCHES,
        "From sending a message to the start of the batch that first received it");
    RETRIED = ("messaging.retried.messages", Kind::Counter, Count, by("reason", words::RETRY), BATCHES,
        "Messages handed back to their queue: item failures");
    QUARANTINED = ("messaging.quarantined.messages", Kind::Counter, Count, by("reason", words::QUARANTINE), BATCHES,
        "Messages put aside because they can never be processed");

    // Orders.
    ORDERS_ACCEPTED = ("orders.accepted", Kind::Counter, Count, None, PROCESS,
        "Orders accepted");
    ORDERS_KNOWN = ("orders.known", Kind::Counter, Count, None, PROCESS,
        "Deliveries of orders that an earlier one had settled");
    ORDERS_REJECTED = ("orders.rejected", Kind::Counter, Count, by("reason", words::REJECT), PROCESS,
        "Orders rejected");
    ORDERS_ACCEPTED_DURATION = ("orders.accepted.duration", Kind::Histogram(LATENCY_S), Seconds, None, PROCESS,
        "From sending an order to the answer of the call that accepted it");
    CATALOG_LOOKUPS = ("catalog.lookups", Kind::Counter, Count, by("result", words::LOOKUP), PROCESS,
        "Products looked up, by the layer that answered");
    CATALOG_LOOKUP_DURATION = ("catalog.lookup.duration", Kind::Histogram(CACHE_S), Seconds, None, PROCESS,
        "How long the catalog look-up of a batch took");

    // Payments.
    PAYMENTS_MOVED = ("payments.moved", Kind::Counter, Count, by("outcome", words::MOVE), SETTLE,
        "Payments that reached a state");
    PAYMENTS_CONFIRMED_DURATION = ("payments.confirmed.duration", Kind::Histogram(LATENCY_S), Seconds, None, SETTLE,
        "From publishing a payment request to the commit of its capture");
    PAYMENTS_PARKED = ("payments.parked", Kind::Counter, Count, by("reason", words::PARK), SETTLE,
        "Payments put aside in their rows until they can proceed");
    PAYMENT_REQUESTS = ("payments.requests", Kind::Counter, Count, by("outcome", words::REQUEST), PROVIDER,
        "Requests to the provider by what became of them; what the breaker or the limiter held back was never sent");
    PAYMENT_ATTEMPTS = ("payments.attempts", Kind::Counter, Count, by("error.type", words::SIGNAL), PROVIDER,
        "Attempts at the provider by what came of them");
    PAYMENT_RETRIES = ("payments.retries", Kind::Counter, Count, None, PROVIDER,
        "Attempts that were not the first of their request");
    PAYMENT_REPLAYS = ("payments.replays", Kind::Counter, Count, None, PROVIDER,
        "Answers that the provider had saved for an earlier attempt with the same key");
    PROVIDER_DURATION = ("http.client.request.duration", Kind::Histogram(LATENCY_S), Seconds, None, PROVIDER,
        "How long each attempt at the provider took");
    GATE_DEGRADED = ("payments.gate.degraded", Kind::Counter, Count, None, PROVIDER,
        "Invocations in which the gate went on without Redis, on the instance's share of the rate");

    // What was left over, once a run.
    PARKED_WAITING = ("payments.parked.waiting", Kind::Gauge, Count, None, RECONCILE,
        "Parked payments");
    PARKED_AGE = ("payments.parked.age", Kind::Gauge, Seconds, None, RECONCILE,
        "How long the oldest parked payment has waited");
    UNKNOWN_WAITING = ("payments.unknown.waiting", Kind::Gauge, Count, None, RECONCILE,
        "Payments whose outcome nobody knows");
    UNKNOWN_AGE = ("payments.unknown.age", Kind::Gauge, Seconds, None, RECONCILE,
        "How long the oldest of them has been so");
    REVIEW_WAITING = ("payments.review.waiting", Kind::Gauge, Count, None, RECONCILE,
        "Payments that a person has to look at");
    CAPTURED_NOT_CONFIRMED = ("payments.captured_not_confirmed", Kind::Gauge, Count, None, RECONCILE,
        "Orders whose money was taken and that are not confirmed; must be 0");
    ORDERS_UNPAID = ("orders.unpaid", Kind::Counter, Count, None, RECONCILE,
        "Orders rejected because nobody could take their payment for 23 hours");
    EVENTS_UNSENT = ("orders.events.unsent", Kind::Gauge, Count, None, RECONCILE,
        "Events of orders that are not marked as published, a minute after they were written");
    DIFFERENCES = ("payments.differences", Kind::Counter, Count, None, RECONCILE,
        "Charges about which the provider and the rows disagree");
    COMPARE_BEHIND = ("payments.compare.behind", Kind::Gauge, Seconds, None, RECONCILE,
        "How much of the provider's time is still to be compared with the rows");
    DUTIES_STOPPED = ("reconcile.duties.stopped", Kind::Counter, Count, by("duty", words::DUTY), RECONCILE,
        "Duties of a run that stopped before their work was done");

    // The catalog.
    CATALOG_CHANGES = ("catalog.changes", Kind::Counter, Count, by("result", words::CHANGE), REFRESH,
        "Product changes and stock adjustments");
    CATALOG_CHANGE_DURATION = ("catalog.change.duration", Kind::Histogram(LATENCY_S), Seconds, None, REFRESH,
        "From sending a change to the answer of the call that applied it");
    STOCK_OWING = ("stock.owing", Kind::Counter, Count, None, REFRESH,
        "Adjustments that took more from a shelf than was on it");
    CACHE_WRITES = ("catalog.cache.writes", Kind::Counter, Count, by("result", words::WRITE), REFRESH,
        "Products that changed, by whether Redis took them");
    HTTP_DURATION = ("http.server.request.duration", Kind::Histogram(LATENCY_S), Seconds, None, SERVE,
        "From a request's arrival at an instance to its answer");
    HTTP_RESPONSES = ("http.server.responses", Kind::Counter, Count, by("http.response.status_class", words::STATUS), SERVE,
        "Answers to browsers and the CDN");
    LISTINGS = ("catalog.listings", Kind::Counter, Count, by("result", words::LISTING), SERVE,
        "Listings shown, by where they came from");
    LISTING_AGE = ("catalog.listing.age", Kind::Gauge, Seconds, None, SERVE,
        "How long ago the listing last shown was read from the database");
}
