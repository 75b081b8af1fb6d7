//! Enums whose variants are the contract's words: one spelling in code, SQL, events, metrics and dashboards.

/// Declares such an enum: `as_str`, `parse`, `ALL`, `Display`, and serde as the word itself.
macro_rules! words {
    (
        $(#[$doc:meta])*
        pub enum $name:ident($what:literal) {
            $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the contract's order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word of the contract, as it stands in rows, events and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads the contract's word.
            ///
            /// # Errors
            /// [`ParseError::Word`](crate::ParseError::Word) for any other text.
            pub fn parse(word: &str) -> Result<Self, $crate::ParseError> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::ParseError::Word { what: $what }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{
        AdjustmentKind, DoubtKind, OrderStatus, ParseError, PaymentStatus, QuarantineReason, RejectReason,
    };

    /// The word that serde writes is the word of `as_str`, and both are read back.
    macro_rules! check {
        ($($name:ident),+) => {
            $(for value in $name::ALL {
                assert_eq!($name::parse(value.as_str()), Ok(*value));
                assert_eq!(value.to_string(), value.as_str());
                let json = serde_json::to_string(value).unwrap();
                assert_eq!(json, format!("\"{}\"", value.as_str()));
                assert_eq!(serde_json::from_str::<$name>(&json).unwrap(), *value);
            })+
        };
    }

    #[test]
    fn every_word_is_written_and_read_alike() {
        check!(RejectReason, QuarantineReason, OrderStatus, PaymentStatus, AdjustmentKind, DoubtKind);
    }

    #[test]
    fn other_words_are_refused_without_being_repeated() {
        let error = OrderStatus::parse("4111").unwrap_err();
        assert_eq!(error, ParseError::Word { what: "order status" });
        assert_eq!(error.to_string(), "not a known order status, use one of the contract's words");
        assert!(RejectReason::parse("Unknown_Sku").is_err());
    }
}
