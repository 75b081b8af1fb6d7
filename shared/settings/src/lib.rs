//! Parses a map of environment variables into typed values, with errors that name the variable.
