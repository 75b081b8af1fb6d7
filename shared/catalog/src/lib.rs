//! The product catalog behind three layers: snapshot, Redis, Aurora.
