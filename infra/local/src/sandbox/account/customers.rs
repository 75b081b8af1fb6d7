//! Customers: created, or known since a payment first named them.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Account, payments};
use crate::sandbox::{form::Form, problem::Problem};

const KNOWN: [&str; 5] = ["description", "email", "expand", "metadata", "name"];

/// A customer.
#[derive(Debug, Default)]
pub(super) struct Customer {
    created_ms: u64,
    description: Option<String>,
    email: Option<String>,
    name: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Customer {
    /// One of whom nothing is known but that a payment named them.
    pub(super) fn used(created_ms: u64) -> Self {
        Self { created_ms, ..Self::default() }
    }

    fn to_json(&self, id: &str) -> String {
        let shown = json!({
            "id": id,
            "object": "customer",
            "created": self.created_ms / 1_000,
            "description": self.description,
            "email": self.email,
            "livemode": false,
            "metadata": self.metadata,
            "name": self.name,
        });
        shown.to_string()
    }
}

impl Account {
    pub(super) fn create_customer(&mut self, form: &Form, now_ms: u64) -> Result<String, Problem> {
        form.only(&KNOWN)?;
        let text = |name| form.text(name).map(str::to_owned);
        let customer = Customer {
            created_ms: now_ms,
            description: text("description"),
            email: text("email"),
            name: text("name"),
            metadata: payments::metadata(form)?,
        };
        let id = self.ids.next("cus");
        let shown = customer.to_json(&id);
        self.customers.insert(id, customer);
        Ok(shown)
    }

    pub(super) fn read_customer(&self, id: &str, form: &Form) -> Result<String, Problem> {
        form.only(&["expand"])?;
        let customer = self.customers.get(id).ok_or_else(|| Problem::no_such("customer", id, "id"))?;
        Ok(customer.to_json(id))
    }
}
