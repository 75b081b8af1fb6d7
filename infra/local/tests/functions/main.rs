//! Queues, event sources, the Lambda host and the whole stack, tested with a real function in real processes
//! over real HTTP.

#[cfg(test)]
mod event_source;
#[cfg(test)]
mod function_url;
#[cfg(test)]
mod host;
#[cfg(test)]
mod invoke_api;
#[cfg(test)]
mod scheduler;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod support;
