//! Stripe's test payment methods: what each bank behind a `pm_card_…` answers.
//!
//! Source: Stripe's "Testing" page; decline and advice codes from "Card declines". Any other payment method does
//! not exist here.

/// What a card does when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    /// It pays.
    Pays,
    /// The bank says no.
    Declines(Decline),
    /// The bank wants to see the customer; one who is not there is declined.
    Authenticates,
}

/// A bank's no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    pub(super) decline_code: Option<&'static str>,
    pub(super) advice_code: Option<&'static str>,
    pub(super) message: &'static str,
}

const DECLINED: &str = "Your card was declined.";

/// The customer is not there to authenticate.
pub(super) const AUTHENTICATION_REQUIRED: Decline = Decline {
    code: "authentication_required",
    decline_code: Some("authentication_required"),
    advice_code: None,
    message: "Your card was declined. This transaction requires authentication.",
};

/// Cards that pay, by what follows `pm_card_`; so do those of a country, as `pm_card_de`.
const PAY: [&str; 21] = [
    "visa",
    "visa_debit",
    "visa_cartesBancaires",
    "mastercard",
    "mastercard_debit",
    "mastercard_prepaid",
    "amex",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "bypassPending",
    "threeDSecureOptional",
    "authenticationRequiredOnSetup",
    "riskLevelElevated",
    "avsFail",
    "avsLine1Fail",
    "avsZipFail",
    "cvcCheckFail",
    "createDispute",
    "createDisputeInquiry",
];

/// Cards whose bank wants to see the customer.
const AUTHENTICATE: [&str; 4] = [
    "authenticationRequired",
    "authenticationRequiredSetupForOffSession",
    "threeDSecure2Required",
    "threeDSecureRequired",
];

const AGAIN_LATER: Option<&str> = Some("try_again_later");
const NEVER_AGAIN: Option<&str> = Some("do_not_try_again");
const CONFIRM_DATA: Option<&str> = Some("confirm_card_data");

/// Cards that are declined, by what follows `pm_card_` and, where there is one, the brand.
const DECLINE: [(&str, Decline); 13] = [
    ("chargeDeclined", card_declined("generic_decline", None)),
    ("chargeCustomerFail", card_declined("generic_decline", None)),
    (
        "chargeDeclinedInsufficientFunds",
        Decline { message: "Your card has insufficient funds.", ..card_declined("insufficient_funds", None) },
    ),
    ("chargeDeclinedLostCard", card_declined("lost_card", NEVER_AGAIN)),
    ("chargeDeclinedStolenCard", card_declined("stolen_card", NEVER_AGAIN)),
    ("chargeDeclinedFraudulent", card_declined("fraudulent", NEVER_AGAIN)),
    ("radarBlock", card_declined("fraudulent", NEVER_AGAIN)),
    ("riskLevelHighest", card_declined("fraudulent", NEVER_AGAIN)),
    ("chargeDeclinedVelocityLimitExceeded", card_declined("card_velocity_exceeded", None)),
    ("chargeDeclinedExpiredCard", plain("expired_card", CONFIRM_DATA, "Your card has expired.")),
    (
        "chargeDeclinedIncorrectCvc",
        plain("incorrect_cvc", CONFIRM_DATA, "Your card's security code is incorrect."),
    ),
    (
        "chargeDeclinedProcessingError",
        plain(
            "processing_error",
            AGAIN_LATER,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    ("chargeDeclinedAuthenticationRequired", AUTHENTICATION_REQUIRED),
];

const fn card_declined(decline_code: &'static str, advice_code: Option<&'static str>) -> Decline {
    Decline { code: "card_declined", decline_code: Some(decline_code), advice_code, message: DECLINED }
}

const fn plain(code: &'static str, advice_code: Option<&'static str>, message: &'static str) -> Decline {
    Decline { code, decline_code: None, advice_code, message }
}

/// The card that a payment method stands for; `None` if there is none of this name.
pub(super) fn card(method: &str) -> Option<Card> {
    let name = method.strip_prefix("pm_card_")?;
    let is_country = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_country || PAY.contains(&name) {
        return Some(Card::Pays);
    }
    if AUTHENTICATE.contains(&name) {
        return Some(Card::Authenticates);
    }
    let unbranded = name.strip_prefix("visa_").unwrap_or(name);
    let declined = DECLINE.iter().find(|(declined, _)| *declined == unbranded);
    declined.map(|(_, decline)| Card::Declines(*decline))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, expected: Option<(&str, Option<&str>)>) {
        let declined = match card(method) {
            Some(Card::Declines(decline)) => Some((decline.code, decline.decline_code)),
            _ => None,
        };
        assert_eq!(declined, expected, "{method}");
    }

    #[test]
    fn each_card_does_what_the_documentation_says() {
        check("pm_card_visa", None);
        check("pm_card_chargeDeclined", Some(("card_declined", Some("generic_decline"))));
        check("pm_card_visa_chargeDeclined", Some(("card_declined", Some("generic_decline"))));
        check("pm_card_chargeDeclinedInsufficientFunds", Some(("card_declined", Some("insufficient_funds"))));
        check("pm_card_visa_chargeDeclinedLostCard", Some(("card_declined", Some("lost_card"))));
        check("pm_card_chargeDeclinedStolenCard", Some(("card_declined", Some("stolen_card"))));
        check("pm_card_chargeDeclinedExpiredCard", Some(("expired_card", None)));
        check("pm_card_chargeDeclinedIncorrectCvc", Some(("incorrect_cvc", None)));
        check("pm_card_chargeDeclinedProcessingError", Some(("processing_error", None)));
    }

    #[test]
    fn only_known_cards_exist() {
        for method in ["pm_card_visa", "pm_card_de", "pm_card_mastercard_prepaid"] {
            assert_eq!(card(method), Some(Card::Pays), "{method}");
        }
        assert_eq!(card("pm_card_authenticationRequired"), Some(Card::Authenticates));
        for method in ["pm_1N", "pm_card_", "pm_card_vis", "visa", "pm_card_visa_visa"] {
            assert_eq!(card(method), None, "{method}");
        }
    }
}
