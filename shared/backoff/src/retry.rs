//! Tries again: bounded, jittered, and never beyond the deadline.

use std::future::Future;
use std::time::Duration;

use thiserror::Error;

use crate::{Clock, Deadline, Policy, Random};

/// The deadline left no time even for a first attempt: nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{} ms are left before the deadline and an attempt needs {} ms; hand the work back", .left.as_millis(), .needed.as_millis())]
pub struct OutOfTime {
    /// What the deadline leaves.
    pub left: Duration,
    /// The policy's [`attempt_least`](Policy::attempt_least).
    pub needed: Duration,
}

/// Calls `attempt` (with 0, 1, …) until it succeeds, its error is not `retryable`, the policy's attempts are used up,
/// or the deadline leaves no time for a pause and another attempt.
///
/// # Errors
/// The last attempt's error; or, where there was no time for any, the error that `E` makes of [`OutOfTime`].
pub async fn retry<C, T, E, F>(
    clock: &C,
    random: &Random,
    (policy, deadline): (&Policy, Deadline),
    mut attempt: impl FnMut(u32) -> F,
    retryable: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    C: Clock,
    E: From<OutOfTime>,
    F: Future<Output = Result<T, E>>,
{
    if !deadline.allows(clock, policy.attempt_least) {
        return Err(OutOfTime { left: deadline.remaining(clock), needed: policy.attempt_least }.into());
    }
    let mut result = attempt(0).await;
    for number in 1..policy.attempts {
        if !result.as_ref().is_err_and(&retryable) {
            break;
        }
        let pause = policy.pause(random, number);
        if !deadline.allows(clock, pause.saturating_add(policy.attempt_least)) {
            break;
        }
        clock.sleep(pause).await;
        // The sleep may have taken longer than asked, above all across a freeze.
        if !deadline.allows(clock, policy.attempt_least) {
            break;
        }
        result = attempt(number).await;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{OutOfTime, retry};
    use crate::{Clock, Deadline, ManualClock, Policy, Random};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::cell::RefCell;
    use std::time::Duration;

    #[derive(Debug, PartialEq)]
    enum Fails {
        Again,
        ForGood,
        OutOfTime,
    }

    impl From<OutOfTime> for Fails {
        fn from(_: OutOfTime) -> Self {
            Self::OutOfTime
        }
    }

    struct Ran {
        result: Result<(), Fails>,
        /// What was left at the start of each attempt.
        starts: Vec<Duration>,
        pauses: Vec<Duration>,
    }

    /// Runs attempts that take `takes` each and fail `failures` times.
    fn run(seed: u64, policy: &Policy, ahead: Duration, takes: Duration, failures: u32) -> Ran {
        let clock = ManualClock::at_ms(1_000);
        let deadline = Deadline::after(&clock, ahead);
        let starts = RefCell::new(Vec::new());
        let attempt = |number| {
            starts.borrow_mut().push(deadline.remaining(&clock));
            clock.advance(takes);
            std::future::ready(if number < failures { Err(Fails::Again) } else { Ok(()) })
        };
        let random = Random::seeded(seed);
        let again = |error: &Fails| *error == Fails::Again;
        let result = now(retry(&clock, &random, (policy, deadline), attempt, again));
        Ran { result, starts: starts.into_inner(), pauses: clock.sleeps() }
    }

    /// The output of a future that never waits.
    fn now<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    }

    fn policy(attempts: u32, least_ms: u64) -> Policy {
        Policy { attempts, attempt_least: Duration::from_millis(least_ms), ..Policy::data_api() }
    }

    proptest! {
        #[test]
        fn no_attempt_starts_without_its_time_and_attempts_are_bounded(
            seed in any::<u64>(), attempts in 0_u32..6, least_ms in 0_u64..400,
            ahead_ms in 0_u64..1_000, takes_ms in 0_u64..400, failures in 0_u32..8,
        ) {
            let policy = policy(attempts, least_ms);
            let ran = run(seed, &policy, Duration::from_millis(ahead_ms), Duration::from_millis(takes_ms), failures);
            prop_assert!(ran.starts.len() <= usize::try_from(attempts.max(1)).unwrap());
            prop_assert!(ran.starts.iter().all(|left| *left >= policy.attempt_least));
            prop_assert_eq!(ran.pauses.len(), ran.starts.len().saturating_sub(1));
            prop_assert!(ran.pauses.iter().all(|pause| *pause <= policy.cap));
            prop_assert_eq!(ran.starts.is_empty(), ahead_ms < least_ms);
        }
    }

    const AMPLE: Duration = Duration::from_secs(60);
    const QUICK: Duration = Duration::from_millis(10);

    #[test]
    fn a_retryable_failure_is_tried_again_until_it_passes() {
        let ran = run(1, &policy(3, 100), AMPLE, QUICK, 2);
        assert_eq!((ran.result, ran.starts.len()), (Ok(()), 3));
    }

    #[test]
    fn the_last_error_comes_back_when_attempts_are_used_up() {
        let ran = run(1, &policy(2, 100), AMPLE, QUICK, 9);
        assert_eq!((ran.result, ran.starts.len()), (Err(Fails::Again), 2));
    }

    #[test]
    fn without_time_for_one_attempt_nothing_is_done() {
        let ran = run(1, &policy(2, 100), Duration::from_millis(99), QUICK, 0);
        assert_eq!((ran.result, ran.starts.len()), (Err(Fails::OutOfTime), 0));
    }

    #[test]
    fn without_time_for_a_second_attempt_the_first_error_comes_back_unslept() {
        let ran = run(1, &policy(2, 100), Duration::from_millis(109), QUICK, 9);
        assert_eq!((ran.result, ran.pauses.len()), (Err(Fails::Again), 0));
    }

    #[test]
    fn an_error_for_good_is_not_tried_again() {
        let clock = ManualClock::at_ms(0);
        let deadline = Deadline::after(&clock, AMPLE);
        let attempt = |_| std::future::ready(Err::<(), _>(Fails::ForGood));
        let again = |error: &Fails| *error == Fails::Again;
        let result = now(retry(&clock, &Random::seeded(1), (&policy(5, 1), deadline), attempt, again));
        assert_eq!((result, clock.monotonic()), (Err(Fails::ForGood), Duration::ZERO));
    }
}
