//! The clock, the only waiting there is, jitter, deadlines and one documented retry policy per callee.
