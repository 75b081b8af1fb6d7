//! What a day of the shop looks like, from a seed: orders good and bad, repeats, reordering, new prices, deliveries.
//!
//! Every message carries the outcomes that are right for it. Most have exactly one; two remain where the stack may
//! choose (who gets the last scarce kit, which of two contents under one id comes first, what an old price meets
//! around the moment it changes).

pub mod bodies;
pub mod changes;
pub mod malformed;
#[cfg(test)]
mod meaning;
mod mix;

use crate::kits::{Kit, index};
use crate::sent::{Outcome, Placed};
use backoff::Random;
use changes::{Change, What};
use jiff::Timestamp;
use mix::Mix;

/// How far a repeat trails what it repeats, in messages.
const REPEAT_DISTANCE_MAX: usize = 300;

/// How far reordering moves a message.
const REORDERED_BY_MAX: usize = 20;

/// Of a thousand units, how many are sent twice.
const REPEATED_PERMILLE: u64 = 30;

/// One message to send.
#[derive(Debug, Clone)]
pub struct Message {
    /// What is counted once, however often it is sent.
    pub unit: String,
    /// What kind of thing it is.
    pub kind: &'static str,
    /// The body, as it goes onto the queue.
    pub body: String,
    /// W3C trace context, which goes into the message's attributes as well.
    pub traceparent: String,
    /// The order, unless the body names none.
    pub order: Option<Placed>,
    /// Every outcome that is right.
    pub expected: Vec<Outcome>,
}

/// One step of a run, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// Send this.
    Send(Box<Message>),
    /// The shop tells of a new price or a delivery. Orders around it may be judged by either; the sender knows which.
    Change(Box<Change>),
}

/// How to generate.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Distinct orders and malformed bodies.
    pub units: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// When the first order was placed; the only input that differs between two runs of one seed.
    pub start: Timestamp,
    /// Whether prices change in the middle; only a stack whose kits have their first prices can do that.
    pub reprice: Repricing,
    /// What is among the orders.
    pub variety: Variety,
}

/// What is among the orders of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variety {
    /// Everything a shop sees: faults of every kind, declined cards, repeats, reordering.
    Shop,
    /// Orders that can be paid, each once and in order, so that every message is one payment.
    GoodOrders,
}

/// Whether prices change in the middle of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repricing {
    /// Kits on that shelf change their price, and scarce ones are delivered.
    InTheMiddle,
    /// All prices and shelves stay.
    Never,
}

/// All steps of a run; the same plan gives the same steps.
pub fn steps(plan: &Plan, kits: &[Kit]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(plan.units + plan.units / 10);
    let mut changes = changes::changes(plan, kits);
    let mut mix = Mix::new(plan, kits);
    for at in 0..plan.units {
        for change in changes.remove(&at).unwrap_or_default() {
            if let What::Price(price_minor) = change.what {
                mix.reprice(at, &change.sku, price_minor);
            }
            steps.push(Step::Change(Box::new(change)));
        }
        let message = mix.next(at);
        steps.push(Step::Send(Box::new(message)));
    }
    if plan.variety == Variety::GoodOrders {
        return steps;
    }
    mix.allow_reuse(&mut steps);
    let random = Random::seeded(plan.seed ^ 0x5eed);
    reorder(&random, &mut steps);
    repeat(&random, steps)
}

/// Moves messages by a few places, never across a change: what a message may expect depends on its side.
fn reorder(random: &Random, steps: &mut [Step]) {
    let mut at = 0;
    while at < steps.len() {
        let segment = steps.iter().skip(at).take_while(|step| matches!(step, Step::Send(_))).count();
        for place in at..at + segment {
            let distance = index(random, REORDERED_BY_MAX + 1).min(at + segment - 1 - place);
            // Every fourth message only: most of a shop's messages arrive in order.
            if random.below(4) == 0 {
                steps.swap(place, place + distance);
            }
        }
        at += segment + 1;
    }
}

/// Sends some messages twice: at once, or much later, sometimes as a new event in another wrapping.
fn repeat(random: &Random, steps: Vec<Step>) -> Vec<Step> {
    let mut keyed: Vec<(usize, Step)> = Vec::with_capacity(steps.len());
    for (at, step) in steps.into_iter().enumerate() {
        if let Step::Send(message) = &step
            && message.order.is_some()
            && random.below(1000) < REPEATED_PERMILLE
        {
            let trail = if random.below(4) == 0 { 0 } else { index(random, REPEAT_DISTANCE_MAX) };
            keyed.push((2 * (at + trail) + 1, Step::Send(Box::new(again(random, message)))));
        }
        keyed.push((2 * at, step));
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, step)| step).collect()
}

/// The same order: byte for byte, or as another event.
fn again(random: &Random, message: &Message) -> Message {
    let mut again = message.clone();
    if let (Some(order), 0) = (&message.order, random.below(2)) {
        again.traceparent = bodies::traceparent(random);
        again.body = bodies::placed(random, order, &again.traceparent);
    }
    again
}

#[cfg(test)]
mod tests {
    use super::changes::What;
    use super::{Message, Plan, Repricing, Step, Variety, steps};
    use crate::kits::catalog;
    use crate::sent::Outcome;
    use std::collections::{BTreeMap, BTreeSet};

    fn plan(units: usize, seed: u64) -> Vec<Step> {
        let start = "2026-11-23T10:15:00Z".parse().unwrap();
        let reprice = Repricing::InTheMiddle;
        steps(&Plan { units, seed, start, reprice, variety: Variety::Shop }, &catalog())
    }

    fn messages(steps: &[Step]) -> Vec<&Message> {
        steps
            .iter()
            .filter_map(|step| if let Step::Send(message) = step { Some(&**message) } else { None })
            .collect()
    }

    #[test]
    fn the_same_seed_sends_the_same_messages_in_the_same_order() {
        let bodies = |seed| messages(&plan(500, seed)).iter().map(|m| m.body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
    }

    #[test]
    fn as_many_units_are_sent_as_asked_for_and_repeats_come_on_top() {
        for units in [1, 10, 2000] {
            let steps = plan(units, 1);
            let all = messages(&steps);
            let distinct: BTreeSet<&str> = all.iter().map(|m| m.unit.as_str()).collect();
            assert_eq!(distinct.len(), units);
            assert!(all.len() >= units && all.len() <= units + units / 10 + 1, "{} of {units}", all.len());
        }
    }

    #[test]
    fn a_run_has_all_the_variety_of_a_shop() {
        let steps = plan(2000, 1);
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        messages(&steps).iter().for_each(|m| *kinds.entry(m.kind).or_default() += 1);
        for kind in [
            "plain",
            "unknown_sku",
            "inactive_sku",
            "sold_out",
            "scarce",
            "old_price",
            "new_price",
            "id_reused",
            "declined",
        ] {
            assert!(kinds.get(kind).is_some_and(|count| *count >= 3), "{kind}: {kinds:?}");
        }
        assert!(kinds["plain"] > 1500, "{kinds:?}");
        assert!(kinds.len() >= 20, "{kinds:?}");
    }

    #[test]
    fn good_orders_are_all_to_be_paid_and_each_is_sent_once() {
        let start = "2026-11-23T10:15:00Z".parse().unwrap();
        let (reprice, variety) = (Repricing::Never, Variety::GoodOrders);
        let steps = steps(&Plan { units: 500, seed: 1, start, reprice, variety }, &catalog());
        let all = messages(&steps);
        let distinct: BTreeSet<&str> = all.iter().map(|m| m.unit.as_str()).collect();
        assert_eq!((all.len(), distinct.len()), (500, 500));
        assert!(all.iter().all(|message| message.expected == [Outcome::Confirmed]));
    }

    #[test]
    fn hot_kits_are_ordered_far_more_often_than_cold_ones() {
        let steps = plan(2000, 3);
        let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
        let orders = messages(&steps).into_iter().filter_map(|m| m.order.as_ref());
        orders.flat_map(|order| &order.items).for_each(|item| *sold.entry(&item.sku).or_default() += 1);
        let mut counts: Vec<i64> = sold.into_values().collect();
        counts.sort_unstable();
        assert!(counts.last().unwrap() > &(20 * counts[counts.len() / 2]), "{counts:?}");
    }

    #[test]
    fn old_prices_fail_after_the_change_and_new_prices_are_never_sent_before_it() {
        let mut changed: BTreeMap<String, i64> = BTreeMap::new();
        for step in plan(4000, 5) {
            match step {
                Step::Change(change) => {
                    if let What::Price(price_minor) = change.what {
                        changed.insert(change.sku, price_minor);
                    }
                }
                Step::Send(message) => {
                    let items = message.order.iter().flat_map(|order| &order.items);
                    let new =
                        items.clone().any(|item| changed.get(&item.sku) == Some(&item.unit_price_minor));
                    assert!(message.kind != "new_price" || new, "{message:?}");
                    let old = items
                        .clone()
                        .any(|item| changed.get(&item.sku).is_some_and(|p| *p != item.unit_price_minor));
                    if old {
                        assert!(
                            message.expected.contains(&Outcome::Rejected("price_changed".into())),
                            "{message:?}"
                        );
                    }
                }
            }
        }
        assert!(changed.len() >= 8);
    }

    #[test]
    fn customers_order_a_kit_soon_after_its_price_has_changed() {
        let steps = plan(2000, 1);
        for (at, step) in steps.iter().enumerate() {
            let Step::Change(change) = step else { continue };
            if let What::Delivery(_) = change.what {
                continue;
            }
            let orders = steps.iter().skip(at).filter_map(|step| match step {
                Step::Send(message) => message.order.as_ref(),
                Step::Change(_) => None,
            });
            let soon = orders.take(200).filter(|order| order.items.iter().any(|item| item.sku == change.sku));
            assert!(soon.count() >= 6, "{}", change.sku);
        }
    }

    #[test]
    fn totals_add_up_unless_that_is_the_fault() {
        for message in messages(&plan(2000, 1)) {
            let Some(order) = &message.order else { continue };
            let items: i64 = order.items.iter().map(|item| item.quantity * item.unit_price_minor).sum();
            let total = items + order.adjustments.iter().map(|a| a.amount_minor).sum::<i64>();
            assert_eq!(total == order.total_minor, message.kind != "total_mismatch", "{message:?}");
        }
    }
}
