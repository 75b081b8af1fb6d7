//! The catalog: more than two hundred meal kits with prices, stock and popularity.
//!
//! It is the same in every run, so that orders generated for one stack fit every other. A kit's [`Shelf`] says what
//! ordering it leads to; the generator draws from shelves, never from luck.

use backoff::Random;

/// Seed of prices, shelves and popularity.
const SEED: u64 = 20_260_601;

/// Currency of every price.
pub const CURRENCY: &str = "EUR";

/// What a kit's stock and flag mean for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Never runs out, never changes.
    Steady,
    /// Never runs out; its price changes once, in the middle of a run.
    Repriced {
        /// The price from then on.
        price_minor: i64,
    },
    /// A few left: some orders get one, later ones do not.
    Scarce,
    /// None left from the beginning.
    SoldOut,
    /// No longer offered.
    Inactive,
}

/// One meal kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kit {
    /// Its SKU, for example `kit-thai-green-curry-2p`.
    pub sku: String,
    /// Its name for people.
    pub name: String,
    /// Price at the beginning of a run, in minor units.
    pub price_minor: i64,
    /// What ordering it leads to.
    pub shelf: Shelf,
}

impl Kit {
    /// Units on the shelf at the beginning, when a run orders at most `plenty` of any kit.
    pub fn stock(&self, plenty: i64) -> i64 {
        match self.shelf {
            Shelf::Steady | Shelf::Repriced { .. } | Shelf::Inactive => plenty,
            Shelf::Scarce => 4 + self.price_minor % 9,
            Shelf::SoldOut => 0,
        }
    }

    /// Whether the shop still offers it.
    pub fn active(&self) -> bool {
        self.shelf != Shelf::Inactive
    }
}

/// All kits, the most popular first.
pub fn catalog() -> Vec<Kit> {
    let random = Random::seeded(SEED);
    let mut kits: Vec<Kit> = DISHES.iter().flat_map(|dish| sizes(&random, dish)).collect();
    shuffle(&random, &mut kits);
    for (rank, kit) in kits.iter_mut().enumerate() {
        kit.shelf = shelf(&random, rank, kit.price_minor);
    }
    kits
}

/// A stock that no run of so many orders can sell: an order holds at most ten pieces of one kit.
pub fn plenty(orders: usize) -> i64 {
    i64::try_from(orders).unwrap_or(i64::MAX / 1000).saturating_mul(10).clamp(100_000, 1_000_000_000)
}

/// A seeded Fisher-Yates shuffle.
pub fn shuffle<T>(random: &Random, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, index(random, at + 1));
    }
}

/// A number below `n` as an index; 0 where `n` is 0.
pub fn index(random: &Random, n: usize) -> usize {
    usize::try_from(random.below(u64::try_from(n).unwrap_or(u64::MAX))).unwrap_or(0)
}

/// Every twentieth kit is inactive, another sold out, another scarce; every sixteenth of the rest changes its price.
///
/// By rank, so that hot and cold kits are hit alike; the offsets only keep them apart.
fn shelf(random: &Random, rank: usize, price_minor: i64) -> Shelf {
    match (rank % 20, rank % 16) {
        (19, _) => Shelf::Inactive,
        (13, _) => Shelf::SoldOut,
        (7, _) => Shelf::Scarce,
        (_, 4) => Shelf::Repriced { price_minor: price_minor + 50 + 10 * amount(random, 15) },
        _ => Shelf::Steady,
    }
}

fn amount(random: &Random, below: u64) -> i64 {
    i64::try_from(random.below(below)).unwrap_or(0)
}

/// A dish for two, three and four people; a bigger kit costs a little less per person.
fn sizes(random: &Random, dish: &str) -> Vec<Kit> {
    let portion_minor = 795 + 5 * amount(random, 110);
    let sku = dish.to_lowercase().replace(' ', "-");
    let kit = |persons: i64, percent: i64| Kit {
        sku: format!("kit-{sku}-{persons}p"),
        name: format!("{dish} for {persons}"),
        price_minor: portion_minor * persons * percent / 100 / 10 * 10,
        shelf: Shelf::Steady,
    };
    vec![kit(2, 100), kit(3, 96), kit(4, 92)]
}

/// What the shop cooks.
const DISHES: [&str; 72] = [
    "Thai Green Curry",
    "Thai Red Curry",
    "Massaman Curry",
    "Pad Thai",
    "Tom Yum Noodles",
    "Basil Chicken",
    "Tikka Masala",
    "Saag Paneer",
    "Chana Masala",
    "Lamb Rogan Josh",
    "Dal Makhani",
    "Vegetable Biryani",
    "Katsu Curry",
    "Miso Ramen",
    "Teriyaki Salmon",
    "Yakisoba",
    "Okonomiyaki",
    "Gyudon",
    "Bibimbap",
    "Bulgogi",
    "Kimchi Fried Rice",
    "Japchae",
    "Mapo Tofu",
    "Kung Pao Chicken",
    "Dan Dan Noodles",
    "Char Siu Pork",
    "Beef Chow Fun",
    "Sesame Noodles",
    "Pho Bo",
    "Bun Cha",
    "Lemongrass Tofu",
    "Nasi Goreng",
    "Beef Rendang",
    "Laksa",
    "Chicken Satay",
    "Adobo",
    "Spaghetti Carbonara",
    "Penne Arrabbiata",
    "Lasagne",
    "Mushroom Risotto",
    "Gnocchi Sorrentina",
    "Saltimbocca",
    "Ratatouille",
    "Coq au Vin",
    "Beef Bourguignon",
    "Quiche Lorraine",
    "Cassoulet",
    "Tarte Flambee",
    "Paella",
    "Patatas Bravas",
    "Gazpacho",
    "Albondigas",
    "Moussaka",
    "Chicken Souvlaki",
    "Spanakopita",
    "Shakshuka",
    "Falafel Bowl",
    "Lamb Kofta",
    "Chicken Tagine",
    "Couscous Royale",
    "Jollof Rice",
    "Bobotie",
    "Doro Wat",
    "Beef Tacos",
    "Chicken Enchiladas",
    "Chili con Carne",
    "Burrito Bowl",
    "Feijoada",
    "Lomo Saltado",
    "Jambalaya",
    "Mac and Cheese",
    "Wiener Schnitzel",
];

#[cfg(test)]
mod tests {
    use super::{Shelf, catalog};
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn count(wanted: fn(&Shelf) -> bool) -> usize {
        catalog().iter().filter(|kit| wanted(&kit.shelf)).count()
    }

    #[test]
    fn there_are_at_least_two_hundred_different_kits() {
        let skus: BTreeSet<String> = catalog().into_iter().map(|kit| kit.sku).collect();
        assert_eq!(skus.len(), 216);
        assert!(skus.contains("kit-thai-green-curry-2p"));
        assert!(
            skus.iter()
                .all(|sku| sku.len() <= 64 && sku.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        );
    }

    #[test]
    fn the_fixture_to_invoke_with_orders_what_is_on_offer() {
        let path = xtask::workspace::root().join("tests/fixtures/invocations/process-orders.json");
        let event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        let item = &body["data"]["items"][0];
        let kits = catalog();
        let kit = kits.iter().find(|kit| item["sku"] == kit.sku.as_str()).unwrap();
        assert_eq!((kit.shelf, &item["unitPriceMinor"]), (Shelf::Steady, &kit.price_minor.into()));
        assert_eq!(body["data"]["totalMinor"], kit.price_minor);
    }

    #[test]
    fn the_catalog_is_the_same_every_time() {
        assert_eq!(catalog(), catalog());
    }

    #[test]
    fn every_shelf_is_stocked_with_kits() {
        assert!(count(|shelf| *shelf == Shelf::Inactive) >= 10);
        assert!(count(|shelf| *shelf == Shelf::SoldOut) >= 10);
        assert!(count(|shelf| *shelf == Shelf::Scarce) >= 10);
        assert!(count(|shelf| matches!(shelf, Shelf::Repriced { .. })) >= 8);
        assert!(count(|shelf| *shelf == Shelf::Steady) >= 140);
    }

    #[test]
    fn prices_are_whole_tens_and_change_upwards() {
        for kit in catalog() {
            assert!(kit.price_minor % 10 == 0 && (1000..6000).contains(&kit.price_minor), "{kit:?}");
            if let Shelf::Repriced { price_minor } = kit.shelf {
                assert!(price_minor > kit.price_minor, "{kit:?}");
            }
        }
    }

    #[test]
    fn scarce_kits_have_a_few_and_sold_out_ones_none() {
        for kit in catalog() {
            match kit.shelf {
                Shelf::Scarce => assert!((4..=12).contains(&kit.stock(1000)), "{kit:?}"),
                Shelf::SoldOut => assert_eq!(kit.stock(1000), 0),
                _ => assert_eq!(kit.stock(1000), 1000),
            }
        }
    }
}
