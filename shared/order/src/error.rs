//! What is wrong with a single value that should have been an identifier, a currency or one of our words.

/// Why a text is not the value it should be. Never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Empty or too long.
    #[error("an identifier has 1 to {max} characters, send a shorter one")]
    Length {
        /// The most characters this kind of identifier may have.
        max: usize,
    },
    /// A character outside `A-Z a-z 0-9 _ . : -`.
    #[error("an identifier consists of ASCII letters, digits and `_ . : -`, encode other characters")]
    Character,
    /// Digits that could be a card number; such a text must not travel further.
    #[error(
        "an identifier must not contain digits that look like a card number, send the provider's reference"
    )]
    CardDigits,
    /// Not three upper-case ASCII letters.
    #[error("a currency is an ISO 4217 code of three upper-case letters, such as EUR")]
    Currency,
    /// Not one of the contract's words for a state or a reason.
    #[error("not a known {what}, use one of the contract's words")]
    Word {
        /// Which vocabulary: `order status`, `reject reason`, …
        what: &'static str,
    },
}
