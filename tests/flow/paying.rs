//! What an accepted order leads to: a charge, rows, events, and one call per step and batch.

use crate::shop::{CURRY, Shop, ids, order, order_with_card, payment_request, record, ten_orders};

#[tokio::test]
async fn orders_flow_from_the_queue_to_the_confirmation_by_themselves() {
    let shop = Shop::open().await;
    shop.let_everything_flow().await;
    shop.send(&ten_orders("paid")).await;
    shop.wait_for("ten confirmed orders", async |shop| shop.confirmed().await == 10).await;
    shop.wait_for("the events of all ends", async |shop| {
        shop.events().await.values().map(Vec::len).sum::<usize>() == 20
    })
    .await;
    let told = vec!["order.accepted.v1".to_owned(), "order.confirmed.v1".to_owned()];
    assert!(shop.events().await.values().all(|types| *types == told));
    assert_eq!(shop.number("SELECT CAST(sum(sold) AS bigint) FROM stock_equation").await, 10);
    shop.assert_all_paid_once(10).await;
    shop.close().await;
}

#[tokio::test]
async fn a_warm_batch_is_settled_with_three_data_api_calls_and_two_to_the_provider_for_each_order() {
    let shop = Shop::open().await;
    shop.batch(&ten_orders("cold")).await;
    shop.settle(&ids("cold", 10)).await;
    shop.batch(&ten_orders("warm")).await;
    let calls = async || shop.stack.status().await.unwrap().data_api_calls("settle-payments");
    let (before, provider_before) = (calls().await, shop.provider_calls().await);
    assert_eq!(shop.settle(&ids("warm", 10)).await.failed, [""; 0]);
    assert_eq!(calls().await - before, 3);
    assert_eq!(shop.provider_calls().await - provider_before, 20);
    shop.assert_all_paid_once(20).await;
    shop.close().await;
}

#[tokio::test]
async fn a_declined_order_is_rejected_and_its_stock_comes_back() {
    let shop = Shop::open().await;
    let (poor, rich) = (order_with_card("poor", "pm_card_chargeDeclined"), order("rich", CURRY, 1));
    shop.batch(&[poor, rich]).await;
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 998);
    assert_eq!(shop.settle(&["poor".to_owned(), "rich".to_owned()]).await.failed, [""; 0]);
    assert_eq!(shop.orders().await["poor"], "rejected payment_declined");
    assert_eq!(shop.orders().await["rich"], "confirmed");
    assert_eq!(shop.number("SELECT available FROM stock WHERE sku = 'kit-thai-curry-2p'").await, 999);
    assert_eq!(shop.events().await["poor"], ["order.accepted.v1", "order.rejected.v1"]);
    assert_eq!(shop.ledger().await.orders.get("poor").map_or(0, |charges| charges.captures), 0);
    shop.assert_all_paid_once(1).await;
    shop.close().await;
}

#[tokio::test]
async fn a_request_that_is_repeated_charges_once() {
    let shop = Shop::open().await;
    shop.batch(&ten_orders("again")).await;
    let mut orders = ids("again", 10);
    assert_eq!(shop.settle(&orders).await.failed, [""; 0]);
    let calls = shop.provider_calls().await;
    orders.reverse();
    assert_eq!(shop.settle(&orders).await.failed, [""; 0]);
    assert_eq!(shop.provider_calls().await, calls, "a paid order needs no call");
    let twice = [orders[0].clone(), orders[0].clone()];
    assert_eq!(shop.settle(&twice).await.failed, [""; 0]);
    shop.assert_all_paid_once(10).await;
    shop.close().await;
}

#[tokio::test]
async fn a_request_that_several_instances_receive_at_once_charges_once() {
    let shop = Shop::open().await;
    shop.batch(&ten_orders("racing")).await;
    let orders = ids("racing", 10);
    // Who meets another in the middle hands its records back; none of them may charge a second time.
    tokio::join!(shop.settle(&orders), shop.settle(&orders), shop.settle(&orders));
    for _ in 0..5 {
        if shop.confirmed().await == 10 {
            break;
        }
        shop.settle(&orders).await;
    }
    shop.assert_all_paid_once(10).await;
    shop.close().await;
}

#[tokio::test]
async fn requests_out_of_order_charge_nothing_that_was_not_committed() {
    let shop = Shop::open().await;
    // Neither the order nor the second attempt has a row: nobody committed to these requests.
    assert_eq!(shop.settle(&["early".to_owned()]).await.failed, [""; 0]);
    shop.batch(&[order("early", CURRY, 1)]).await;
    let second = record(0, Some(&payment_request("early", 2)));
    assert_eq!(shop.invoke_function("settle-payments", vec![second]).await.failed, [""; 0]);
    assert_eq!(shop.quarantined().await, ["bad_schema", "bad_schema"]);
    assert_eq!(shop.provider_calls().await, 0);
    assert_eq!(shop.settle(&["early".to_owned()]).await.failed, [""; 0]);
    shop.assert_all_paid_once(1).await;
    shop.close().await;
}
