//! The bill for people and for scripts.

use super::model::{Bill, Item, Kind};
use super::sources::{Measured, Prices};
use crate::cli;
use crate::out::table;
use serde_json::{Value, json};

/// The tables, and what they rest on.
pub fn text(bill: &Bill, prices: &Prices, measured: &Measured, options: &cli::Cost) -> String {
    let [ours, naive] = bill.data_api_calls_per_order;
    let [endpoints, spared] = bill.endpoints;
    let heading = format!(
        "{} orders a month, {:.1} an invocation of process-orders, stage {}: USD by the list of {}, {}",
        grouped(f64::from(options.orders_per_month)),
        bill.orders_per_batch,
        options.stage.as_str(),
        prices.region,
        prices.as_of
    );
    let mut parts = vec![heading, section(bill, Kind::Use, options), section(bill, Kind::Fixed, options)];
    parts.push(format!(
        "Data API calls an order: {ours:.2} measured, {naive:.1} naive. Endpoints for SQS and the Data API would cost {endpoints:.2} USD and spare at most {spared:.2}."
    ));
    parts.push(match bill.break_even(options.orders_per_month) {
        Some(orders) => {
            format!("orderflow is the cheaper of the two from {} orders a month on.", grouped(orders))
        }
        None => {
            "With batches of this size the naive design is the cheaper of the two at any number of orders."
                .to_owned()
        }
    });
    parts.push(format!("Measured: {}", measured.provenance));
    parts.extend(bill.assumptions.iter().map(|assumption| format!("Assumed: {assumption}.")));
    parts.join("\n\n").replace(".\n\nAssumed", ".\nAssumed")
}

/// One table: the lines of a kind, their sum, and for [`Kind::Fixed`] the sum of everything.
fn section(bill: &Bill, kind: Kind, options: &cli::Cost) -> String {
    let per_thousand = |usd: f64| usd * 1000.0 / f64::from(options.orders_per_month);
    let money = |usd: [f64; 2]| {
        let [ours, naive] = usd;
        [
            format!("{ours:.2}"),
            format!("{:.4}", per_thousand(ours)),
            format!("{naive:.2}"),
            format!("{:.4}", per_thousand(naive)),
        ]
    };
    let row = |name: &str, amounts: [String; 2], usd: [f64; 2]| {
        let mut cells = vec![name.to_owned()];
        cells.extend(amounts);
        cells.extend(money(usd));
        cells
    };
    let items = bill.items.iter().filter(|item| item.kind == kind);
    let mut rows: Vec<Vec<String>> =
        items.map(|item| row(&named(item), item.amount.map(grouped), item.usd)).collect();
    let nothing = || [String::new(), String::new()];
    rows.push(row("sum", nothing(), bill.usd(kind)));
    let title = match kind {
        Kind::Use => "by use",
        Kind::Fixed => {
            let ([a, b], [c, d]) = (bill.usd(Kind::Use), bill.usd(Kind::Fixed));
            rows.push(row("sum of use and fixed", nothing(), [a + c, b + d]));
            "fixed"
        }
    };
    table(&[title, "orderflow", "naive", "USD", "per 1,000", "naive USD", "per 1,000"], &rows)
}

fn named(item: &Item) -> String {
    if item.unit.is_empty() { item.name.clone() } else { format!("{} ({})", item.name, item.unit) }
}

/// The bill as one object.
pub fn json(bill: &Bill, prices: &Prices, options: &cli::Cost) -> Value {
    let pair = |[ours, naive]: [f64; 2]| json!({"orderflow": ours, "naive": naive});
    let item = |item: &Item| {
        let kind = if item.kind == Kind::Use { "use" } else { "fixed" };
        json!({"name": item.name, "kind": kind, "unit": item.unit, "amount": pair(item.amount),
               "usd_per_month": pair(item.usd)})
    };
    let ([a, b], [c, d]) = (bill.usd(Kind::Use), bill.usd(Kind::Fixed));
    json!({
        "as_of": prices.as_of, "region": prices.region, "stage": options.stage.as_str(),
        "orders_per_month": options.orders_per_month, "orders_per_batch": bill.orders_per_batch,
        "items": bill.items.iter().map(item).collect::<Vec<_>>(),
        "use_usd_per_month": pair([a, b]), "fixed_usd_per_month": pair([c, d]),
        "usd_per_month": pair([a + c, b + d]),
        "break_even_orders_per_month": bill.break_even(options.orders_per_month),
        "data_api_calls_per_order": pair(bill.data_api_calls_per_order),
        "assumptions": bill.assumptions,
    })
}

/// A count with commas; small ones with two digits behind the point.
fn grouped(count: f64) -> String {
    if count < 1000.0 {
        let text = format!("{count:.2}");
        return text.strip_suffix(".00").map(str::to_owned).unwrap_or(text);
    }
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn counts_read_easily() {
        let texts = [0.0, 0.125, 12.0, 999.0, 1000.0, 1_234_567.8].map(grouped);
        assert_eq!(texts, ["0", "0.12", "12", "999", "1,000", "1,234,568"]);
    }
}
