//! `campaign`: orders while the payment provider fails in every way at random and functions are killed, and then the
//! verdict: whatever happened on the way, every order must have reached its end, and every charge must be right.

mod result;
pub(crate) mod trouble;

use crate::evidence::{self, Evidence};
use crate::orders::{Plan, Repricing, Variety};
use crate::sender::{self, Run};
use crate::sent::Outcome;
use crate::settling::{Told, settled};
use crate::stack::{Info, Stack, StackOptions, poll_until};
use crate::verdict::judge;
use crate::{Error, database, demo, kits, progress, sandbox};
use result::Campaign;
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;
use xtask::{cli, out, workspace};

/// How long the sweep may take to release what is held for nothing.
const SWEEP_LIMIT: Duration = Duration::from_secs(180);

/// An order whose provider failed in all its attempts ends so, rightly; nothing else may.
const GIVEN_UP: &str = "payment_unavailable";

/// Runs the campaign; an `Ok` means that nothing was found.
///
/// # Errors
/// [`Error::Found`] when something was found and has been printed; whatever stops the run before that.
pub async fn run(options: &cli::Campaign) -> Result<(), Error> {
    out::note("Starting a stack …");
    let stack = Stack::start(StackOptions {
        stage: "local",
        state: workspace::private().join(format!("campaign-{}", std::process::id())),
        servers: options.servers.from.as_str(),
        ..StackOptions::default()
    })
    .await?;
    let file = stack.state().join("sent.jsonl");
    let result = tokio::select! {
        result = on(&stack.info, options, &file) => result,
        () = demo::interrupted() => Err(Error::Interrupted),
    };
    stack.end_or_say().await;
    let campaign = result?;
    if options.json {
        out::line(&campaign.json(options));
        out::note(&campaign.verdict());
    } else {
        out::line(&campaign.table());
        out::line(&campaign.verdict());
    }
    if campaign.passed() { Ok(()) } else { Err(Error::Found) }
}

async fn on(info: &Info, options: &cli::Campaign, file: &Path) -> Result<Campaign, Error> {
    let units = usize::try_from(options.orders).unwrap_or(usize::MAX);
    let (kits, plenty) = (kits::catalog(), kits::plenty(units));
    let sql = info.sql().await?;
    database::seed(&sql, &kits, plenty).await?;
    sandbox::set_faults(info, options.seed, &trouble::faults()).await?;
    let (reprice, variety) = (Repricing::Never, Variety::Shop);
    let plan = Plan { units, seed: options.seed, start: demo::now(), reprice, variety };
    let (sent, enough, over) = (Cell::new(0), Cell::new(false), Cell::new(false));
    let (queues, orders, rate) = (&info.sqs(), info.queue("orders")?, options.rate);
    let products = info.queue("products")?;
    let run = Run { queues, orders, products, sql: &sql, rate, file, progress: &sent, enough: &enough };
    let load = async {
        let sent = sender::send(run, &plan).await;
        let paid = trouble::mostly_paid(&sql, rate).await;
        over.set(true);
        sent.and(paid)
    };
    let work = async {
        let (load, kills, redis) = tokio::join!(
            load,
            trouble::kill_functions(info, options.kill_every_ms, &over),
            trouble::kill_redis(info, options, &sent, &over),
        );
        load.and(redis).and(kills)
    };
    let kills = tokio::select! {
        kills = work => kills,
        error = progress::show(info, &sql, &sent) => error.map(|never| match never {}),
    };
    progress::end();
    let (kills, provider) = (kills?, sandbox::figures(info).await?);
    sandbox::set_faults(info, options.seed, &[]).await?;
    out::note("The provider is well again; waiting for the end of every order, and for the sweep …");
    rest(info, &sql, Duration::from_secs(options.wait_s.into())).await?;
    let mut evidence = evidence::collect(info, file, &kits, plenty).await?;
    let given_up = allow_giving_up(&mut evidence);
    Ok(Campaign {
        judgement: judge(&evidence),
        faults: provider.refused_by_fault,
        kills,
        given_up,
        orders: options.orders,
    })
}

/// Waits until every order is at its end, every event is told, and the sweep has released what was held for nothing.
pub(crate) async fn rest(info: &Info, sql: &Client, limit: Duration) -> Result<(), Error> {
    settled(info, sql, Told::Marked, limit).await?;
    let swept = poll_until("the end of the sweep", SWEEP_LIMIT, async || {
        Ok(sandbox::ledger(info).await?.orphan_holds.is_empty())
    });
    match swept.await {
        // What is still held then is the verdict's business.
        Err(Error::Never { .. }) => Ok(()),
        other => other,
    }
}

/// Lets good orders end as given up, and counts those that did.
pub(crate) fn allow_giving_up(evidence: &mut Evidence) -> u64 {
    let given_up = Outcome::Rejected(GIVEN_UP.to_owned());
    for sent in evidence.sent.iter_mut().filter(|sent| sent.order.is_some()) {
        let payable = sent.expected.iter().any(|outcome| match outcome {
            Outcome::Confirmed => true,
            Outcome::Rejected(reason) => reason.starts_with("payment_"),
            Outcome::Quarantined(_) => false,
        });
        sent.expected.extend(payable.then(|| given_up.clone()));
    }
    let ended = evidence.orders.values().filter(|row| row.reason.as_deref() == Some(GIVEN_UP));
    u64::try_from(ended.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::allow_giving_up;
    use crate::evidence::{Evidence, Row};
    use crate::sent::{Outcome, Placed, Sent};

    #[track_caller]
    fn check(expected: Outcome, allowed: bool) {
        let order: Placed = serde_json::from_str(
            r#"{"orderId":"ord_a","customerId":"c","currency":"EUR","placedAt":"","items":[],"adjustments":[],
                "totalMinor":1,"payment":{"customerRef":"","methodRef":""}}"#,
        )
        .unwrap();
        let sent = Sent {
            unit: "ord_a".into(),
            kind: "plain".into(),
            order: Some(order),
            expected: vec![expected],
            message_id: String::new(),
            sent_at_ms: 0,
            traceparent: String::new(),
        };
        let row = Row { reason: Some("payment_unavailable".into()), ..Row::default() };
        let mut evidence =
            Evidence { sent: vec![sent], orders: [("ord_a".into(), row)].into(), ..Evidence::default() };
        assert_eq!(allow_giving_up(&mut evidence), 1);
        let given_up = Outcome::Rejected("payment_unavailable".into());
        assert_eq!(evidence.sent[0].expected.contains(&given_up), allowed);
    }

    #[test]
    fn only_an_order_that_was_to_be_paid_can_be_given_up() {
        check(Outcome::Confirmed, true);
        check(Outcome::Rejected("payment_declined".into()), true);
        check(Outcome::Rejected("out_of_stock".into()), false);
        check(Outcome::Quarantined("id_reused".into()), false);
    }
}
