//! Names of log fields and counters, and the one line a batch leaves on stdout.
