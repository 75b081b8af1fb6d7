//! The SQL on a real PostgreSQL: what each call answers, what the constraints refuse, and what concurrent callers do
//! to each other.

#[cfg(test)]
mod accept;
#[cfg(test)]
mod begin;
#[cfg(test)]
mod concurrent;
#[cfg(test)]
mod constraints;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod paying;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod refresh_concurrent;
#[cfg(test)]
mod settle_concurrent;
#[cfg(test)]
mod users;
