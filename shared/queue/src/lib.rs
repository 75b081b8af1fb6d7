//! Queue events in, batch responses out: everything a function needs to be a good SQS consumer.
//!
//! Promises:
//! - Each record is decoded on its own; one bad body never fails its neighbours ([`Batch::from_event`]).
//! - A panic fails the record it happened in, never the batch ([`run`], [`contained`]).
//! - A record received three times or more runs alone, after the others ([`plan`]).
//! - What the deadline leaves no time for goes back unstarted, at once.
//! - A message is acknowledged in exactly one place, [`answer`], and only there is a batch response built.
//! - The response names only ids of the batch, each once, never an empty one: AWS treats anything else as a
//!   failure of the whole batch.
//! - Nothing is published without its `Failed[]` list being read ([`Queue::publish`]).
//! - No body, no attribute value and no receipt handle is ever logged.

mod answer;
mod counts;
mod door;
mod outcome;
mod plan;
mod record;
mod run;
mod sqs;

pub use answer::{Answering, Note, Notes, Queues, answer};
pub use counts::Counts;
pub use door::{NotPublished, Outgoing, Queue, QueueUrl, VisibilityChange};
pub use outcome::{Body, Outcome, Wait};
pub use plan::{RUNS_ALONE_FROM_RECEIVE, plan};
pub use record::{Batch, NotABatch, Record};
pub use run::{Limits, Panicked, Suspect, contained, run};
pub use sqs::{Sqs, client};
