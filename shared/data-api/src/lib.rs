//! A typed door to the RDS Data API: parameters, rows into structs, one decision per error.
