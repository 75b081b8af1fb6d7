-- Paying: what settle begins and records. A payment that waits for somebody always says from when on
-- (`next_attempt_at`), so that none is ever forgotten: one that nobody receives becomes due by itself.

-- What an operator turns off and on, without a deploy. Off, payments are parked and nothing is asked of the provider:
--   UPDATE switches SET enabled = false, changed_at = now() WHERE name = 'payments'
CREATE TABLE switches (
  name       text CONSTRAINT switches_pk PRIMARY KEY CONSTRAINT switches_name_known CHECK (name IN ('payments')),
  enabled    boolean     NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- next statement
INSERT INTO switches (name, enabled) VALUES ('payments', true)

-- next statement
GRANT SELECT ON switches TO orderflow_app

-- next statement
CREATE DOMAIN short_word AS text COLLATE "C"
  CONSTRAINT short_word_format CHECK (VALUE ~ '^[a-z0-9_]+$' AND length(VALUE) <= 64)

-- next statement
-- `last_reason` is a short word of ours or the provider's; nothing else of an answer is ever kept. Five minutes are
-- many times what a queue needs to deliver a request.
ALTER TABLE payments
  ADD COLUMN unknown_at timestamptz,
  ADD COLUMN last_reason short_word,
  ALTER COLUMN next_attempt_at SET DEFAULT clock_timestamp() + interval '5 min',
  ADD CONSTRAINT payments_waiting_is_timed CHECK (
    next_attempt_at IS NOT NULL OR status NOT IN ('requested', 'capturing', 'voiding', 'unknown')),
  ADD CONSTRAINT payments_unknown_since CHECK (unknown_at IS NOT NULL OR status <> 'unknown'),
  ADD CONSTRAINT payments_sweep_after_failure CHECK (sweep_until IS NULL OR status = 'failed')

-- next statement
-- One index per question, each over few rows: those that wait.
DROP INDEX payments_due, payments_unsettled, payments_to_sweep

-- next statement
CREATE INDEX payments_due ON payments (next_attempt_at) WHERE status IN ('requested', 'capturing', 'voiding')

-- next statement
CREATE INDEX payments_in_doubt ON payments (next_attempt_at) WHERE status = 'unknown'

-- next statement
CREATE INDEX payments_to_sweep ON payments (next_attempt_at) WHERE status = 'failed' AND next_attempt_at IS NOT NULL

-- next statement
CREATE INDEX payments_in_review ON payments (order_id) WHERE status = 'review'

-- next statement
CREATE INDEX orders_waiting ON orders (accepted_at) WHERE status = 'accepted'

-- next statement
-- What a payment needs of settle. Also while it is being captured a cancellation is asked of the provider first.
CREATE FUNCTION payment_next(status text, order_status text, cancel_asked boolean) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
  WHEN status = 'requested' AND order_status = 'accepted' AND NOT cancel_asked THEN 'authorize'
  WHEN status = 'capturing' AND NOT cancel_asked THEN 'capture'
  WHEN status IN ('capturing', 'voiding') THEN 'cancel'
  ELSE 'nothing'
END

-- next statement
REVOKE ALL ON FUNCTION payment_next(text, text, boolean) FROM PUBLIC

-- next statement
CREATE FUNCTION payments_enabled() RETURNS boolean
LANGUAGE sql STABLE
RETURN NOT EXISTS (SELECT FROM switches WHERE name = 'payments' AND NOT enabled)

-- next statement
REVOKE ALL ON FUNCTION payments_enabled() FROM PUBLIC

-- next statement
-- Takes payment requests off the queue. In [{record_no, order_id, attempt_no}]; out one row per element with what is to
-- be done (authorize, capture, cancel, nothing, stopped, or missing where there is no such payment) and the frozen
-- request. A message is a hint and the row is the truth, so whatever time was set is replaced: by ten minutes, after
-- which the row is due again if whoever began it has vanished.
--
-- Elements hold nothing that could fail to be decoded; an attempt that is no number is one that does not exist.
CREATE FUNCTION begin_payments_v1(batch jsonb, sent jsonb DEFAULT '[]')
RETURNS TABLE (record_no integer, next text, payment_id text, amount_minor bigint, currency text, customer_ref text,
               method_ref text, params_hash text, key_age_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET plan_cache_mode = force_generic_plan
AS $begin$
#variable_conflict use_column
DECLARE
  enabled boolean = payments_enabled();
  entry   record; -- One element of the batch.
  payment record; -- Its row.
  moment  timestamptz;
BEGIN
  PERFORM mark_events_sent(sent);
  FOR entry IN
    SELECT CAST(element.body ->> 'record_no' AS integer) AS record_no, element.body ->> 'order_id' AS order_id,
           element.body -> 'attempt_no' AS attempt_no
    FROM jsonb_array_elements(batch) AS element(body)
    ORDER BY element.body ->> 'order_id' COLLATE "C", element.body -> 'attempt_no', 1
  LOOP
    SELECT payments.*, payment_next(payments.status, orders.status, orders.cancel_requested_at IS NOT NULL) AS next
    INTO payment
    FROM payments JOIN orders USING (order_id)
    WHERE payments.order_id = entry.order_id AND to_jsonb(payments.attempt_no) = entry.attempt_no
    FOR NO KEY UPDATE OF payments;
    moment = clock_timestamp();
    record_no = entry.record_no;
    next = CASE WHEN payment.next IS NULL THEN 'missing'
                WHEN payment.next <> 'nothing' AND NOT enabled THEN 'stopped'
                ELSE payment.next END;
    UPDATE payments
    SET received_at = coalesce(received_at, moment),
        -- From here on the key may be at the provider.
        first_sent_at = CASE WHEN next IN ('authorize', 'capture', 'cancel') THEN coalesce(first_sent_at, moment)
                             ELSE first_sent_at END,
        next_attempt_at = CASE WHEN next = 'stopped' THEN moment + interval '1 min'
                               WHEN status IN ('requested', 'capturing', 'voiding') THEN moment + interval '10 min'
                               ELSE next_attempt_at END
    WHERE payments.order_id = payment.order_id AND payments.attempt_no = payment.attempt_no;
    payment_id = payment.payment_id;
    amount_minor = payment.amount_minor;
    currency = payment.params ->> 'currency';
    customer_ref = payment.params ->> 'customerRef';
    method_ref = payment.params ->> 'methodRef';
    params_hash = payment.params_hash;
    key_age_ms = extract(epoch FROM moment - coalesce(payment.first_sent_at, moment)) * 1000;
    RETURN NEXT;
  END LOOP;
END
$begin$

-- next statement
REVOKE ALL ON FUNCTION begin_payments_v1(jsonb, jsonb) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION begin_payments_v1(jsonb, jsonb) TO orderflow_app

-- next statement
-- Opens the attempt after one that has failed: the same request under a key of its own.
CREATE FUNCTION open_next_attempt(failed payments, code text, due_at timestamptz) RETURNS void
LANGUAGE plpgsql
AS $open$
DECLARE
  next_no integer = failed.attempt_no + 1;
BEGIN
  INSERT INTO payments (order_id, attempt_no, status, amount_minor, params, params_hash, next_attempt_at)
  VALUES (failed.order_id, next_no, 'requested', failed.amount_minor, failed.params,
          encode(sha256(convert_to(concat_ws('|', 'v1', failed.order_id, next_no, failed.amount_minor,
                                             failed.params ->> 'currency', failed.params ->> 'customerRef',
                                             failed.params ->> 'methodRef'), 'UTF8')), 'hex'),
          due_at);
  INSERT INTO order_history (order_id, seq, what, detail)
  SELECT failed.order_id, coalesce(max(seq), 0) + 1, 'payment.retried',
         jsonb_strip_nulls(jsonb_build_object('attemptNo', next_no, 'code', code))
  FROM order_history WHERE order_history.order_id = failed.order_id;
END
$open$

-- next statement
REVOKE ALL ON FUNCTION open_next_attempt(payments, text, timestamptz) FROM PUBLIC

-- next statement
-- Ends an accepted order, tells its history and, unless a person has to look first, the shop. The caller holds the
-- order's lock.
CREATE FUNCTION end_order(ended_id text, ended_as text, why text, detail jsonb) RETURNS outbox
LANGUAGE plpgsql
AS $end$
DECLARE
  customer text;
  kind     text = 'order.' || ended_as || '.v1';
  event    outbox;
BEGIN
  UPDATE orders SET status = ended_as, reason = CASE WHEN ended_as = 'rejected' THEN why END
  WHERE orders.order_id = ended_id AND orders.status = 'accepted'
  RETURNING orders.customer_id INTO STRICT customer;
  INSERT INTO order_history (order_id, seq, what, detail)
  SELECT ended_id, coalesce(max(seq), 0) + 1, ended_as,
         jsonb_strip_nulls(end_order.detail || jsonb_build_object('reason', why))
  FROM order_history WHERE order_history.order_id = ended_id;
  IF ended_as <> 'review' THEN
    INSERT INTO outbox (id, order_id, seq, type, payload)
    SELECT concat_ws(':', ended_id, kind, coalesce(max(seq), 0) + 1), ended_id, coalesce(max(seq), 0) + 1, kind,
           CASE ended_as
             WHEN 'confirmed' THEN jsonb_build_object('orderId', ended_id, 'customerId', customer)
             WHEN 'rejected' THEN jsonb_build_object('orderId', ended_id, 'customerId', customer, 'reason', why)
             ELSE jsonb_build_object('orderId', ended_id)
           END
    FROM outbox WHERE outbox.order_id = ended_id
    RETURNING * INTO event;
  END IF;
  RETURN event;
END
$end$

-- next statement
REVOKE ALL ON FUNCTION end_order(text, text, text, jsonb) FROM PUBLIC

-- next statement
-- Where a payment stands after a move, whether or not the move was the one that changed it.
CREATE TYPE payment_moved_v1 AS (
  record_no integer, order_id text, attempt_no integer, changed boolean, order_status text, payment_status text,
  next text, payment_id text, event_id text, event_type text, event_payload text, event_created_ms bigint
)

-- next statement
-- The one place where payments move, and orders with them. In [{record_no, order_id, attempt_no, step, payment_id, why,
-- again, wait_ms}], where `why` is a short word and `again` asks for another attempt after a failed first one.
--
-- Each move is a compare-and-set: the status, the attempt and the payment id must be what the step starts from, else
-- nothing changes and the answer tells where the row stands. Failed stays failed, a payment id is written once, and a
-- payment that is being captured fails only after the provider has canceled the charge.
--
-- No deadlock: stock first, in SKU order and only of orders that this call may end; then, in order-id order, each order
-- and its payment. Whoever locks payments alone locks them in the same order, or skips those that are locked.
--
-- For functions that run with the owner's rights and set search_path and enable_seqscan; it has none by itself.
CREATE FUNCTION move_payments(moves jsonb) RETURNS SETOF payment_moved_v1
LANGUAGE plpgsql
AS $move$
DECLARE
  entry    record;            -- One element of the batch.
  wanted   record;            -- The same, decoded.
  step     text;
  why      text;
  parent   orders;
  payment  payments;
  target   text;              -- The status after the move; NULL if the step does not start from where the row stands.
  event    outbox;
  answer   payment_moved_v1;
  endable  text[];            -- Orders that this call may end: their stock is locked.
  skus     text[];
  released text[] = '{}';     -- Orders whose reservation goes back to the shelf.
  sweeps   boolean;           -- Whether the provider may still hold money for an attempt that fails.
  broken   text;              -- The constraint that refused an element.
  moment   timestamptz;
BEGIN
  SELECT array_agg(DISTINCT CAST(accepted.order_id AS text)) INTO endable
  FROM jsonb_array_elements(moves) AS element(body)
  CROSS JOIN LATERAL (
    SELECT orders.order_id FROM orders
    WHERE orders.order_id = element.body ->> 'order_id' AND orders.status = 'accepted'
      AND NOT (coalesce(element.body -> 'again' = 'true' AND element.body -> 'attempt_no' = '1', false)
               AND orders.cancel_requested_at IS NULL)
    LIMIT 1
  ) AS accepted
  WHERE element.body ->> 'step' IN ('declined', 'canceled', 'given_up', 'expired');
  IF endable IS NOT NULL THEN
    SELECT array_agg(DISTINCT CAST(order_items.sku AS text)) INTO skus
    FROM order_items WHERE order_items.order_id = ANY (endable);
    PERFORM FROM stock WHERE stock.sku = ANY (skus) ORDER BY stock.sku FOR NO KEY UPDATE;
  END IF;

  FOR entry IN
    SELECT element.body, CAST(element.body ->> 'record_no' AS integer) AS record_no,
           element.body ->> 'order_id' AS order_id
    FROM jsonb_array_elements(moves) AS element(body)
    ORDER BY element.body ->> 'order_id' COLLATE "C", element.body -> 'attempt_no', 2
  LOOP
    step = entry.body ->> 'step';
    -- Whatever the provider's word is made of, it must not keep a decline from being recorded.
    why = nullif(left(regexp_replace(lower(entry.body ->> 'why'), '[^a-z0-9_]', '_', 'g'), 64), '');
    -- Twice at most: what the database cannot hold is left for a person to look at.
    FOR attempt IN 1 .. 2 LOOP
      answer = NULL;
      event = NULL;
      BEGIN -- A subtransaction per element: what is wrong with one is undone alone.
        SELECT * INTO wanted FROM jsonb_to_record(entry.body) AS decoded(
          attempt_no integer, payment_id text, again boolean, wait_ms bigint);
        SELECT * INTO parent FROM orders WHERE orders.order_id = entry.order_id FOR NO KEY UPDATE;
        SELECT * INTO payment FROM payments
        WHERE payments.order_id = entry.order_id AND payments.attempt_no = wanted.attempt_no FOR NO KEY UPDATE;
        EXIT WHEN NOT FOUND;
        moment = clock_timestamp();

        target = CASE
          WHEN step = 'authorized' AND coalesce(payment.payment_id = wanted.payment_id, true)
            AND payment.status IN ('requested', 'unknown', 'awaiting_customer', 'awaiting_provider')
            THEN CASE WHEN parent.status = 'accepted' AND parent.cancel_requested_at IS NULL THEN 'capturing'
                      ELSE 'voiding' END
          WHEN step = 'captured' AND coalesce(payment.payment_id = wanted.payment_id, true) THEN CASE
            WHEN payment.status = 'capturing' THEN 'captured'
            -- Money was taken that nobody here asked for.
            WHEN payment.status IN ('requested', 'unknown', 'awaiting_customer', 'awaiting_provider', 'voiding')
              THEN 'review' END
          WHEN step = 'canceled' AND payment.payment_id = wanted.payment_id
            AND payment.status IN ('capturing', 'voiding') THEN 'failed'
          WHEN step IN ('declined', 'expired')
            AND payment.status IN ('requested', 'unknown', 'awaiting_customer', 'awaiting_provider') THEN 'failed'
          WHEN step = 'given_up' AND payment.status = 'unknown' THEN 'failed'
          WHEN step IN ('awaiting_customer', 'awaiting_provider') AND payment.status IN ('requested', 'unknown')
            THEN step
          WHEN step = 'unknown' AND payment.status = 'requested' THEN 'unknown'
          WHEN step = 'parked' AND payment.status IN ('requested', 'capturing', 'voiding', 'unknown')
            THEN payment.status
          WHEN step = 'review' AND payment.status NOT IN ('failed', 'review') THEN 'review'
        END;
        IF target = 'review' AND step = 'captured' THEN
          why = 'captured_unasked';
        END IF;
        -- What was sent, and neither refused nor canceled, may still turn into a hold.
        sweeps = target = 'failed' AND step <> 'declined' AND payment.first_sent_at IS NOT NULL
                 AND payment.status NOT IN ('capturing', 'voiding');

        UPDATE payments
        SET status = target,
            payment_id = CASE WHEN step IN ('authorized', 'captured')
                              THEN coalesce(payments.payment_id, wanted.payment_id) ELSE payments.payment_id END,
            last_reason = coalesce(why, last_reason),
            unknown_at = CASE WHEN target = 'unknown' THEN coalesce(unknown_at, moment) ELSE unknown_at END,
            next_attempt_at = CASE
              WHEN step = 'parked' THEN moment + wanted.wait_ms * interval '1 ms'
              WHEN target IN ('capturing', 'voiding') THEN moment + interval '10 min'
              WHEN target = 'unknown' THEN moment
              WHEN sweeps THEN moment
            END,
            sweep_until = CASE WHEN sweeps THEN moment + interval '24 h' END
        WHERE payments.order_id = payment.order_id AND payments.attempt_no = payment.attempt_no
          AND payments.status = payment.status AND target IS NOT NULL;

        answer.record_no = entry.record_no;
        answer.order_id = payment.order_id;
        answer.attempt_no = payment.attempt_no;
        answer.changed = target IS NOT NULL;
        answer.payment_status = coalesce(target, payment.status);
        answer.order_status = parent.status;
        IF parent.status = 'accepted' THEN
          IF target = 'failed' AND wanted.again AND payment.attempt_no = 1 AND parent.cancel_requested_at IS NULL THEN
            PERFORM open_next_attempt(payment, why,
                                      CASE step WHEN 'declined' THEN moment + interval '10 min' ELSE moment END);
          ELSIF target = 'failed' THEN
            IF payment.order_id = ANY (endable) IS NOT TRUE THEN
              -- Its stock is not locked, and locking it now could deadlock. Only a cancellation a moment ago leads here.
              RAISE EXCEPTION 'the order has changed meanwhile' USING ERRCODE = 'serialization_failure';
            END IF;
            answer.order_status = CASE WHEN parent.cancel_requested_at IS NULL THEN 'rejected' ELSE 'canceled' END;
            event = end_order(
              payment.order_id, answer.order_status,
              CASE WHEN parent.cancel_requested_at IS NOT NULL THEN NULL
                   WHEN step = 'declined' THEN 'payment_declined'
                   WHEN step = 'canceled' OR payment.status = 'awaiting_customer' THEN 'payment_expired'
                   ELSE 'payment_unavailable' END,
              jsonb_build_object('attemptNo', payment.attempt_no, 'code', why));
            released = released || payment.order_id; -- Last: an exception undoes rows, but no variable.
          ELSIF target = 'captured' OR target = 'review' THEN
            answer.order_status = CASE target WHEN 'captured' THEN 'confirmed' ELSE 'review' END;
            event = end_order(payment.order_id, answer.order_status, CASE target WHEN 'review' THEN why END,
                              jsonb_build_object('attemptNo', payment.attempt_no));
          END IF;
        END IF;
        EXIT;
      EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
        -- Classes 22 and 23, and nothing else: a deadlock or a lock timeout must abort the batch, which then comes back.
        GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
        why = CASE broken WHEN 'payments_payment_id_once' THEN 'payment_id_reused'
                          ELSE 'refused_' || lower(SQLSTATE) END;
        step = 'review';
        answer = NULL;
      END;
    END LOOP;
    CONTINUE WHEN answer.record_no IS NULL;

    answer.next = CASE step WHEN 'parked' THEN 'nothing' ELSE payment_next(
      answer.payment_status, answer.order_status, parent.cancel_requested_at IS NOT NULL) END;
    answer.payment_id = coalesce(payment.payment_id, wanted.payment_id);
    -- A hold that came too late for its row, or beside another: it is released at once, unless it is some row's own.
    IF step = 'authorized' AND NOT answer.changed AND payment.status <> 'review'
       AND (payment.status = 'failed' OR payment.payment_id <> wanted.payment_id)
       AND NOT EXISTS (
         SELECT FROM payments AS other
         WHERE other.payment_id = wanted.payment_id
           AND (other.order_id, other.attempt_no) <> (payment.order_id, payment.attempt_no)) THEN
      answer.next = 'cancel';
      answer.payment_id = wanted.payment_id;
    END IF;
    answer.event_id = event.id;
    answer.event_type = event.type;
    answer.event_payload = event.payload;
    answer.event_created_ms = floor(extract(epoch FROM event.created_at) * 1000);
    RETURN NEXT answer;
  END LOOP;

  IF released <> '{}' THEN
    UPDATE stock SET available = stock.available + back.quantity, version = stock.version + 1
    FROM (SELECT order_items.sku, CAST(sum(order_items.quantity) AS bigint) AS quantity
          FROM order_items WHERE order_items.order_id = ANY (released) GROUP BY order_items.sku) AS back
    WHERE stock.sku = back.sku;
  END IF;
END
$move$

-- next statement
REVOKE ALL ON FUNCTION move_payments(jsonb) FROM PUBLIC

-- next statement
-- Makes the moves of settle, each by compare-and-set, and says where every row stands. A move of a payment that does
-- not exist has no answer.
CREATE FUNCTION record_payments_v1(batch jsonb, sent jsonb DEFAULT '[]') RETURNS SETOF payment_moved_v1
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET plan_cache_mode = force_generic_plan
AS $record$
BEGIN
  PERFORM mark_events_sent(sent);
  RETURN QUERY SELECT * FROM move_payments(batch);
END
$record$

-- next statement
REVOKE ALL ON FUNCTION record_payments_v1(jsonb, jsonb) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION record_payments_v1(jsonb, jsonb) TO orderflow_app
