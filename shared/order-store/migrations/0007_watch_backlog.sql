-- What is left over, in numbers: the reconciler says them once a run, and alarms look at them.
--
-- One row, from indexes over rows that wait. Counts end at 10,000, which means that or more: beyond it, nobody needs to know.
CREATE FUNCTION payment_backlog_v1()
RETURNS TABLE (parked bigint, parked_s bigint, unknown bigint, unknown_s bigint, review bigint,
               captured_not_confirmed bigint, unsent bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET jit = off
BEGIN ATOMIC
  WITH moment AS (SELECT statement_timestamp() AS now),
  parked AS (
    SELECT orders.accepted_at FROM moment CROSS JOIN payments JOIN orders USING (order_id)
    WHERE payments.status IN ('requested', 'capturing', 'voiding')
      AND orders.accepted_at <= moment.now - interval '1 min'
    LIMIT 10000),
  unknown AS (SELECT unknown_at FROM payments WHERE status = 'unknown' LIMIT 10000),
  review AS (SELECT FROM payments WHERE status = 'review' LIMIT 10000),
  -- In one statement with its capture an order becomes confirmed, so there is none; an alarm rings at the first.
  captured AS (
    SELECT FROM orders JOIN payments USING (order_id)
    WHERE orders.status = 'accepted' AND payments.status = 'captured' LIMIT 10000),
  unsent AS (
    SELECT FROM moment CROSS JOIN outbox
    WHERE outbox.sent_at IS NULL AND outbox.created_at <= moment.now - interval '1 min' LIMIT 10000)
  SELECT (SELECT count(*) FROM parked),
         (SELECT CAST(coalesce(extract(epoch FROM now - (SELECT min(accepted_at) FROM parked)), 0) AS bigint)),
         (SELECT count(*) FROM unknown),
         (SELECT CAST(coalesce(extract(epoch FROM now - (SELECT min(unknown_at) FROM unknown)), 0) AS bigint)),
         (SELECT count(*) FROM review),
         (SELECT count(*) FROM captured),
         (SELECT count(*) FROM unsent)
  FROM moment;
END

-- next statement
REVOKE ALL ON FUNCTION payment_backlog_v1() FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION payment_backlog_v1() TO orderflow_app
