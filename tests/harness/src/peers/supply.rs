//! Orders to accept, as events of ten SQS messages each, no order twice.

use crate::kits::Kit;
use crate::orders::{Plan, Repricing, Step, Variety, bodies, steps};
use crate::sent::{Outcome, Placed};
use crate::stack::Info;
use crate::{Error, canaries, demo};
use backoff::Random;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

/// Messages of one batch: the event source's batch size.
pub(super) const BATCH_SIZE: usize = 10;

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

/// Orders of a shop's day that can all be accepted and paid: hot kits are hot, and most orders have several lines.
#[derive(Debug)]
pub(super) struct Supply {
    random: Random,
    orders: VecDeque<Placed>,
    queue_arn: String,
    region: String,
    /// Orders handed out so far.
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
        Ok(Self {
            random,
            orders: good_orders(kits, wanted),
            queue_arn,
            region: info.region.clone(),
            used: 0,
        })
    }

    /// The next batches; fewer only where the supply was asked for too little.
    pub(super) fn batches(&mut self, count: usize) -> Vec<Batch> {
        (0..count).map(|_| self.batch()).collect()
    }

    fn batch(&mut self) -> Batch {
        let orders: Vec<Placed> = self.orders.drain(..BATCH_SIZE.min(self.orders.len())).collect();
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
