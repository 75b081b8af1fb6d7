//! One unit after the other: which kind comes next, and what is right for it.

use super::bodies::{letters, placed, traceparent};
use super::changes::new_price;
use super::{Message, Plan, Step, Variety, malformed};
use crate::canaries::with_canaries;
use crate::kits::{CURRENCY, Kit, Shelf, index};
use crate::sent::{Adjustment, Item, Outcome, PaymentRefs, Placed};
use backoff::Random;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How much hotter the hottest kits are: weight 1 / rank^EXPONENT, as shops see it.
const ZIPF_EXPONENT: f64 = 1.05;

/// An id is reused only when its first use lies at least so many units back.
const REUSE_DISTANCE: usize = 50;

/// Most lines of an order, and most pieces of a line, when nothing is wrong with it.
const LINES_MAX: u64 = 3;
const QUANTITY_MAX: u64 = 3;

/// So many orders ask for a kit whose price has just changed: the n-th comes n² units after the change, so that some
/// arrive while the change is on its way, and the first that is judged by it tells how long that took.
const CURIOUS: usize = 12;

/// Of a thousand units, how many are of a kind; the rest are plain.
const MIX: [(u64, Fault); 11] = [
    (20, Fault::UnknownSku),
    (12, Fault::Shelf(Shelf::Inactive)),
    (12, Fault::Shelf(Shelf::SoldOut)),
    (10, Fault::Shelf(Shelf::Scarce)),
    (5, Fault::Quantity),
    (5, Fault::Total),
    (4, Fault::Currency),
    (4, Fault::Discount),
    (20, Fault::Malformed),
    (4, Fault::IdReused),
    (20, Fault::Declined),
];

/// The provider's card that pays.
const GOOD_CARD: &str = "pm_card_visa";

/// The provider's test cards that a bank declines for good, by Stripe's names. Those it would let try again ten
/// minutes later are left out: no run waits for so long.
const DECLINED_CARDS: [&str; 5] = [
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedLostCard",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_chargeDeclinedIncorrectCvc",
];

#[derive(Debug, Clone, Copy)]
enum Fault {
    UnknownSku,
    Shelf(Shelf),
    Quantity,
    Total,
    Currency,
    Discount,
    Malformed,
    IdReused,
    Declined,
}

/// The generator: everything it draws comes from one seeded stream.
pub(super) struct Mix<'a> {
    random: Random,
    kits: &'a [Kit],
    /// Cumulated popularity, by rank.
    popularity: Vec<f64>,
    start: Timestamp,
    variety: Variety,
    /// Kits whose price has changed, with the new one.
    changed: BTreeMap<String, i64>,
    /// Kits that have just changed, by the place of the order that asks for one.
    curious: BTreeMap<usize, String>,
    malformed: usize,
    /// Plain orders so far, with the unit's place: candidates for a reuse of their id.
    plain: Vec<(usize, Placed)>,
    /// Units whose id was used again.
    reused: Vec<String>,
}

impl<'a> Mix<'a> {
    pub(super) fn new(plan: &Plan, kits: &'a [Kit]) -> Self {
        let weight = |rank: u32| 1.0 / f64::from(rank).powf(ZIPF_EXPONENT);
        let popularity = (1..).zip(kits).scan(0.0, |sum, (rank, _)| {
            *sum += weight(rank);
            Some(*sum)
        });
        Self {
            random: Random::seeded(plan.seed),
            kits,
            popularity: popularity.collect(),
            start: plan.start,
            variety: plan.variety,
            changed: BTreeMap::new(),
            curious: BTreeMap::new(),
            malformed: 0,
            plain: Vec::new(),
            reused: Vec::new(),
        }
    }

    /// The price of a kit changes before the unit in this place.
    pub(super) fn reprice(&mut self, at: usize, sku: &str, price_minor: i64) {
        self.changed.insert(sku.to_owned(), price_minor);
        for nth in 1..=CURIOUS {
            let free = (at + nth * nth..).find(|place| !self.curious.contains_key(place));
            self.curious.extend(free.map(|place| (place, sku.to_owned())));
        }
    }

    /// The unit in this place of the run.
    pub(super) fn next(&mut self, at: usize) -> Message {
        if self.variety == Variety::GoodOrders {
            let items = vec![self.hot(|kit| kit.shelf == Shelf::Steady)];
            return self.message("plain", self.order(at, items), vec![Outcome::Confirmed]);
        }
        if let Some(sku) = self.curious.remove(&at) {
            let items = self.kits.iter().filter(|kit| kit.sku == sku).map(|kit| self.line(kit)).collect();
            return self.good(at, items);
        }
        let mut roll = self.random.below(1000);
        for (share, fault) in MIX {
            if roll < share {
                return self.faulty(at, fault);
            }
            roll -= share;
        }
        self.plain(at)
    }

    /// The first users of reused ids may be the ones that lose: says so in their messages.
    pub(super) fn allow_reuse(&self, steps: &mut [Step]) {
        for step in steps {
            if let Step::Send(message) = step
                && self.reused.contains(&message.unit)
            {
                message.expected.push(quarantined("id_reused"));
            }
        }
    }

    /// A good order of popular kits.
    fn plain(&mut self, at: usize) -> Message {
        let items: Vec<Item> = (0..=self.random.below(LINES_MAX)).map(|_| self.hot(|_| true)).collect();
        self.good(at, one_line_per_kit(items))
    }

    /// A good order of these kits; one whose price changes decides what may become of it.
    fn good(&mut self, at: usize, mut items: Vec<Item>) -> Message {
        let repriced = |items: &[Item]| {
            items
                .iter()
                .any(|item| self.kits.iter().any(|kit| kit.sku == item.sku && new_price(kit).is_some()))
        };
        let changes = repriced(&items);
        let changed = items.iter().any(|item| self.changed.contains_key(&item.sku));
        let (kind, expected) = match (changed, self.random.below(2)) {
            (true, 0) => ("old_price", vec![rejected("price_changed")]),
            (true, _) => {
                self.show_new_prices(&mut items);
                ("new_price", vec![Outcome::Confirmed])
            }
            (false, _) if changes => ("plain", vec![Outcome::Confirmed, rejected("price_changed")]),
            (false, _) => ("plain", vec![Outcome::Confirmed]),
        };
        // A mixed basket of changed and still unchanged kits may meet the next change on its way.
        let waits = items.iter().any(|item| self.pending(&item.sku));
        let expected = if kind == "new_price" && waits {
            vec![Outcome::Confirmed, rejected("price_changed")]
        } else {
            expected
        };
        let order = self.order(at, items);
        if kind == "plain" && expected.len() == 1 {
            self.plain.push((at, order.clone()));
        }
        self.message(kind, order, expected)
    }

    fn faulty(&mut self, at: usize, fault: Fault) -> Message {
        let mut order = {
            let items = vec![self.hot(|kit| kit.shelf == Shelf::Steady)];
            self.order(at, items)
        };
        match fault {
            Fault::Malformed => self.malformed(&order),
            Fault::IdReused => self.id_reused(at),
            Fault::Declined => {
                let card = DECLINED_CARDS.get(index(&self.random, DECLINED_CARDS.len()));
                order.payment.method_ref = card.copied().unwrap_or(GOOD_CARD).to_owned();
                self.message("declined", order, vec![rejected("payment_declined")])
            }
            Fault::UnknownSku => {
                let sku = format!("kit-{}-2p", letters(&self.random, 9));
                self.with_line(order, (sku, 1290), ("unknown_sku", vec![rejected("unknown_sku")]))
            }
            Fault::Shelf(shelf) => self.off_shelf(at, order, shelf),
            Fault::Quantity => {
                order.items.iter_mut().for_each(|item| item.quantity += 100);
                order.total_minor = total(&order);
                self.message("quantity_limit", order, vec![rejected("quantity_limit")])
            }
            Fault::Total => {
                order.total_minor += 1;
                self.message("total_mismatch", order, vec![rejected("total_mismatch")])
            }
            Fault::Currency => {
                order.currency = "USD".to_owned();
                self.message("currency_mismatch", order, vec![rejected("currency_mismatch")])
            }
            Fault::Discount => {
                order.adjustments.push(Adjustment { kind: "discount".to_owned(), amount_minor: 250 });
                order.total_minor = total(&order);
                self.message("invalid_order", order, vec![rejected("invalid_order")])
            }
        }
    }

    /// An order that asks, beside something steady, for a kit of this shelf.
    fn off_shelf(&mut self, at: usize, order: Placed, shelf: Shelf) -> Message {
        let (kind, expected) = match shelf {
            Shelf::Inactive => ("inactive_sku", vec![rejected("inactive_sku")]),
            Shelf::SoldOut => ("sold_out", vec![rejected("out_of_stock")]),
            Shelf::Scarce => ("scarce", vec![Outcome::Confirmed, rejected("out_of_stock")]),
            Shelf::Steady | Shelf::Repriced { .. } => ("plain", vec![Outcome::Confirmed]),
        };
        let kits: Vec<&Kit> = self.kits.iter().filter(|kit| kit.shelf == shelf).collect();
        let Some(kit) = kits.get(index(&self.random, kits.len())) else { return self.plain(at) };
        self.with_line(order, (kit.sku.clone(), kit.price_minor), (kind, expected))
    }

    /// The order with one more line.
    fn with_line(
        &self,
        mut order: Placed,
        (sku, unit_price_minor): (String, i64),
        (kind, expected): (&'static str, Vec<Outcome>),
    ) -> Message {
        order.items.push(Item { sku, quantity: self.amount(1, 2), unit_price_minor });
        order.total_minor = total(&order);
        self.message(kind, order, expected)
    }

    /// Another content under an id that an earlier order has: whichever comes second is quarantined.
    fn id_reused(&mut self, at: usize) -> Message {
        let old_enough = self.plain.partition_point(|(first, _)| first + REUSE_DISTANCE <= at);
        if old_enough == 0 {
            return self.plain(at);
        }
        let (_, mut order) = self.plain.remove(index(&self.random, old_enough));
        self.reused.push(order.order_id.clone());
        order.items.iter_mut().for_each(|item| item.quantity += 1);
        order.total_minor = total(&order);
        let unit = format!("{} again", order.order_id);
        Message {
            unit,
            ..self.message("id_reused", order, vec![quarantined("id_reused"), Outcome::Confirmed])
        }
    }

    fn malformed(&mut self, order: &Placed) -> Message {
        let nth = self.malformed;
        self.malformed += 1;
        let traceparent = traceparent(&self.random);
        let data = with_canaries(serde_json::to_value(order).unwrap_or_default());
        let (reason, body) = malformed::body(&self.random, nth, (data, &order.placed_at), &traceparent);
        let unit = format!("malformed body {}", nth + 1);
        Message { unit, kind: reason, body, traceparent, order: None, expected: vec![quarantined(reason)] }
    }

    fn message(&self, kind: &'static str, order: Placed, expected: Vec<Outcome>) -> Message {
        let traceparent = traceparent(&self.random);
        let body = placed(&self.random, &order, &traceparent);
        Message { unit: order.order_id.clone(), kind, body, traceparent, order: Some(order), expected }
    }

    /// One line of a popular kit that is on offer, neither scarce nor sold out, at the shop's first price.
    fn hot(&self, wanted: impl Fn(&Kit) -> bool) -> Item {
        let offered = |kit: &Kit| matches!(kit.shelf, Shelf::Steady | Shelf::Repriced { .. }) && wanted(kit);
        let total = self.popularity.last().copied().unwrap_or(0.0);
        loop {
            let draw = total * unit_interval(&self.random);
            let rank = self.popularity.partition_point(|sum| *sum <= draw);
            if let Some(kit) = self.kits.get(rank).filter(|kit| offered(kit)) {
                return self.line(kit);
            }
        }
    }

    /// A few pieces of this kit at the shop's first price.
    fn line(&self, kit: &Kit) -> Item {
        let quantity = self.amount(1, QUANTITY_MAX);
        Item { sku: kit.sku.clone(), quantity, unit_price_minor: kit.price_minor }
    }

    /// A whole order around these lines, with shipping, sometimes with a discount.
    fn order(&self, at: usize, items: Vec<Item>) -> Placed {
        let offset = SignedDuration::from_millis(i64::try_from(at).unwrap_or(0) * 5);
        let mut adjustments = vec![Adjustment { kind: "shipping".to_owned(), amount_minor: 490 }];
        if self.random.below(5) == 0 {
            adjustments.push(Adjustment { kind: "discount".to_owned(), amount_minor: -500 });
        }
        let payment = PaymentRefs {
            customer_ref: format!("cus_{}", letters(&self.random, 14)),
            method_ref: GOOD_CARD.to_owned(),
        };
        let mut order = Placed {
            order_id: format!("ord_{}", letters(&self.random, 20)),
            customer_id: format!("c_{}", letters(&self.random, 8)),
            currency: CURRENCY.to_owned(),
            placed_at: self.start.checked_add(offset).unwrap_or(self.start).to_string(),
            items,
            adjustments,
            total_minor: 0,
            payment,
        };
        order.total_minor = total(&order);
        order
    }

    fn show_new_prices(&self, items: &mut [Item]) {
        for item in items {
            item.unit_price_minor = self.changed.get(&item.sku).copied().unwrap_or(item.unit_price_minor);
        }
    }

    /// Whether this kit's price is still to change.
    fn pending(&self, sku: &str) -> bool {
        let changes = |kit: &Kit| kit.sku == sku && new_price(kit).is_some();
        !self.changed.contains_key(sku) && self.kits.iter().any(changes)
    }

    fn amount(&self, low: u64, high: u64) -> i64 {
        i64::try_from(self.random.between(low, high)).unwrap_or(1)
    }
}

fn total(order: &Placed) -> i64 {
    let items: i64 = order.items.iter().map(|item| item.quantity * item.unit_price_minor).sum();
    items + order.adjustments.iter().map(|adjustment| adjustment.amount_minor).sum::<i64>()
}

/// Shops merge what was put into the basket twice.
fn one_line_per_kit(items: Vec<Item>) -> Vec<Item> {
    let mut lines: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        match lines.iter_mut().find(|line| line.sku == item.sku) {
            Some(line) => line.quantity += item.quantity,
            None => lines.push(item),
        }
    }
    lines
}

/// A number in [0, 1), from 32 random bits.
fn unit_interval(random: &Random) -> f64 {
    let bits = u32::try_from(random.below(1 << 32)).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

fn rejected(reason: &str) -> Outcome {
    Outcome::Rejected(reason.to_owned())
}

fn quarantined(reason: &str) -> Outcome {
    Outcome::Quarantined(reason.to_owned())
}
