//! Pure order rules: events, money, pricing, validation, fingerprint, states and reasons; no I/O, no clock.
