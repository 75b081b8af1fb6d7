//! Every test card: what the bank answers, and where that leaves the payment.

use super::{HOLD, Provider};

async fn check_declined(provider: &Provider, method: &str, code: &str, decline_code: &str, advice: &str) {
    let declined = provider.post("/v1/payment_intents", &HOLD.replace("pm_card_visa", method)).await;
    let found = (declined.status, declined.text("error.type"), declined.text("error.code"));
    assert_eq!(found, (402, "card_error", code), "{method}: {declined:?}");
    let found = (declined.text("error.decline_code"), declined.text("error.advice_code"));
    assert_eq!(found, (decline_code, advice), "{method}");
    assert_eq!(declined.text("error.payment_intent.status"), "requires_payment_method", "{method}");
    assert_eq!(declined.text("error.payment_intent.last_payment_error.code"), code, "{method}");
    assert!(declined.text("error.charge").starts_with("ch_") && !declined.text("error.message").is_empty());
}

#[tokio::test]
async fn every_declining_card_is_declined_for_its_reason() {
    let provider = Provider::start().await;
    for (method, code, decline_code, advice) in [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline", ""),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", ""),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline", ""),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", ""),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", ""),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card", "do_not_try_again"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card", "do_not_try_again"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent", "do_not_try_again"),
        ("pm_card_radarBlock", "card_declined", "fraudulent", "do_not_try_again"),
        ("pm_card_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded", ""),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "", "confirm_card_data"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "", "confirm_card_data"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "", "try_again_later"),
    ] {
        check_declined(&provider, method, code, decline_code, advice).await;
    }
    let ledger = provider.ledger().await;
    assert_eq!((&ledger["totals"]["authorized_minor"], &ledger["orphan_holds"][0]), (&0.into(), &().into()));
}

#[tokio::test]
async fn a_card_that_authenticates_wants_the_customer_and_declines_without() {
    let provider = Provider::start().await;
    let form = HOLD.replace("pm_card_visa", "pm_card_authenticationRequired");
    let asked = provider.post("/v1/payment_intents", &form).await;
    assert_eq!((asked.status, asked.text("status")), (200, "requires_action"));
    assert_eq!((asked.text("next_action.type"), asked.number("amount_capturable")), ("use_stripe_sdk", 0));
    let canceled = provider.post(&format!("/v1/payment_intents/{}/cancel", asked.text("id")), "").await;
    assert_eq!(canceled.text("status"), "canceled");
    let away = format!("{form}&off_session=true");
    let declined = provider.post("/v1/payment_intents", &away).await;
    let found = (declined.status, declined.text("error.code"), declined.text("error.decline_code"));
    assert_eq!(found, (402, "authentication_required", "authentication_required"));
}

#[tokio::test]
async fn a_declined_payment_may_be_confirmed_with_another_card() {
    let provider = Provider::start().await;
    let declined = provider.post("/v1/payment_intents", &HOLD.replace("visa", "chargeDeclined")).await;
    let path = format!("/v1/payment_intents/{}", declined.text("error.payment_intent.id"));
    let declined_again =
        provider.post(&format!("{path}/confirm"), "payment_method=pm_card_chargeDeclinedExpiredCard").await;
    assert_eq!((declined_again.status, declined_again.text("error.code")), (402, "expired_card"));
    assert_eq!(provider.get(&path).await.text("last_payment_error.code"), "expired_card");
    let held = provider.post(&format!("{path}/confirm"), "payment_method=pm_card_amex").await;
    assert_eq!((held.status, held.text("status")), (200, "requires_capture"));
    assert!(held.body["last_payment_error"].is_null());
}
