//! Orders to accept, as events of ten SQS messages each, no order twice.

use crate::kits::{Kit, Shelf};
use crate::orders::{Plan, Repricing, Step, Variety, bodies, steps};
use crate::sent::{Item, Outcome, Placed};
use crate::stack::Info;
use crate::{Error, canaries, demo};
use backoff::Random;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages of one batch: the event source's batch size.
pub(super) const BATCH_SIZE: usize = 10;

/// Batches between the first one and those that count. Together they name every kit that can be ordered, so that nobody's
/// cache is cold afterwards, however long ago the contender's last turn was; and a compiler that compiles while it runs
/// has something to compile.
pub(super) const WARM_UP: usize = 5;

/// Seed of the orders.
const SEED: u64 = 10;

/// One batch.
#[derive(Debug)]
pub(super) struct Batch {
    /// As Lambda hands it to the function.
    pub(super) event: Value,
    /// The orders in it.
    pub(super) order_ids: Vec<String>,
    /// Their lines.
    pub(super) lines: usize,
}

/// Orders of which each has one right end.
#[derive(Debug)]
pub(super) struct Odd {
    /// All of them, as Lambda hands them over.
    pub(super) event: Value,
    /// The first, which is to be accepted, once more.
    pub(super) again: Value,
    /// By order: `accepted`, or the reason to reject it.
    pub(super) expected: BTreeMap<String, &'static str>,
}

/// What becomes of a good order and of those that [`spoil`] has spoilt, in their order.
const REASONS: [&str; 5] = ["accepted", "unknown_sku", "price_changed", "total_mismatch", "out_of_stock"];

/// Orders of a shop's day that can all be accepted and paid: hot kits are hot, and most orders have several lines.
#[derive(Debug)]
pub(super) struct Supply {
    random: Random,
    orders: VecDeque<Placed>,
    /// The kits that any order can have.
    kits: Vec<Kit>,
    queue_arn: String,
    region: String,
    /// Orders handed out in batches so far.
    pub(super) used: usize,
}

impl Supply {
    /// At least `wanted` orders.
    ///
    /// # Errors
    /// [`Error::NoSuchQueue`] for a stack without an orders queue.
    pub(super) fn new(info: &Info, kits: &[Kit], wanted: usize) -> Result<Self, Error> {
        let queue_arn = info.queue("orders")?.arn.clone();
        let random = Random::seeded(SEED);
        let (orders, region) = (good_orders(kits, wanted), info.region.clone());
        let kits = kits.iter().filter(|kit| kit.shelf == Shelf::Steady).cloned().collect();
        Ok(Self { random, orders, kits, queue_arn, region, used: 0 })
    }

    /// A good order, and one for each reason to reject it that every contender knows.
    pub(super) fn odd(&mut self, kits: &[Kit]) -> Odd {
        let mut orders = self.orders(REASONS.len());
        let mut expected = BTreeMap::new();
        for (order, reason) in orders.iter_mut().zip(REASONS) {
            spoil(order, reason, kits);
            expected.insert(order.order_id.clone(), reason);
        }
        let again = orders.iter().take(1).map(|order| self.record(order)).collect::<Vec<_>>();
        let event = orders.iter().map(|order| self.record(order)).collect::<Vec<_>>();
        Odd { event: json!({ "Records": event }), again: json!({ "Records": again }), expected }
    }

    /// A turn's batches: one to answer first, those that warm up, and `counted` more.
    pub(super) fn turn(&mut self, counted: usize) -> Vec<Batch> {
        let mut batches = self.batches(1);
        let kits = std::mem::take(&mut self.kits);
        let mut lines = kits.chunks(kits.len().div_ceil(WARM_UP * BATCH_SIZE).max(1)).cycle();
        for _ in 0..WARM_UP {
            let mut orders = self.orders(BATCH_SIZE);
            orders.iter_mut().zip(&mut lines).for_each(|(order, kits)| ask_for(order, kits));
            batches.push(self.batch_of(orders));
        }
        self.kits = kits;
        batches.extend(self.batches(counted));
        batches
    }

    fn batches(&mut self, count: usize) -> Vec<Batch> {
        let batch = |_| {
            let orders = self.orders(BATCH_SIZE);
            self.batch_of(orders)
        };
        (0..count).map(batch).collect()
    }

    /// The next orders; fewer only where the supply was asked for too little.
    fn orders(&mut self, count: usize) -> Vec<Placed> {
        self.orders.drain(..count.min(self.orders.len())).collect()
    }

    fn batch_of(&mut self, orders: Vec<Placed>) -> Batch {
        self.used += orders.len();
        Batch {
            event: json!({ "Records": orders.iter().map(|order| self.record(order)).collect::<Vec<_>>() }),
            lines: orders.iter().map(|order| order.items.len()).sum(),
            order_ids: orders.into_iter().map(|order| order.order_id).collect(),
        }
    }

    /// A message as the event source hands it over; the event in it is bare, which every contender understands.
    fn record(&self, order: &Placed) -> Value {
        let traceparent = bodies::traceparent(&self.random);
        let data = canaries::with_canaries(serde_json::to_value(order).unwrap_or_default());
        let event = bodies::event(&self.random, "order.placed.v1", &order.placed_at, (data, &traceparent));
        let sent_ms = demo::now().as_millisecond().to_string();
        json!({
            "messageId": bodies::letters(&self.random, 32), "receiptHandle": bodies::letters(&self.random, 64),
            "body": event.to_string(), "md5OfBody": bodies::letters(&self.random, 32),
            "attributes": {
                "ApproximateReceiveCount": "1", "SentTimestamp": sent_ms, "SenderId": "shop",
                "ApproximateFirstReceiveTimestamp": sent_ms,
            },
            "messageAttributes": { "traceparent": {
                "stringValue": traceparent, "stringListValues": [], "binaryListValues": [], "dataType": "String",
            }},
            "eventSource": "aws:sqs", "eventSourceARN": self.queue_arn, "awsRegion": self.region,
        })
    }
}

/// Makes it an order of one of each of these kits.
fn ask_for(order: &mut Placed, kits: &[Kit]) {
    let line = |kit: &Kit| Item { sku: kit.sku.clone(), quantity: 1, unit_price_minor: kit.price_minor };
    order.items = kits.iter().map(line).collect();
    order.adjustments.clear();
    order.total_minor = kits.iter().map(|kit| kit.price_minor).sum();
}

/// Gives a good order the fault that has this reason; none for one that is to be accepted.
fn spoil(order: &mut Placed, reason: &str, kits: &[Kit]) {
    let sold_out = kits.iter().find(|kit| kit.shelf == Shelf::SoldOut);
    match (reason, order.items.first_mut(), sold_out) {
        ("unknown_sku", Some(item), _) => item.sku = "kit-of-nobody-2p".to_owned(),
        ("price_changed", Some(item), _) => {
            item.unit_price_minor += 1;
            order.total_minor += item.quantity;
        }
        ("total_mismatch", _, _) => order.total_minor += 1,
        ("out_of_stock", _, Some(kit)) => {
            order.items.push(Item { sku: kit.sku.clone(), quantity: 1, unit_price_minor: kit.price_minor });
            order.total_minor += kit.price_minor;
        }
        _ => {}
    }
}

/// The orders of a run that can only be confirmed; longer and longer runs, until there are enough.
fn good_orders(kits: &[Kit], wanted: usize) -> VecDeque<Placed> {
    let (start, reprice, variety) = (demo::now(), Repricing::Never, Variety::Shop);
    let mut units = wanted + wanted / 2 + 100;
    loop {
        let mut seen = BTreeSet::new();
        let good = steps(&Plan { units, seed: SEED, start, reprice, variety }, kits).into_iter();
        let good = good.filter_map(|step| match step {
            Step::Send(message) if message.expected == [Outcome::Confirmed] => message.order,
            Step::Send(_) | Step::Change(_) => None,
        });
        let good: VecDeque<Placed> = good.filter(|order| seen.insert(order.order_id.clone())).collect();
        if good.len() >= wanted {
            return good;
        }
        units *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::good_orders;
    use crate::kits;
    use std::collections::BTreeSet;

    #[test]
    fn orders_are_distinct_enough_and_of_several_lines() {
        let orders = good_orders(&kits::catalog(), 500);
        let ids: BTreeSet<&str> = orders.iter().map(|order| order.order_id.as_str()).collect();
        assert!(orders.len() >= 500 && ids.len() == orders.len());
        let lines: usize = orders.iter().map(|order| order.items.len()).sum();
        assert!(lines > orders.len() * 3 / 2, "{lines} lines of {} orders", orders.len());
    }
}
