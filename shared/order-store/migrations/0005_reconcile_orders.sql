-- What is left over: the reconciler's questions. Each takes at most so many rows, from an index that holds only rows
-- that wait, and may be asked twice at once: what is taken is leased, and a row that somebody else is taking is skipped.
--
-- Where the oldest come first, sorts and bitmaps are turned off too: they would read all that wait in order to take a few,
-- as a session does that made its plan while nothing waited. And the just-in-time compiler, which believes the price that
-- is put on what is turned off.

-- Up to when provider and rows have been compared.
CREATE TABLE reconcile_cursors (
  name           text CONSTRAINT reconcile_cursors_pk PRIMARY KEY
                 CONSTRAINT reconcile_cursors_name_known CHECK (name IN ('charges')),
  compared_until timestamptz NOT NULL
)

-- next statement
GRANT SELECT, INSERT, UPDATE (compared_until) ON reconcile_cursors TO orderflow_app

-- next statement
-- A moment that was reached stays reached: two runs at once may end in any order.
CREATE FUNCTION guard_cursor() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $guard$
BEGIN
  NEW.compared_until = greatest(OLD.compared_until, NEW.compared_until);
  RETURN NEW;
END
$guard$

-- next statement
REVOKE ALL ON FUNCTION guard_cursor() FROM PUBLIC

-- next statement
CREATE TRIGGER reconcile_cursors_guarded BEFORE UPDATE ON reconcile_cursors
  FOR EACH ROW EXECUTE FUNCTION guard_cursor()

-- next statement
-- Takes payments whose time has come: parked ones, requests that nobody received, and what was begun and never ended.
-- Each is leased for five minutes. The last row carries no payment, but how many others are due or will be
-- within a minute (10,000 means that many or more): later ones are the next run's. With payments switched off nothing is due,
-- now or soon.
CREATE FUNCTION take_due_v1(at_most bigint) RETURNS TABLE (order_id text, attempt_no integer, waiting bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET enable_sort = off SET enable_bitmapscan = off SET jit = off
AS $take$
#variable_conflict use_column
DECLARE
  moment timestamptz = clock_timestamp();
BEGIN
  IF payments_enabled() THEN
    RETURN QUERY
    WITH due AS (
      SELECT payments.order_id, payments.attempt_no FROM payments
      WHERE payments.status IN ('requested', 'capturing', 'voiding') AND payments.next_attempt_at <= moment
      ORDER BY payments.next_attempt_at LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE payments SET next_attempt_at = moment + interval '5 min' FROM due
    WHERE payments.order_id = due.order_id AND payments.attempt_no = due.attempt_no
    RETURNING CAST(payments.order_id AS text), CAST(payments.attempt_no AS integer), CAST(NULL AS bigint);
  END IF;
  RETURN QUERY
  SELECT CAST(NULL AS text), CAST(NULL AS integer), count(*) -- What was taken is due later now.
  FROM (SELECT FROM payments
        WHERE payments_enabled() AND payments.status IN ('requested', 'capturing', 'voiding')
          AND payments.next_attempt_at <= moment + interval '1 min'
        ORDER BY payments.next_attempt_at LIMIT 10000) AS soon;
END
$take$

-- next statement
REVOKE ALL ON FUNCTION take_due_v1(bigint) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION take_due_v1(bigint) TO orderflow_app

-- next statement
-- Events that were written so long ago and are not marked as sent, oldest first. Not leased: an event may be published
-- twice, under one id.
CREATE FUNCTION unsent_events_v1(at_most bigint, older_than_ms bigint)
RETURNS TABLE (id text, order_id text, type text, payload text, created_ms bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET enable_sort = off SET enable_bitmapscan = off SET jit = off
AS $unsent$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT outbox.id, CAST(outbox.order_id AS text), CAST(outbox.type AS text), CAST(outbox.payload AS text),
         CAST(floor(extract(epoch FROM outbox.created_at) * 1000) AS bigint)
  FROM outbox
  WHERE outbox.sent_at IS NULL AND outbox.created_at <= clock_timestamp() - older_than_ms * interval '1 ms'
  ORDER BY outbox.created_at LIMIT at_most;
END
$unsent$

-- next statement
REVOKE ALL ON FUNCTION unsent_events_v1(bigint, bigint) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION unsent_events_v1(bigint, bigint) TO orderflow_app

-- next statement
-- Takes payments in doubt; each is leased for a minute. With payments switched off none is: resolving one may send its
-- request again.
CREATE FUNCTION take_unknown_v1(at_most bigint)
RETURNS TABLE (order_id text, attempt_no integer, amount_minor bigint, currency text, customer_ref text,
               method_ref text, params_hash text, key_age_ms bigint, first_sent_s bigint, unknown_for_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET enable_sort = off SET enable_bitmapscan = off SET jit = off
AS $take$
#variable_conflict use_column
DECLARE
  moment timestamptz = clock_timestamp();
BEGIN
  IF NOT payments_enabled() THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH doubtful AS (
    SELECT payments.order_id, payments.attempt_no, coalesce(payments.first_sent_at, payments.unknown_at) AS sent_at
    FROM payments
    WHERE payments.status = 'unknown' AND payments.next_attempt_at <= moment
    ORDER BY payments.next_attempt_at LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED
  )
  UPDATE payments SET next_attempt_at = moment + interval '1 min' FROM doubtful
  WHERE payments.order_id = doubtful.order_id AND payments.attempt_no = doubtful.attempt_no
  RETURNING CAST(payments.order_id AS text), CAST(payments.attempt_no AS integer),
            CAST(payments.amount_minor AS bigint), payments.params ->> 'currency',
            payments.params ->> 'customerRef', payments.params ->> 'methodRef', CAST(payments.params_hash AS text),
            CAST(extract(epoch FROM moment - doubtful.sent_at) * 1000 AS bigint),
            CAST(floor(extract(epoch FROM doubtful.sent_at)) AS bigint),
            CAST(extract(epoch FROM moment - payments.unknown_at) * 1000 AS bigint);
END
$take$

-- next statement
REVOKE ALL ON FUNCTION take_unknown_v1(bigint) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION take_unknown_v1(bigint) TO orderflow_app

-- next statement
-- Gives up payments whose quarantine is over, [{record_no, order_id, attempt_no}]. The first attempt may be followed by
-- another, at once; after any other the order ends.
CREATE FUNCTION give_up_v1(batch jsonb, next_attempt boolean) RETURNS SETOF payment_moved_v1
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
AS $give$
BEGIN
  RETURN QUERY SELECT moved.* FROM move_payments(coalesce((
    SELECT jsonb_agg(element.body || jsonb_build_object('step', 'given_up', 'again', next_attempt))
    FROM jsonb_array_elements(batch) AS element(body)), '[]')) AS moved;
END
$give$

-- next statement
REVOKE ALL ON FUNCTION give_up_v1(jsonb, boolean) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION give_up_v1(jsonb, boolean) TO orderflow_app

-- next statement
-- Ends orders that were accepted so long ago and whose payment is still only asked for, in doubt or awaited.
CREATE FUNCTION expire_orders_v1(at_most bigint, older_than_ms bigint) RETURNS SETOF payment_moved_v1
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET enable_sort = off SET enable_bitmapscan = off SET jit = off
AS $expire$
BEGIN
  RETURN QUERY SELECT moved.* FROM move_payments(coalesce((
    SELECT jsonb_agg(jsonb_build_object('record_no', 0, 'order_id', late.order_id, 'attempt_no', late.attempt_no,
                                        'step', 'expired'))
    FROM (
      SELECT orders.order_id, pending.attempt_no
      FROM orders CROSS JOIN LATERAL (
        SELECT payments.attempt_no FROM payments
        WHERE payments.order_id = orders.order_id
          AND payments.status IN ('requested', 'unknown', 'awaiting_customer', 'awaiting_provider')
        LIMIT 1
      ) AS pending
      WHERE orders.status = 'accepted'
        AND orders.accepted_at <= clock_timestamp() - older_than_ms * interval '1 ms'
      ORDER BY orders.accepted_at LIMIT at_most
    ) AS late), '[]')) AS moved;
END
$expire$

-- next statement
REVOKE ALL ON FUNCTION expire_orders_v1(bigint, bigint) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION expire_orders_v1(bigint, bigint) TO orderflow_app

-- next statement
-- Takes failed attempts whose hold may still appear. Each comes again after `every_ms`, for the last time when its 24
-- hours are over.
CREATE FUNCTION take_sweeps_v1(at_most bigint, every_ms bigint)
RETURNS TABLE (order_id text, attempt_no integer, customer_ref text, first_sent_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET enable_sort = off SET enable_bitmapscan = off SET jit = off
AS $take$
#variable_conflict use_column
DECLARE
  moment timestamptz = clock_timestamp();
BEGIN
  RETURN QUERY
  WITH due AS (
    SELECT payments.order_id, payments.attempt_no FROM payments
    WHERE payments.status = 'failed' AND payments.next_attempt_at <= moment
    ORDER BY payments.next_attempt_at LIMIT at_most FOR NO KEY UPDATE SKIP LOCKED
  )
  UPDATE payments
  SET next_attempt_at = CASE WHEN payments.sweep_until > moment
                             THEN least(moment + every_ms * interval '1 ms', payments.sweep_until) END
  FROM due
  WHERE payments.order_id = due.order_id AND payments.attempt_no = due.attempt_no
  RETURNING CAST(payments.order_id AS text), CAST(payments.attempt_no AS integer), payments.params ->> 'customerRef',
            CAST(floor(extract(epoch FROM payments.first_sent_at)) AS bigint);
END
$take$

-- next statement
REVOKE ALL ON FUNCTION take_sweeps_v1(bigint, bigint) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION take_sweeps_v1(bigint, bigint) TO orderflow_app

-- next statement
-- Where provider and rows disagree about charges, [{payment_id, order_id, attempt_no, held, captured_minor, currency}]. A
-- row on its way to what the provider shows is no difference, and one in review has somebody's attention.
CREATE FUNCTION compare_charges_v1(charges jsonb)
RETURNS TABLE (payment_id text, order_id text, attempt_no integer, payment_status text, what text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
AS $compare$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT seen.payment_id, seen.order_id, seen.attempt_no, CAST(own.status AS text), difference.what
  FROM jsonb_to_recordset(charges) AS seen(payment_id text, order_id text, attempt_no integer, held boolean,
                                           captured_minor bigint, currency text)
  LEFT JOIN LATERAL (
    SELECT payments.status, payments.payment_id, payments.amount_minor, payments.params ->> 'currency' AS currency
    FROM payments WHERE payments.order_id = seen.order_id AND payments.attempt_no = seen.attempt_no LIMIT 1
  ) AS own ON true
  LEFT JOIN LATERAL (
    SELECT true AS found FROM payments
    WHERE payments.payment_id = seen.payment_id
      AND (payments.order_id, payments.attempt_no) <> (seen.order_id, seen.attempt_no) LIMIT 1
  ) AS others ON true
  CROSS JOIN LATERAL (SELECT CASE
    -- Nothing but its metadata ties the charge to the attempt it names: another row owns it.
    WHEN own.status IS NULL OR others.found
      THEN CASE WHEN seen.held OR seen.captured_minor > 0 THEN 'no_such_row' END
    WHEN own.status = 'review' THEN NULL
    WHEN own.status IN ('captured', 'refunding', 'refunded') AND own.payment_id = seen.payment_id
      THEN CASE WHEN seen.captured_minor = 0 THEN 'not_captured'
                WHEN seen.captured_minor <> own.amount_minor OR seen.currency IS DISTINCT FROM own.currency
                  THEN 'amount_differs' END
    WHEN seen.captured_minor > 0
      THEN CASE WHEN own.status = 'capturing' AND own.payment_id = seen.payment_id THEN NULL
                ELSE 'captured_not_recorded' END
    WHEN seen.held AND (own.status = 'failed' OR own.payment_id <> seen.payment_id) THEN 'orphan_hold'
  END AS what) AS difference
  WHERE difference.what IS NOT NULL;
END
$compare$

-- next statement
REVOKE ALL ON FUNCTION compare_charges_v1(jsonb) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION compare_charges_v1(jsonb) TO orderflow_app
