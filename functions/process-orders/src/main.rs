//! Lambda: accepts orders from the queue, through the catalog, into Aurora.

fn main() {}
