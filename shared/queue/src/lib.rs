//! SQS events in, batch responses out: decoding, containment, deadlines, quarantine, publishing.
