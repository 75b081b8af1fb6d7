//! Money: whole minor units (cents, or whole yen), and the only arithmetic that is done with them.

/// The largest amount of a price or a total, in minor units: twelve digits, the most the provider takes in any
/// currency (Stripe's documentation, "Supported currencies"). The database checks the same limit.
pub const MAX_AMOUNT_MINOR: i64 = 999_999_999_999;

/// An amount in minor units of a currency that is known from where it stands. May be negative (a discount).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(i64);

impl Minor {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of so many minor units.
    #[must_use]
    pub const fn new(amount_minor: i64) -> Self {
        Self(amount_minor)
    }

    /// The number of minor units.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or `None` where it does not fit 64 bits.
    #[must_use]
    pub const fn plus(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The amount for so many pieces, or `None` where it does not fit 64 bits.
    #[must_use]
    pub const fn times(self, quantity: i64) -> Option<Self> {
        match self.0.checked_mul(quantity) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// The sum of all, or `None` where an intermediate sum does not fit 64 bits.
    pub fn sum(amounts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, |sum, amount| sum.plus(amount?))
    }
}

#[cfg(test)]
mod tests {
    use super::Minor;

    fn minor(amounts: &[i64]) -> impl Iterator<Item = Option<Minor>> {
        amounts.iter().map(|amount| Some(Minor::new(*amount)))
    }

    #[test]
    fn sums_and_products_are_exact_or_absent() {
        assert_eq!(Minor::sum(minor(&[4980, 490, -500])), Some(Minor::new(4970)));
        assert_eq!(Minor::sum(minor(&[])), Some(Minor::ZERO));
        assert_eq!(Minor::sum(minor(&[i64::MAX, 1])), None);
        assert_eq!(Minor::sum(minor(&[i64::MIN, -1])), None);
        assert_eq!(Minor::sum([Some(Minor::ZERO), None]), None);
        assert_eq!(Minor::new(2490).times(2), Some(Minor::new(4980)));
        assert_eq!(Minor::new(i64::MAX).times(2), None);
        assert_eq!(Minor::new(-1).times(i64::MIN), None);
    }
}
