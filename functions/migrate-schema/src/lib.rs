//! Lambda: runs the SQL migrations through the Data API.
