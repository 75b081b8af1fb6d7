//! The JSON Schemas, held against fixtures, against the reader, and against what we send.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::{Draft, Registry, Validator};
use order::event::parse;
use order::{
    Currency, CustomerId, EventData, OrderId, OutEvent, PaymentRequested, QuarantineReason, RefundId,
    RejectReason,
};
use proptest::prelude::{prop_assert, proptest};
use serde_json::Value;

use crate::drafts::{TRACEPARENT, valid_draft};

/// Events that only others read: the reader knows them not, the schema does.
const OUT_ONLY: [&str; 4] =
    ["order.accepted.v1", "order.confirmed.v1", "order.rejected.v1", "payment.refunded.v1"];

/// Fixtures whose fault no schema can say.
const BEYOND_SCHEMA: &str = "beyond-schema-";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path)).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One validator for each type of event.
fn validators() -> BTreeMap<String, Validator> {
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    for (name, path) in files(&root().join("schemas")) {
        schemas.insert(name.strip_suffix(".schema.json").expect("a schema").to_owned(), read(&path));
    }
    let envelope = schemas.remove("envelope").unwrap();
    let registry = Registry::new().add("urn:orderflow:schema:envelope", envelope).unwrap().prepare().unwrap();
    let options = || {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .with_registry(&registry)
    };
    let build = |(kind, schema): (String, Value)| {
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let validator = options().build(&schema).unwrap_or_else(|error| panic!("{kind}: {error}"));
        (kind, validator)
    };
    schemas.into_iter().map(build).collect()
}

/// Every fixture of one kind: type of event, file name, text.
fn fixtures(kind: &str) -> Vec<(String, String, String)> {
    let folder = root().join("../../tests/fixtures/events").join(kind);
    let types = files(&folder).into_iter();
    let each = types.flat_map(|(event_type, folder)| {
        files(&folder)
            .into_iter()
            .map(move |(name, path)| (event_type.clone(), name, fs::read_to_string(path).unwrap()))
    });
    each.collect()
}

/// Whether the reader takes it as a good event of that type.
fn is_read(event_type: &str, text: &str) -> bool {
    match parse(text) {
        Ok(event) => match event.data {
            EventData::OrderPlaced(placed) => placed.verdict.is_ok(),
            data => data.event_type() == event_type,
        },
        Err(_) => false,
    }
}

#[test]
fn every_event_of_the_contract_has_a_schema_and_fixtures() {
    let validators = validators();
    let types: Vec<&str> = validators.keys().map(String::as_str).collect();
    let contract = [
        "order.accepted.v1",
        "order.canceled.v1",
        "order.confirmed.v1",
        "order.placed.v1",
        "order.refund_requested.v1",
        "order.rejected.v1",
        "payment.refunded.v1",
        "payment.requested.v1",
        "product.changed.v1",
        "stock.adjusted.v1",
    ];
    assert_eq!(types, contract);
    for kind in ["valid", "invalid"] {
        let fixtures = fixtures(kind);
        for event_type in contract {
            assert!(fixtures.iter().any(|(of, ..)| of == event_type), "{event_type} has no {kind} fixture");
        }
        assert!(fixtures.iter().all(|(of, ..)| contract.contains(&of.as_str())));
    }
}

#[test]
fn valid_fixtures_pass_the_schema_and_the_reader() {
    let validators = validators();
    for (event_type, name, text) in fixtures("valid") {
        let errors: Vec<String> = validators[&event_type]
            .iter_errors(&serde_json::from_str(&text).unwrap())
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{event_type}/{name}: {errors:?}");
        if OUT_ONLY.contains(&event_type.as_str()) {
            assert_eq!(
                parse(&text).unwrap_err().reason,
                QuarantineReason::UnknownType,
                "{event_type}/{name}"
            );
        } else {
            assert!(is_read(&event_type, &text), "{event_type}/{name}: {:?}", parse(&text));
        }
    }
}

#[test]
fn invalid_fixtures_fail_the_schema_and_the_reader() {
    let validators = validators();
    for (event_type, name, text) in fixtures("invalid") {
        let passes = validators[&event_type].is_valid(&serde_json::from_str(&text).unwrap());
        assert_eq!(passes, name.starts_with(BEYOND_SCHEMA), "{event_type}/{name}: the schema says {passes}");
        assert!(!is_read(&event_type, &text), "{event_type}/{name} is read");
    }
}

#[test]
fn what_we_send_passes_its_schema() {
    let validators = validators();
    let order_id = OrderId::parse("ord_1").unwrap();
    let customer_id = CustomerId::parse("c_8f2").unwrap();
    let refund_id = RefundId::parse("rf_1").unwrap();
    let currency = Currency::parse("EUR").unwrap();
    let mut events = vec![
        OutEvent::OrderAccepted { order_id: order_id.clone(), customer_id: customer_id.clone() },
        OutEvent::OrderConfirmed { order_id: order_id.clone(), customer_id: customer_id.clone() },
        OutEvent::OrderCanceled { order_id: order_id.clone() },
        OutEvent::PaymentRefunded { order_id: order_id.clone(), refund_id, amount_minor: 500, currency },
    ];
    events.extend(RejectReason::ALL.iter().map(|reason| OutEvent::OrderRejected {
        order_id: order_id.clone(),
        customer_id: customer_id.clone(),
        reason: *reason,
    }));
    let mut sent: Vec<(&str, String)> = events
        .iter()
        .map(|event| (event.event_type(), event.to_event_json(2, 1_764_000_000_123, Some(TRACEPARENT))))
        .collect();
    let payment = PaymentRequested { order_id, attempt_no: 2 };
    sent.push(("payment.requested.v1", payment.to_event_json(u64::MAX, None)));
    for (event_type, text) in sent {
        let event: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> =
            validators[event_type].iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        assert_eq!(event["id"], format!("ord_1:{event_type}:2"));
    }
}

#[test]
fn the_schemas_reject_reasons_are_the_types() {
    let envelope = read(&root().join("schemas/envelope.schema.json"));
    let words: Vec<&str> = RejectReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(envelope["$defs"]["rejectReason"]["enum"], serde_json::json!(words));
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]
    #[test]
    fn what_the_reader_takes_the_schema_takes(draft in valid_draft()) {
        prop_assert!(validators()["order.placed.v1"].is_valid(&draft.event()));
    }
}
