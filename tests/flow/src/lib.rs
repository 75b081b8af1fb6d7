//! One test binary: events in; rows, queues and responses out, on real PostgreSQL and Redis.
