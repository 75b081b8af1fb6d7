//! The SQL of orderflow: migrations, and the one call that accepts a batch of orders.
