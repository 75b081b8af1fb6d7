//! The verdict: compares what was sent with what became of it. Pure: evidence in, judgement out.
//!
//! Every unit sent (an order's content, or a malformed body) ends in exactly one place: confirmed, rejected,
//! quarantined, dead-lettered, lost or unfinished. Across that, a unit is mismatched when its place or its rows are
//! not what it was sent for, when its charge is not what its row says (`money`), and when the shop was not told
//! what the row says (`events`). A price that is not what the shop sent (`changes`) is mismatched as well.

mod changes;
mod events;
mod money;

use crate::evidence::{Evidence, Row};
use crate::sent::{Item, Outcome, Placed, Sent};
use std::collections::{BTreeMap, BTreeSet};

pub use changes::judged_ms;

/// The judgement of one run; the counts are units, except where noted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// Distinct order contents and malformed bodies.
    pub sent: u64,
    /// Messages beyond those.
    pub duplicates: u64,
    /// Accepted, whatever became of them later: confirmed, not paid, or still on their way.
    pub accepted: u64,
    /// Paid.
    pub confirmed: u64,
    /// Rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// In the quarantine.
    pub quarantined: u64,
    /// In a dead-letter queue, the order or the request to pay it, and nowhere else.
    pub dead_lettered: u64,
    /// Nowhere.
    pub lost: u64,
    /// Accepted and neither paid nor rejected; or nowhere, but the queue still holds messages.
    pub unfinished: u64,
    /// Units whose rows or place are wrong, orders whose charge or events are not what their row says, SKUs whose
    /// stock does not add up or whose price is not what was sent last, rows that nobody sent.
    pub mismatched: u64,
    /// Orders from which money was taken more than once.
    pub double_charged: u64,
    /// Charges whose money is still held.
    pub orphan_holds: u64,
    /// Messages that the queues of orders and payments still hold.
    pub waiting: u64,
    /// Places where personal data, card data or secrets came out.
    pub leaked: u64,
    /// What is wrong, a sentence each.
    pub findings: Vec<String>,
}

impl Judgement {
    /// Whether nothing was lost, charged twice, mismatched, left unfinished or let out, and no money is held for
    /// nothing.
    ///
    /// A dead letter fails as well: no order of these runs may end there.
    pub fn passed(&self) -> bool {
        let money = self.double_charged + self.orphan_holds + self.leaked;
        self.lost + self.mismatched + self.unfinished + self.dead_lettered + self.waiting + money == 0
    }
}

/// Where a unit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Confirmed,
    Rejected(String),
    /// Accepted and not at its end; how it stands.
    OnItsWay(String),
    Quarantine(String),
    DeadLetter,
    Nowhere,
}

/// Judges a run.
pub fn judge(evidence: &Evidence) -> Judgement {
    let units = units(&evidence.sent);
    let total = count(evidence.sent.len());
    let mut judgement = Judgement { sent: count(units.len()), ..Judgement::default() };
    judgement.duplicates = total - judgement.sent;
    let contents = contents(&evidence.sent);
    for messages in units.values() {
        judge_unit(evidence, &contents, messages, &mut judgement);
    }
    judge_waiting(evidence, &mut judgement);
    let money = money::money(evidence);
    judgement.double_charged = count(money.double_charged.len());
    judgement.orphan_holds = count(money.orphan_holds.len());
    judgement.findings.extend(money.double_charged.into_iter().chain(money.orphan_holds));
    judgement.leaked = count(evidence.leaks.len());
    judgement.findings.extend(evidence.leaks.iter().cloned());
    let told = events::events(evidence);
    let beyond_units = money
        .mismatched
        .into_iter()
        .chain(told)
        .chain(stock(evidence))
        .chain(changes::prices(evidence))
        .chain(unsent(evidence));
    for finding in beyond_units {
        judgement.mismatched += 1;
        judgement.findings.push(finding);
    }
    judgement
}

/// What has no place may still be in the queue; what the queue does not hold any more is lost.
fn judge_waiting(evidence: &Evidence, judgement: &mut Judgement) {
    let unfound = judgement.lost.min(evidence.waiting);
    judgement.lost -= unfound;
    judgement.unfinished += unfound;
    for (queue, waiting) in [("orders", evidence.waiting), ("payments", evidence.waiting_payments)] {
        judgement.waiting += waiting;
        if waiting > 0 {
            judgement.findings.push(format!("messages that the {queue} queue still holds: {waiting}"));
        }
    }
}

/// Messages by unit, in a stable order.
fn units(sent: &[Sent]) -> BTreeMap<&str, Vec<&Sent>> {
    let mut units: BTreeMap<&str, Vec<&Sent>> = BTreeMap::new();
    for message in sent {
        units.entry(&message.unit).or_default().push(message);
    }
    units
}

/// Every content sent under an order's id, the first first.
type Contents<'a> = BTreeMap<&'a str, Vec<&'a Sent>>;

fn contents(sent: &[Sent]) -> Contents<'_> {
    let mut contents = Contents::new();
    for (message, order) in sent.iter().filter_map(|message| Some((message, message.order.as_ref()?))) {
        contents.entry(&order.order_id).or_default().push(message);
    }
    contents
}

fn judge_unit(evidence: &Evidence, contents: &Contents<'_>, messages: &[&Sent], judgement: &mut Judgement) {
    let Some(first) = messages.first() else { return };
    let row = row_of(evidence, contents, first);
    let place = place(evidence, messages, row);
    let mut wrong: Vec<String> = Vec::new();
    judgement.accepted += u64::from(row.is_some_and(Row::was_accepted));
    match &place {
        Place::Confirmed => {
            judgement.confirmed += 1;
            wrong.extend(unexpected(messages, &Outcome::Confirmed));
        }
        Place::Rejected(reason) => {
            *judgement.rejected.entry(reason.clone()).or_default() += 1;
            wrong.extend(unexpected(messages, &Outcome::Rejected(reason.clone())));
        }
        Place::OnItsWay(how) => {
            judgement.unfinished += 1;
            judgement.findings.push(format!("{} ({}): {how}, and not at its end", first.unit, first.kind));
        }
        Place::Quarantine(reason) => {
            judgement.quarantined += 1;
            wrong.extend(unexpected(messages, &Outcome::Quarantined(reason.clone())));
            wrong.extend(reused_without_first(evidence, first, reason));
        }
        Place::DeadLetter => judgement.dead_lettered += 1,
        Place::Nowhere => {
            judgement.lost += 1;
            judgement
                .findings
                .push(format!("{} ({}): no row, no quarantine, no dead letter", first.unit, first.kind));
        }
    }
    if let (Some(row), Some(order)) = (row, &first.order) {
        wrong.extend(differences(order, row));
    }
    judgement.mismatched += u64::from(!wrong.is_empty());
    judgement
        .findings
        .extend(wrong.into_iter().map(|what| format!("{} ({}): {what}", first.unit, first.kind)));
}

/// The row of this unit: under one id with several contents, the row belongs to the content that it holds.
///
/// A row that holds none of them belongs to the content that was sent first, which is then mismatched.
fn row_of<'a>(evidence: &'a Evidence, contents: &Contents<'_>, unit: &Sent) -> Option<&'a Row> {
    let id = &unit.order.as_ref()?.order_id;
    let row = evidence.orders.get(id)?;
    let contents = contents.get(id.as_str())?;
    let holds = |sent: &&&Sent| sent.order.as_ref().is_some_and(|order| differences(order, row).is_empty());
    let owner = contents.iter().find(holds).or(contents.first())?;
    (owner.unit == unit.unit).then_some(row)
}

fn place(evidence: &Evidence, messages: &[&Sent], row: Option<&Row>) -> Place {
    if let Some(row) = row {
        return place_of(row, evidence.dead_payments.contains(&row.order_id));
    }
    let ids: BTreeSet<&str> = messages.iter().map(|message| message.message_id.as_str()).collect();
    if let Some(found) = evidence.quarantine.iter().find(|found| ids.contains(found.message_id.as_str())) {
        return Place::Quarantine(found.reason.clone());
    }
    let dead = ids.iter().any(|id| evidence.dead_letters.contains(*id));
    if dead { Place::DeadLetter } else { Place::Nowhere }
}

fn place_of(row: &Row, dead_payment: bool) -> Place {
    match (row.status.as_str(), &row.reason) {
        ("confirmed", _) => Place::Confirmed,
        ("rejected", Some(reason)) => Place::Rejected(reason.clone()),
        _ if dead_payment => Place::DeadLetter,
        (status, _) => {
            let payment = row.payments.last().map_or("none", |payment| payment.status.as_str());
            Place::OnItsWay(format!("{status}, payment {payment}"))
        }
    }
}

/// A unit that was sent twice may be judged by either message: around a new price they may allow different outcomes.
fn unexpected(messages: &[&Sent], outcome: &Outcome) -> Option<String> {
    let allowed: BTreeSet<&Outcome> = messages.iter().flat_map(|message| &message.expected).collect();
    let wanted = || allowed.iter().map(|outcome| name(outcome)).collect::<Vec<_>>().join(" or ");
    (!allowed.contains(outcome)).then(|| format!("is {}, should be {}", name(outcome), wanted()))
}

fn name(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Confirmed => "confirmed".to_owned(),
        Outcome::Rejected(reason) => format!("rejected ({reason})"),
        Outcome::Quarantined(reason) => format!("quarantined ({reason})"),
    }
}

/// A reused id without any row means that both contents were turned away.
fn reused_without_first(evidence: &Evidence, sent: &Sent, reason: &str) -> Option<String> {
    let id = &sent.order.as_ref()?.order_id;
    let alone = reason == "id_reused" && !evidence.orders.contains_key(id);
    alone.then(|| "quarantined as reused, but no order has that id".to_owned())
}

/// Every field of the row that is not as it was sent, or should not be there.
fn differences(order: &Placed, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |field: &str, sent: String, found: String| {
        if sent != found {
            wrong.push(format!("{field} was sent as {sent}, the row has {found}"));
        }
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    compare("customer", order.customer_id.clone(), text(&row.customer_id));
    compare("currency", order.currency.clone(), text(&row.currency));
    compare(
        "total",
        order.total_minor.to_string(),
        row.total_minor.map_or("nothing".to_owned(), |total| total.to_string()),
    );
    let accepted = row.was_accepted();
    compare("items", lines(if accepted { &order.items } else { &[] }), lines(&row.items));
    let charge = |amount: i64, currency: &str, customer: &str, method: &str| {
        format!("{amount} {currency} {customer} {method}")
    };
    let refs = &order.payment;
    let wanted = charge(order.total_minor, &order.currency, &refs.customer_ref, &refs.method_ref);
    // A second attempt asks for the same once more.
    let mut requests: Vec<String> = row
        .payments
        .iter()
        .map(|p| charge(p.amount_minor, &p.currency, &p.customer_ref, &p.method_ref))
        .collect();
    requests.dedup();
    compare("payment", if accepted { wanted } else { String::new() }, requests.join(", "));
    let event = if accepted { "order.accepted.v1" } else { "order.rejected.v1" };
    let first = row.events.first().map(|id| events::event_type(id).to_owned());
    compare("first event", event.to_owned(), first.unwrap_or_default());
    wrong
}

/// Lines as text, in an order that does not depend on the row's.
fn lines(items: &[Item]) -> String {
    let mut lines: Vec<String> = items
        .iter()
        .map(|item| format!("{}×{} at {}", item.quantity, item.sku, item.unit_price_minor))
        .collect();
    lines.sort();
    lines.join(" + ")
}

/// SKUs whose stock is not what it was less what accepted orders took.
fn stock(evidence: &Evidence) -> Vec<String> {
    let mut taken: BTreeMap<&str, i64> = BTreeMap::new();
    let holding =
        evidence.orders.values().filter(|row| !["rejected", "canceled"].contains(&row.status.as_str()));
    holding.flat_map(|row| &row.items).for_each(|item| *taken.entry(&item.sku).or_default() += item.quantity);
    let wrong = evidence.stock.iter().filter_map(|(sku, stock)| {
        let taken = taken.get(sku.as_str()).copied().unwrap_or(0);
        let right = stock.available == Some(stock.put - taken);
        let available = stock.available.map_or("nothing".to_owned(), |available| available.to_string());
        (!right)
            .then(|| format!("stock of {sku}: {} less {taken} taken, but {available} available", stock.put))
    });
    wrong.collect()
}

/// Rows of orders that the sender does not know.
fn unsent(evidence: &Evidence) -> Vec<String> {
    let sent: BTreeSet<&str> =
        evidence.sent.iter().filter_map(|sent| Some(sent.order.as_ref()?.order_id.as_str())).collect();
    let unknown = evidence.orders.keys().filter(|id| !sent.contains(id.as_str()));
    unknown.map(|id| format!("{id}: has a row, but nobody sent it")).collect()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
