//! The whole function but its environment: migrations through the local Data API, on a real PostgreSQL, also with
//! every single answer lost.

#[cfg(test)]
mod lossy;
#[cfg(test)]
#[path = "../../../../shared/order-store/tests/store/postgres.rs"]
#[expect(dead_code, reason = "it also makes databases whose migrations were run")]
mod postgres;
#[cfg(test)]
mod stack;

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use migrate_schema::flow::{Error, Report, Task};
    use order_store::{Migration, migrations};

    use crate::lossy::Loss;
    use crate::stack::{Stack, run_within};

    /// Three small ones, so that a run has few enough calls to lose each of them.
    fn small(second: &'static str) -> Vec<Migration> {
        let statements = [
            vec!["CREATE TABLE a (i integer)", "INSERT INTO a VALUES (1)"],
            vec![second],
            vec!["CREATE TABLE c ()"],
        ];
        let migration = |(version, statements): (i32, Vec<&'static str>)| Migration {
            version,
            name: "small",
            checksum: format!("{:064x}", statements[0].len()),
            statements,
        };
        (1..).zip(statements).map(migration).collect()
    }

    static SMALL: LazyLock<Vec<Migration>> = LazyLock::new(|| small("CREATE TABLE b (i integer)"));

    fn report(applied: &[i32], already: usize, version: i32, pending: &[i32]) -> Report {
        Report { applied: applied.to_vec(), already, version, pending: pending.to_vec() }
    }

    #[tokio::test]
    async fn the_products_migrations_are_told_then_applied_then_known() {
        let stack = Stack::new().await;
        let all: Vec<_> = migrations().iter().map(|migration| migration.version).collect();
        let newest = *all.last().unwrap();
        assert_eq!(stack.run(migrations(), Task::Tell).await.unwrap(), report(&[], 0, 0, &all));
        assert_eq!(stack.run(migrations(), Task::Apply).await.unwrap(), report(&all, 0, newest, &[]));
        assert_eq!(stack.run(migrations(), Task::Apply).await.unwrap(), report(&[], all.len(), newest, &[]));
        assert_eq!(stack.run(migrations(), Task::Tell).await.unwrap(), report(&[], all.len(), newest, &[]));
    }

    #[tokio::test]
    async fn runners_at_the_same_time_take_turns() {
        let stack = Stack::new().await;
        let run = || stack.run(migrations(), Task::Apply);
        let reports = tokio::join!(run(), run(), run(), run());
        let reports = [reports.0, reports.1, reports.2, reports.3].map(Result::unwrap);
        let mut applied: Vec<_> = reports.iter().flat_map(|report| report.applied.clone()).collect();
        applied.sort_unstable();
        let all: Vec<_> = migrations().iter().map(|migration| migration.version).collect();
        assert_eq!(applied, all, "each migration is applied by exactly one");
        assert!(reports.iter().all(|report| report.already + report.applied.len() == all.len()));
    }

    #[tokio::test]
    async fn a_run_that_waits_for_another_ends_in_time() {
        let mut stack = Stack::new().await;
        let other = stack.owner.transaction().await.unwrap();
        // Creating the table is what the run does after it has the lock: it waits for this one to end.
        other.execute(order_store::SCHEMA_MIGRATIONS, &[]).await.unwrap();
        let ended = run_within(&stack.door, Duration::from_secs(4), &SMALL, Task::Apply).await;
        let error = ended.unwrap_err();
        assert!(matches!(&error, Error::OutOfTime { applied } if applied.is_empty()), "{error}");
        other.rollback().await.unwrap();
        assert_eq!(stack.run(&SMALL, Task::Apply).await.unwrap(), report(&[1, 2, 3], 0, 3, &[]));
    }

    #[tokio::test]
    async fn code_that_is_older_than_the_schema_leaves_it_alone() {
        let stack = Stack::new().await;
        stack.run(&SMALL, Task::Apply).await.unwrap();
        assert_eq!(stack.run(&SMALL[..1], Task::Apply).await.unwrap(), report(&[], 3, 3, &[]));
    }

    #[tokio::test]
    async fn a_migration_that_was_changed_or_skipped_is_refused() {
        let stack = Stack::new().await;
        stack.run(&SMALL, Task::Apply).await.unwrap();
        let changed: &'static [Migration] = small("CREATE TABLE other ()").leak();
        let error = stack.run(changed, Task::Apply).await.unwrap_err();
        assert!(matches!(error, Error::Changed { version: 2, .. }), "{error}");
        assert_eq!(stack.open_transactions(), 0, "the lock is free at once");
        stack.owner.execute("DELETE FROM schema_migrations WHERE version = 2", &[]).await.unwrap();
        let error = stack.run(&SMALL, Task::Apply).await.unwrap_err();
        assert!(matches!(error, Error::Skipped { version: 2, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing_and_what_came_before_stands() {
        let stack = Stack::new().await;
        let failing: &'static [Migration] = small("CREATE TABLE b (i integer REFERENCES nowhere)").leak();
        let error = stack.run(failing, Task::Apply).await.unwrap_err();
        let Error::Statement { version: 2, statement: 1, message, .. } = &error else { panic!("{error}") };
        assert!(message.contains("nowhere") && message.contains("42P01"), "{message}");
        let other: &'static [Migration] = small("CREATE TABLE other ()").leak();
        assert_eq!(stack.run(other, Task::Apply).await.unwrap(), report(&[2, 3], 1, 3, &[]));
    }

    /// Loses the request, or the answer, of call number `call` of a run, and expects that it makes no difference.
    /// Says whether the run had that many calls.
    async fn check_loss(stack: &Stack, call: usize, loss: Loss) -> bool {
        stack.owner.batch_execute("DROP TABLE IF EXISTS a, b, c, schema_migrations").await.unwrap();
        stack.wire.lose(call, loss);
        let done = stack.run(&SMALL, Task::Apply).await;
        assert_eq!(done.unwrap(), report(&[1, 2, 3], 0, 3, &[]), "{loss:?} {call}");
        let rows = stack.owner.query("SELECT i FROM a", &[]).await.unwrap();
        assert_eq!(rows.len(), 1, "applied once: {loss:?} {call}");
        stack.wire.lost()
    }

    #[tokio::test]
    async fn whichever_call_is_lost_before_or_after_its_work_each_migration_is_applied_once() {
        let stack = Stack::new().await;
        for loss in [Loss::Request, Loss::Answer] {
            let mut call = 0;
            while check_loss(&stack, call, loss).await {
                call += 1;
            }
            // Per migration: begin, lock, create, read, its statements, record, commit; then a last step that finds none.
            assert_eq!(call, 3 * 6 + 4 + 5, "{loss:?}");
        }
    }
}
