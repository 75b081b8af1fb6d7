//! The model over the files of the checkout, and by hand.

use super::{Bill, Kind, bill};
use crate::Error;
use crate::cli::{Cost, Deployed};
use crate::cost::sources::{Counts, Measured, Prices, Sizes};
use crate::cost::{MEASURED, METRICS, PRICES, SETTINGS, json, text};
use serde_json::Value;

fn options(orders_per_month: u32, stage: Deployed) -> Cost {
    Cost { orders_per_month, orders_per_batch: Some(1), stage, json: false, measure: false }
}

fn of(prices: &Value, options: &Cost) -> Result<Bill, Error> {
    let stage = options.stage.as_str();
    let snapshot = text(&format!("infra/cdk/test/snapshots/{stage}.txt")).unwrap();
    let sizes = Sizes::read(&json(SETTINGS).unwrap(), &snapshot, &json(METRICS).unwrap(), stage).unwrap();
    bill(&Prices::read(prices).unwrap(), &Measured::read(&json(MEASURED).unwrap()).unwrap(), &sizes, options)
}

fn prod(orders_per_month: u32) -> Bill {
    of(&json(PRICES).unwrap(), &options(orders_per_month, Deployed::Prod)).unwrap()
}

#[test]
fn every_price_of_the_file_is_in_a_bill_and_says_where_it_is_from() {
    let file = json(PRICES).unwrap();
    for name in Prices::read(&file).unwrap().names() {
        let entry = &file["prices"][name];
        assert!(entry["source"].as_str().is_some_and(|source| source.len() > 8), "{name}");
        let mut without = file.clone();
        without["prices"].as_object_mut().unwrap().remove(name);
        let missed =
            [Deployed::Prod, Deployed::Dev].map(|stage| of(&without, &options(1000, stage)).is_err());
        assert!(missed.contains(&true), "{name} is in no bill");
    }
}

#[test]
fn use_grows_with_orders_and_the_rest_does_not() {
    let (few, many) = (prod(1_000), prod(1_000_000));
    for design in 0..2 {
        let ratio = many.usd(Kind::Use)[design] / few.usd(Kind::Use)[design];
        assert!((ratio - 1000.0).abs() < 1e-6, "{ratio}");
    }
    assert_eq!(few.usd(Kind::Fixed), many.usd(Kind::Fixed));
}

#[test]
fn the_fixed_part_of_prod_is_mostly_the_database() {
    let bill = prod(1_000_000);
    let usd = |name: &str| bill.items.iter().find(|item| item.name.starts_with(name)).unwrap().usd;
    // Two instances at one ACU, 730 h at 0.12; two gateways, 730 h at 0.045.
    assert!((usd("Aurora")[0] - 175.2).abs() < 1e-9);
    assert!((usd("NAT gateways")[0] - 65.7).abs() < 1e-9);
    assert_eq!(usd("Valkey")[1], 0.0, "naive has no cache");
    assert!(usd("Alarms")[0] > 2.0, "counted in the snapshot");
    // More than sixty of the catalogue at 0.30, and none where nobody says one.
    assert!(usd("Metrics")[0] > 18.0 && usd("Metrics")[1] == 0.0);
    assert!(bill.items.iter().all(|item| item.usd[0].is_finite() && item.usd[0] >= 0.0));
}

#[test]
fn counts_of_a_batch_are_shared_by_its_orders() {
    let counts =
        Counts { invocations: 10.0, messages: 100.0, data_api_calls: 10.0, sqs_calls: 20.0, log_bytes: 1e9 };
    let measured = Measured {
        orders: 100.0,
        lines: 200.0,
        functions: [("process-orders".to_owned(), counts)].into(),
        ..Measured::default()
    };
    let prices = Prices::read(&json(PRICES).unwrap()).unwrap();
    let sizes = Sizes::read(&json(SETTINGS).unwrap(), "", &json(METRICS).unwrap(), "prod").unwrap();
    let amount = |options: &Cost, name: &str| {
        let bill = bill(&prices, &measured, &sizes, options).unwrap();
        bill.items.iter().find(|item| item.name.starts_with(name)).unwrap().amount
    };
    let measured_batches = Cost { orders_per_batch: None, ..options(1000, Deployed::Prod) };
    // Ten a batch: 0.1 calls an order. Naive: 1 + 4 + 2 lines twice + 5.
    assert_eq!(amount(&measured_batches, "Data API"), [100.0, 14_000.0]);
    // The shop's send, and a tenth of receive, delete and two calls of the function's own.
    assert_eq!(amount(&measured_batches, "SQS requests"), [1400.0, 5000.0]);
    assert_eq!(amount(&measured_batches, "Logs taken in"), [10.0, 100.0]);
    assert_eq!(amount(&options(1000, Deployed::Prod), "Data API"), [1000.0, 14_000.0]);
}

#[test]
fn at_break_even_both_designs_cost_the_same() {
    let busy = |orders| Cost { orders_per_batch: Some(10), ..options(orders, Deployed::Prod) };
    let prices = json(PRICES).unwrap();
    let orders = of(&prices, &busy(1_000_000)).unwrap().break_even(1_000_000).unwrap();
    let bill = of(&prices, &busy(format!("{orders:.0}").parse().unwrap())).unwrap();
    let sum = |design: usize| bill.usd(Kind::Use)[design] + bill.usd(Kind::Fixed)[design];
    assert!((sum(0) - sum(1)).abs() < 0.01, "{} and {}", sum(0), sum(1));
}

#[test]
fn a_database_that_pauses_is_paid_while_it_is_awake() {
    let bill = of(&json(PRICES).unwrap(), &options(1000, Deployed::Dev)).unwrap();
    // 300 s of every 1800, at half an ACU.
    let hours = bill.items.iter().find(|item| item.name.starts_with("Aurora")).unwrap().amount[0];
    assert!((hours - 730.0 * 0.5 / 6.0).abs() < 1e-6, "{hours}");
}

#[test]
fn the_budget_covers_what_is_fixed() {
    for stage in [Deployed::Dev, Deployed::Prod] {
        let settings = json(SETTINGS).unwrap();
        let budget = &settings["budget"]["monthly_usd"];
        let budget = budget.get(stage.as_str()).unwrap_or(&budget["value"]).as_f64().unwrap();
        let fixed = of(&json(PRICES).unwrap(), &options(1000, stage)).unwrap().usd(Kind::Fixed)[0];
        assert!(fixed < budget, "{}: {fixed} of {budget}", stage.as_str());
    }
}
