-- Traces: who publishes something about an order later, from its rows, says which trace it belongs to.
--
-- Functions first and the table last: its lock, for which everything waits, is then held for as short as can be.

-- W3C Trace Context, 3.2: version, trace id, parent id, flags; no version ff, no id of zeros. It goes into messages and
-- logs, so nothing else may pass.
CREATE FUNCTION is_traceparent(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN value ~ '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$'

-- next statement
REVOKE ALL ON FUNCTION is_traceparent(text) FROM PUBLIC

-- next statement
-- As in 0003_accept_orders.sql, which says why it is as it is; an element may have a `traceparent`, and the order keeps it.
CREATE OR REPLACE FUNCTION accept_orders_v1(batch jsonb, sent jsonb DEFAULT '[]')
RETURNS TABLE (record_no integer, order_id text, verdict text, reason text, order_status text, attempt_no integer,
               publish_payment boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET plan_cache_mode = force_generic_plan
AS $accept$
#variable_conflict use_column
DECLARE
  entry      record;    -- One element of the batch.
  wanted     record;    -- The same, decoded.
  skus       text[];    -- Every SKU of the batch that is a product, in SKU order; the arrays below run parallel.
  locked     text[];    -- Those of them whose stock is locked.
  prices     bigint[];
  currencies text[];
  actives    boolean[];
  on_shelf   bigint[];  -- Available when the rows were locked.
  remaining  bigint[];  -- Available after the orders accepted so far.
  after_this bigint[];  -- Available if this order is accepted as well.
  decided_at timestamptz;
BEGIN
  PERFORM mark_events_sent(sent); -- First, because it never waits, and below are locks that others wait for.

  -- A path, not a cast: it finds SKUs in an element of any shape and never fails.
  SELECT array_agg(DISTINCT found.sku #>> '{}') INTO skus
  FROM jsonb_path_query(batch, '$[*].items[*].sku') AS found(sku);
  SELECT array_agg(CAST(held.sku AS text)) INTO locked FROM (
    SELECT stock.sku FROM stock WHERE stock.sku = ANY (skus) ORDER BY stock.sku FOR NO KEY UPDATE) AS held;

  -- A new statement, so a new snapshot: it sees all that was committed while the locks were waited for. A row that was
  -- made meanwhile is not locked, so it counts as if this batch had come first.
  decided_at = clock_timestamp();
  SELECT array_agg(CAST(products.sku AS text) ORDER BY products.sku),
         array_agg(CAST(price_minor AS bigint) ORDER BY products.sku),
         array_agg(CAST(currency AS text) ORDER BY products.sku), array_agg(active ORDER BY products.sku),
         array_agg(coalesce(CAST(available AS bigint), 0) ORDER BY products.sku)
  INTO skus, prices, currencies, actives, on_shelf
  FROM products LEFT JOIN stock ON stock.sku = products.sku AND stock.sku = ANY (locked)
  WHERE products.sku = ANY (skus);
  remaining = on_shelf;

  FOR entry IN
    SELECT element.body, CAST(element.body ->> 'record_no' AS integer) AS record_no,
           element.body ->> 'order_id' AS order_id
    FROM jsonb_array_elements(batch) AS element(body)
    ORDER BY element.body ->> 'order_id' COLLATE "C", 2
  LOOP
    record_no = entry.record_no;
    order_id = entry.order_id;
    BEGIN -- A subtransaction per order: what is wrong with one is undone alone.
      SELECT * INTO wanted FROM jsonb_to_record(entry.body) AS decoded(
        customer_id text, currency text, total_minor bigint, fingerprint text, placed_at timestamptz,
        reject_reason text, items jsonb, payment jsonb, traceparent text);

      -- Twice at most: an order that appears between the look and the insert is committed, so a second look sees it.
      FOR look IN 1 .. 2 LOOP
        -- Looking comes first because an insert would wait for whoever is updating that order, with stock locked.
        SELECT CASE WHEN orders.fingerprint <> wanted.fingerprint THEN 'id_reused'
                    WHEN orders.status = 'canceled' THEN 'canceled'
                    ELSE 'known' END,
               orders.reason, orders.status, latest.attempt_no,
               coalesce(orders.fingerprint = wanted.fingerprint AND orders.status = 'accepted'
                        AND latest.status = 'requested' AND latest.received_at IS NULL
                        AND (latest.attempt_no = 1 OR latest.next_attempt_at <= decided_at), false)
        INTO verdict, reason, order_status, attempt_no, publish_payment
        FROM orders LEFT JOIN LATERAL (
          SELECT payments.attempt_no, payments.status, payments.received_at, payments.next_attempt_at
          FROM payments WHERE payments.order_id = orders.order_id ORDER BY payments.attempt_no DESC LIMIT 1
        ) AS latest ON true
        WHERE orders.order_id = entry.order_id;
        EXIT WHEN FOUND;

        -- Here, and only here, a price or an active flag rejects: caches upstream let orders through. All lines
        -- together, so that the reason does not depend on their order and an order gets all of its kits or none.
        SELECT (ARRAY['unknown_sku', 'inactive_sku', 'currency_mismatch', 'price_changed', 'out_of_stock'])[min(
                 CASE WHEN demand.sku IS NULL THEN NULL
                      WHEN known.sku IS NULL THEN 1
                      WHEN NOT known.active THEN 2
                      WHEN known.currency <> wanted.currency THEN 3
                      WHEN known.price_minor <> demand.lowest OR known.price_minor <> demand.highest THEN 4
                      WHEN known.remaining < demand.quantity THEN 5 END)],
               array_agg(known.remaining - coalesce(demand.quantity, 0) ORDER BY known.slot)
                 FILTER (WHERE known.slot IS NOT NULL)
        INTO reason, after_this
        FROM (SELECT line.sku, sum(line.quantity) AS quantity, min(line.unit_price_minor) AS lowest,
                     max(line.unit_price_minor) AS highest
              FROM jsonb_to_recordset(wanted.items) AS line(sku text, quantity integer, unit_price_minor bigint)
              GROUP BY line.sku) AS demand
        FULL JOIN unnest(skus, prices, currencies, actives, remaining)
          WITH ORDINALITY AS known(sku, price_minor, currency, active, remaining, slot) ON known.sku = demand.sku;
        reason = coalesce(wanted.reject_reason, reason);
        order_status = CASE WHEN reason IS NULL THEN 'accepted' ELSE 'rejected' END;

        INSERT INTO orders (order_id, customer_id, status, reason, currency, total_minor, fingerprint, placed_at,
                            accepted_at, traceparent)
        VALUES (entry.order_id, wanted.customer_id, order_status, reason, wanted.currency, wanted.total_minor,
                wanted.fingerprint, wanted.placed_at, CASE WHEN reason IS NULL THEN decided_at END,
                CASE WHEN is_traceparent(wanted.traceparent) THEN wanted.traceparent END) -- No order is refused for its trace.
        ON CONFLICT ON CONSTRAINT orders_pk DO NOTHING;
        CONTINUE WHEN NOT FOUND;

        verdict = order_status;
        publish_payment = reason IS NULL;
        IF reason IS NULL THEN
          attempt_no = 1;
          INSERT INTO order_items (order_id, line_no, sku, quantity, unit_price_minor)
          SELECT entry.order_id, line.line_no, line.sku, line.quantity, line.unit_price_minor
          FROM ROWS FROM (jsonb_to_recordset(wanted.items) AS (sku text, quantity integer, unit_price_minor bigint))
            WITH ORDINALITY AS line(sku, quantity, unit_price_minor, line_no);
          IF NOT FOUND THEN
            RAISE EXCEPTION 'an accepted order has at least one line' USING ERRCODE = 'check_violation';
          END IF;
          INSERT INTO payments (order_id, attempt_no, status, amount_minor, params, params_hash)
          VALUES (entry.order_id, 1, 'requested', wanted.total_minor,
                  jsonb_build_object('amountMinor', wanted.total_minor, 'currency', wanted.currency,
                                     'customerRef', wanted.payment -> 'customer_ref',
                                     'methodRef', wanted.payment -> 'method_ref'),
                  encode(sha256(convert_to(concat_ws('|', 'v1', entry.order_id, 1, wanted.total_minor, wanted.currency,
                                                     wanted.payment ->> 'customer_ref',
                                                     wanted.payment ->> 'method_ref'), 'UTF8')), 'hex'));
        END IF;
        INSERT INTO order_history (order_id, seq, at, what, detail)
        VALUES (entry.order_id, 1, decided_at, order_status,
                CASE WHEN reason IS NOT NULL THEN jsonb_build_object('reason', reason) END);
        INSERT INTO outbox (id, order_id, seq, type, payload, created_at)
        VALUES (concat_ws(':', entry.order_id, 'order.' || order_status || '.v1', 1), entry.order_id, 1,
                'order.' || order_status || '.v1',
                jsonb_strip_nulls(jsonb_build_object('orderId', entry.order_id, 'customerId', wanted.customer_id,
                                                     'reason', reason)),
                decided_at);
        IF reason IS NULL THEN
          remaining = after_this; -- Last: an exception undoes rows, but no variable.
        END IF;
        EXIT;
      END LOOP;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
      -- Classes 22 and 23, and nothing else: a deadlock or a lock timeout must abort the batch, which then comes back.
      verdict = 'refused';
      reason = SQLSTATE;
      order_status = NULL;
      attempt_no = NULL;
      publish_payment = false;
    END;
    RETURN NEXT;
  END LOOP;

  UPDATE stock SET available = stock.available - (known.on_shelf - known.remaining), version = stock.version + 1
  FROM unnest(skus, on_shelf, remaining) AS known(sku, on_shelf, remaining)
  WHERE stock.sku = known.sku AND known.remaining <> known.on_shelf;
END
$accept$

-- next statement
-- The traces of these orders, ["order_id"]; nothing of one that has none.
CREATE FUNCTION order_traces_v1(order_ids jsonb) RETURNS TABLE (order_id text, traceparent text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
  SET plan_cache_mode = force_generic_plan
AS $traces$
#variable_conflict use_column
DECLARE
  ids text[];
BEGIN
  SELECT array_agg(DISTINCT element.id #>> '{}') INTO ids FROM jsonb_path_query(order_ids, '$[*]') AS element(id);
  RETURN QUERY
  SELECT CAST(orders.order_id AS text), CAST(orders.traceparent AS text) FROM orders
  WHERE orders.order_id = ANY (ids) AND orders.traceparent IS NOT NULL;
END
$traces$

-- next statement
REVOKE ALL ON FUNCTION order_traces_v1(jsonb) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION order_traces_v1(jsonb) TO orderflow_app

-- next statement
-- Of the message that decided the order. A domain that has a check already would have the table written anew for its
-- column, so the check comes after. It holds for whatever is written; nothing was before, so nothing is left to validate.
CREATE DOMAIN traceparent AS text COLLATE "C"

-- next statement
ALTER TABLE orders ADD COLUMN traceparent traceparent

-- next statement
ALTER DOMAIN traceparent ADD CONSTRAINT traceparent_format CHECK (is_traceparent(VALUE)) NOT VALID
