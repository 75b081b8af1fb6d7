//! The model: counts × prices. Pure.
//!
//! orderflow's counts were measured. The naive design is computed from what it would do for one order: one message an
//! invocation, one statement a row, everything in transactions, no cache, and a provider that is asked up to three
//! times. It needs no Redis and therefore no VPC, so its fixed costs are lower: that stands in the bill as well.

use super::sources::{Counts, Measured, Prices, Sizes};
use crate::{Error, cli};

/// Hours of a month, as AWS's own calculator counts.
const MONTH_H: f64 = 730.0;
const MONTH_S: f64 = MONTH_H * 3600.0;

/// Own work of an invocation beside its calls, in seconds: 25 ms of a batch less a round trip of 15, by the reason of
/// `maximum_concurrency` in the settings.
const OWN_WORK_S: f64 = 0.010;

/// Long polls of an idle event source: five pollers, each 20 s.
const POLLERS: f64 = 5.0;
const POLL_S: f64 = 20.0;

/// Bytes through the NAT gateway for one call to SQS, the Data API or the provider, both ways.
const CALL_BYTES: f64 = 5_000.0;

/// Calls to the provider for one order: authorize, capture.
const PROVIDER_CALLS: f64 = 2.0;

/// Aurora's smallest step, which an awake database without a minimum runs at.
const LEAST_ACU: f64 = 0.5;

/// Naive: of a hundred orders, so many meet a provider that does not answer, and are asked so often.
const NAIVE_UNANSWERED: f64 = 0.01;
const NAIVE_ATTEMPTS: f64 = 3.0;

const GB: f64 = 1e9;

/// Whether an item grows with orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By orders.
    Use,
    /// By the month, orders or none.
    Fixed,
}

/// One line of the bill; amounts and USD for a month, orderflow first, then naive.
#[derive(Debug, Clone)]
pub struct Item {
    /// The line.
    pub name: String,
    /// Whether it grows with orders.
    pub kind: Kind,
    /// Its unit.
    pub unit: &'static str,
    /// How much of it.
    pub amount: [f64; 2],
    /// What that costs.
    pub usd: [f64; 2],
}

/// The whole bill.
#[derive(Debug, Clone)]
pub struct Bill {
    /// All lines.
    pub items: Vec<Item>,
    /// Data API calls of one order.
    pub data_api_calls_per_order: [f64; 2],
    /// Orders of one invocation of process-orders.
    pub orders_per_batch: f64,
    /// What the counts and prices do not say.
    pub assumptions: Vec<String>,
    /// USD of a month if SQS and the Data API had interface endpoints, which infra/cdk does not build, and what the NAT
    /// gateways would then carry less of, at most.
    pub endpoints: [f64; 2],
}

impl Bill {
    /// From how many orders a month on orderflow is the cheaper of the two; none where it never is.
    pub fn break_even(&self, orders: u32) -> Option<f64> {
        let ([ours, naive], [fixed, naive_fixed]) = (self.usd(Kind::Use), self.usd(Kind::Fixed));
        let spared_per_order = (naive - ours) / f64::from(orders);
        (spared_per_order > 0.0).then(|| ((fixed - naive_fixed) / spared_per_order).max(0.0))
    }

    /// USD of a month, orderflow and naive.
    pub fn usd(&self, kind: Kind) -> [f64; 2] {
        let items = self.items.iter().filter(|item| item.kind == kind);
        items.fold([0.0; 2], |[ours, naive], item| [ours + item.usd[0], naive + item.usd[1]])
    }
}

/// What one design uses in a month, beside what stands there anyway.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    sqs_requests: f64,
    invocations: f64,
    gb_s: f64,
    data_api_calls: f64,
    nat_bytes: f64,
    log_bytes: f64,
    database_bytes: f64,
}

/// Computes the bill.
///
/// # Errors
/// [`Error::NoNumber`] for a price that the file does not have.
pub fn bill(prices: &Prices, measured: &Measured, sizes: &Sizes, options: &cli::Cost) -> Result<Bill, Error> {
    let orders = f64::from(options.orders_per_month);
    let batch = options.orders_per_batch.map(f64::from);
    let (ours, naive) =
        (scaled(per_order(measured, sizes, batch), orders), scaled(naive(measured, sizes), orders));
    let mut bill = Lines { prices, items: Vec::new() };
    bill.by_use([ours, naive], sizes)?;
    bill.fixed(measured, sizes)?;
    let calls = |usage: Usage| usage.data_api_calls / orders;
    Ok(Bill {
        items: bill.items,
        data_api_calls_per_order: [calls(ours), calls(naive)],
        orders_per_batch: batch.unwrap_or_else(|| batch_of(measured.of("process-orders"))),
        assumptions: assumptions(measured, sizes),
        endpoints: endpoints(prices, sizes, ours.nat_bytes / GB)?,
    })
}

/// Messages of one invocation.
fn batch_of(counts: Counts) -> f64 {
    counts.messages / counts.invocations.max(1.0)
}

/// What orderflow uses for one order.
fn per_order(measured: &Measured, sizes: &Sizes, batch: Option<f64>) -> Usage {
    let mut usage = Usage { database_bytes: measured.database_bytes / measured.orders, ..Usage::default() };
    for (name, counts) in measured.functions.iter().filter(|(_, counts)| counts.messages > 0.0) {
        let messages = counts.messages / measured.orders;
        // What an invocation does hardly depends on how many orders come with it: that is what a batch is for.
        let invocations = messages / batch.unwrap_or_else(|| batch_of(*counts));
        let each = |count: f64| invocations * count / counts.invocations.max(1.0);
        let duration_s = match name.as_str() {
            "settle-payments" => sizes.settled_batch_s,
            _ => OWN_WORK_S + sizes.data_api_rtt_s * counts.data_api_calls / counts.invocations.max(1.0),
        };
        // The shop's own messages are sent one by one; ours are among the calls of whoever sends them.
        let sent_by_the_shop = if name == "settle-payments" { 0.0 } else { messages };
        let sqs = each(counts.sqs_calls);
        let provider = if name == "settle-payments" { PROVIDER_CALLS * messages } else { 0.0 };
        usage.sqs_requests += sent_by_the_shop + 2.0 * invocations + sqs;
        usage.invocations += invocations;
        usage.gb_s += invocations * duration_s * sizes.memory_gb(name);
        usage.data_api_calls += each(counts.data_api_calls);
        usage.log_bytes += each(counts.log_bytes);
        usage.nat_bytes += CALL_BYTES * (sqs + each(counts.data_api_calls) + provider);
    }
    usage
}

/// What the naive design uses for one order.
fn naive(measured: &Measured, sizes: &Sizes) -> Usage {
    let lines = measured.lines / measured.orders;
    // Catalog; BEGIN, order, each line, each shelf, event, COMMIT; BEGIN, order, payment, event, COMMIT.
    let data_api_calls = 1.0 + (4.0 + 2.0 * lines) + 5.0;
    let unanswered_s = NAIVE_UNANSWERED * NAIVE_ATTEMPTS * sizes.provider_timeout_s;
    let duration_s =
        OWN_WORK_S + data_api_calls * sizes.data_api_rtt_s + PROVIDER_CALLS * sizes.provider_s + unanswered_s;
    let accepts = measured.of("process-orders");
    Usage {
        // Sent, received, deleted; two events told.
        sqs_requests: 5.0,
        invocations: 1.0,
        gb_s: duration_s * sizes.memory_gb("process-orders"),
        data_api_calls,
        nat_bytes: 0.0,
        log_bytes: accepts.log_bytes / accepts.invocations.max(1.0),
        database_bytes: measured.database_bytes / measured.orders,
    }
}

fn scaled(one: Usage, orders: f64) -> Usage {
    Usage {
        sqs_requests: one.sqs_requests * orders,
        invocations: one.invocations * orders,
        gb_s: one.gb_s * orders,
        data_api_calls: one.data_api_calls * orders,
        nat_bytes: one.nat_bytes * orders,
        log_bytes: one.log_bytes * orders,
        database_bytes: one.database_bytes * orders,
    }
}

/// The bill while it is written.
struct Lines<'a> {
    prices: &'a Prices,
    items: Vec<Item>,
}

impl Lines<'_> {
    fn add(
        &mut self,
        (kind, name, unit): (Kind, &str, &'static str),
        price: &str,
        amount: [f64; 2],
    ) -> Result<(), Error> {
        let price = self.prices.of(price)?;
        let usd = amount.map(|amount| amount * price);
        self.items.push(Item { name: name.to_owned(), kind, unit, amount, usd });
        Ok(())
    }

    fn by_use(&mut self, usage: [Usage; 2], sizes: &Sizes) -> Result<(), Error> {
        let of = |field: fn(&Usage) -> f64| usage.each_ref().map(field);
        let kept_months = sizes.log_days / 30.0;
        let line = |name, unit| (Kind::Use, name, unit);
        self.add(line("SQS requests", "requests"), "sqs_requests", of(|u| u.sqs_requests))?;
        self.add(line("Lambda requests", "invocations"), "lambda_requests", of(|u| u.invocations))?;
        self.add(line("Lambda duration, arm64", "GB-s"), "lambda_gb_s", of(|u| u.gb_s))?;
        self.add(line("Data API calls", "calls"), "data_api_calls", of(|u| u.data_api_calls))?;
        self.add(line("NAT, data", "GB"), "nat_gb", of(|u| u.nat_bytes / GB))?;
        self.add(line("Logs taken in", "GB"), "logs_gb", of(|u| u.log_bytes / GB))?;
        let kept = of(|u| u.log_bytes / GB).map(|gb| gb * kept_months);
        self.add(line("Logs kept", "GB-months"), "logs_gb_month", kept)?;
        let stored = of(|u| u.database_bytes / GB);
        self.add(line("Database storage, a month's orders", "GB-months"), "aurora_storage_gb_month", stored)
    }

    fn fixed(&mut self, measured: &Measured, sizes: &Sizes) -> Result<(), Error> {
        let line = |name, unit| (Kind::Fixed, name, unit);
        let both = |amount: f64| [amount, amount];
        let acu_h = acu_hours(sizes);
        self.add(line("Aurora capacity, at its minimum", "ACU-h"), "aurora_acu_h", both(acu_h))?;
        let (nodes, node_type) = &sizes.cache;
        let cache = format!("Valkey, {node_type}");
        self.add((Kind::Fixed, &cache, "node-h"), node_type, [nodes * MONTH_H, 0.0])?;
        self.add(line("NAT gateways", "h"), "nat_h", [sizes.nat_gateways * MONTH_H, 0.0])?;
        let (runs, counts) = (MONTH_S * sizes.reconciles_per_s, measured.of("reconcile-orders"));
        let each = |count: f64| runs * count / counts.invocations.max(1.0);
        let duration_s = OWN_WORK_S + sizes.data_api_rtt_s * each(counts.data_api_calls) / runs;
        let gb_s = runs * duration_s * sizes.memory_gb("reconcile-orders");
        self.add(
            line("Reconciler, Data API", "calls"),
            "data_api_calls",
            [each(counts.data_api_calls), 0.0],
        )?;
        self.add(line("Reconciler, Lambda requests", "invocations"), "lambda_requests", [runs, 0.0])?;
        self.add(line("Reconciler, Lambda duration", "GB-s"), "lambda_gb_s", [gb_s, 0.0])?;
        self.add(line("Reconciler, logs", "GB"), "logs_gb", [each(counts.log_bytes) / GB, 0.0])?;
        let polls = POLLERS * MONTH_S / POLL_S;
        let sources = f64::from(
            u32::try_from(measured.functions.values().filter(|c| c.messages > 0.0).count()).unwrap_or(0),
        );
        self.add(line("SQS, polls of empty queues", "requests"), "sqs_requests", [sources * polls, polls])?;
        self.add(line("Alarms", ""), "alarm_month", both(sizes.alarms))?;
        self.add(line("Metrics", ""), "custom_metric_month", [sizes.metrics, 0.0])?;
        self.add(line("Dashboard", ""), "dashboard_month", both(1.0))?;
        self.add(line("Secrets", ""), "secret_month", both(sizes.secrets))?;
        self.add(line("KMS key", ""), "kms_key_month", both(1.0))
    }
}

/// Capacity that is there without a single order: the minimum; for a database that pauses, the smallest step for as long
/// as the reconciler's runs keep it awake.
fn acu_hours(sizes: &Sizes) -> f64 {
    let awake = (sizes.auto_pause_s * sizes.reconciles_per_s).min(1.0);
    let acu = if sizes.minimum_acu > 0.0 { sizes.minimum_acu } else { LEAST_ACU * awake };
    sizes.instances * acu * MONTH_H
}

/// What endpoints for two services in every zone would cost, and how much NAT they could save.
fn endpoints(prices: &Prices, sizes: &Sizes, nat_gb: f64) -> Result<[f64; 2], Error> {
    let hours = 2.0 * sizes.availability_zones * MONTH_H;
    let cost = hours * prices.of("endpoint_h")? + nat_gb * prices.of("endpoint_gb")?;
    Ok([cost, nat_gb * prices.of("nat_gb")?])
}

fn assumptions(measured: &Measured, sizes: &Sizes) -> Vec<String> {
    let ms = |seconds: f64| seconds * 1000.0;
    let lines = measured.lines / measured.orders;
    vec![
        format!(
            "durations are not measured on AWS: {:.0} ms of own work an invocation, {:.0} ms a Data API call (local.data_api_rtt_ms), {:.0} ms a batch of settle-payments (provider.settled_batch_ms)",
            ms(OWN_WORK_S), ms(sizes.data_api_rtt_s), ms(sizes.settled_batch_s)
        ),
        "Aurora stays at its minimum: capacity beyond it, I/O and backups are not in the bill, and neither are metrics that are split by a reason, which cost only in the hours in which it occurs, what more the naive design asks of the database, calls to KMS, the schedule, the CDN with its images and serve-catalog behind it, the shop's own systems and what the provider takes".to_owned(),
        "every message fits 64 KiB, every Data API call 32 KiB; the shop sends one message a call".to_owned(),
        format!("{CALL_BYTES:.0} bytes through NAT for each call to SQS, the Data API and the provider; an idle event source polls {POLLERS:.0} times in {POLL_S:.0} s; a run of the reconciler does what it did in the demo"),
        format!(
            "naive: one message an invocation; for an order of {lines:.2} lines 1 catalog read, BEGIN, order, {lines:.2} lines, {lines:.2} shelves, event, COMMIT, and after the payment BEGIN, order, payment, event, COMMIT; paid inline at {:.0} ms a call (local.provider_median_ms), {:.0} % of orders asked {NAIVE_ATTEMPTS:.0} times in vain for {:.0} ms each (provider.attempt_timeout_ms); no Redis, so no VPC, NAT or cache, and no reconciler",
            ms(sizes.provider_s), NAIVE_UNANSWERED * 100.0, ms(sizes.provider_timeout_s)
        ),
    ]
}

#[cfg(test)]
mod tests;
