//! The crate at its door: bodies in, events, verdicts and fingerprints out; schemas, fixtures and properties.

#[cfg(test)]
mod drafts;
#[cfg(test)]
mod events;
#[cfg(test)]
mod fingerprints;
#[cfg(test)]
mod hardness;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod pricing;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod verdicts;
