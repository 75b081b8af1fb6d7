-- Orders, their payments, and what must be told to others. A status and a reason are one of the contract's
-- words; what may follow what is guarded twice, by the compare-and-set of each statement and, for the moves
-- that must never happen, by the triggers below.

CREATE DOMAIN order_status AS text CONSTRAINT order_status_known
  CHECK (VALUE IN ('accepted', 'confirmed', 'rejected', 'canceled', 'review', 'refunded'))

-- next statement
CREATE DOMAIN rejection_reason AS text CONSTRAINT rejection_reason_known
  CHECK (VALUE IN ('unknown_sku', 'inactive_sku', 'price_changed', 'out_of_stock', 'quantity_limit', 'total_mismatch',
                   'currency_mismatch', 'invalid_order', 'payment_declined', 'payment_expired', 'payment_unavailable'))

-- next statement
CREATE DOMAIN payment_status AS text CONSTRAINT payment_status_known
  CHECK (VALUE IN ('requested', 'capturing', 'captured', 'failed', 'unknown', 'voiding', 'awaiting_customer',
                   'awaiting_provider', 'refunding', 'refunded', 'review'))

-- next statement
CREATE DOMAIN event_type AS text CONSTRAINT event_type_known
  CHECK (VALUE IN ('order.accepted.v1', 'order.confirmed.v1', 'order.rejected.v1', 'order.canceled.v1',
                   'payment.refunded.v1'))

-- next statement
CREATE DOMAIN history_word AS text CONSTRAINT history_word_format CHECK (VALUE ~ '^[a-z][a-z0-9_.]{0,63}$')

-- next statement
CREATE DOMAIN sha256_hex AS text COLLATE "C"
  CONSTRAINT sha256_hex_format CHECK (VALUE ~ '^[0-9a-f]+$' AND length(VALUE) = 64)

-- next statement
CREATE DOMAIN line_number AS integer CONSTRAINT line_number_range CHECK (VALUE BETWEEN 1 AND 50)

-- next statement
CREATE DOMAIN line_quantity AS integer CONSTRAINT line_quantity_range CHECK (VALUE BETWEEN 1 AND 99)

-- next statement
CREATE DOMAIN sequence_number AS integer CONSTRAINT sequence_number_range CHECK (VALUE >= 1)

-- next statement
CREATE DOMAIN attempt_number AS integer CONSTRAINT attempt_number_range CHECK (VALUE BETWEEN 1 AND 1000)

-- next statement
CREATE DOMAIN details AS jsonb CONSTRAINT details_object CHECK (jsonb_typeof(VALUE) = 'object')

-- next statement
-- coalesce, because a CHECK lets NULL pass, and a missing field is NULL.
CREATE DOMAIN payment_params AS jsonb CONSTRAINT payment_params_whole CHECK (coalesce(
  VALUE ->> 'amountMinor' ~ '^[1-9][0-9]{0,11}$'
  AND VALUE ->> 'currency' ~ '^[A-Z]{3}$'
  AND VALUE ->> 'customerRef' ~ '^[A-Za-z0-9_.:-]+$' AND length(VALUE ->> 'customerRef') <= 64
  AND VALUE ->> 'methodRef' ~ '^[A-Za-z0-9_.:-]+$' AND length(VALUE ->> 'methodRef') <= 64, false))

-- next statement
CREATE TABLE orders (
  order_id            identifier CONSTRAINT orders_pk PRIMARY KEY,
  customer_id         identifier,
  status              order_status NOT NULL,
  reason              rejection_reason,
  currency            currency_code,
  total_minor         bigint,
  fingerprint         sha256_hex,
  placed_at           timestamptz,
  accepted_at         timestamptz,
  cancel_requested_at timestamptz,
  CONSTRAINT orders_rejected_has_reason CHECK ((status = 'rejected') = (reason IS NOT NULL)),
  -- An order without payload is a tombstone: its cancellation came first, and it stays canceled.
  CONSTRAINT orders_payload_whole CHECK (
    CASE WHEN fingerprint IS NULL
      THEN status = 'canceled' AND num_nonnulls(customer_id, currency, total_minor, placed_at, accepted_at) = 0
      ELSE num_nulls(customer_id, total_minor, placed_at) = 0
    END),
  -- What was never accepted is a rejection, kept as it was sent (any total, perhaps no usable currency), or a
  -- tombstone.
  CONSTRAINT orders_accepted_is_priced CHECK (
    CASE WHEN accepted_at IS NULL
      THEN status = 'rejected' OR fingerprint IS NULL
      ELSE currency IS NOT NULL AND total_minor BETWEEN 1 AND 999999999999
    END)
)

-- next statement
-- Lines of orders that were accepted at some time; `accept_orders_v1` is their only writer. Which of them hold
-- stock follows from the order's status (see the view stock_equation).
CREATE TABLE order_items (
  order_id         identifier    NOT NULL CONSTRAINT order_items_of_order REFERENCES orders,
  line_no          line_number   NOT NULL,
  sku              identifier    NOT NULL CONSTRAINT order_items_of_product REFERENCES products,
  quantity         line_quantity NOT NULL,
  unit_price_minor minor_units   NOT NULL,
  CONSTRAINT order_items_pk PRIMARY KEY (order_id, line_no)
)

-- next statement
CREATE TABLE order_history (
  order_id identifier      NOT NULL CONSTRAINT order_history_of_order REFERENCES orders,
  seq      sequence_number NOT NULL,
  at       timestamptz     NOT NULL DEFAULT clock_timestamp(),
  what     history_word    NOT NULL,
  detail   details,
  CONSTRAINT order_history_pk PRIMARY KEY (order_id, seq)
)

-- next statement
-- One row per attempt. `params` is the request as it will be sent, frozen before its idempotency key exists;
-- `params_hash` is SHA-256 over 'v1', order, attempt, amount, currency and the two references, joined by '|'
-- (no identifier contains that sign), so that a reader can prove it sends what was committed.
CREATE TABLE payments (
  order_id        identifier     NOT NULL CONSTRAINT payments_of_order REFERENCES orders,
  attempt_no      attempt_number NOT NULL,
  status          payment_status NOT NULL,
  payment_id      identifier     CONSTRAINT payments_payment_id_once UNIQUE,
  params          payment_params NOT NULL,
  params_hash     sha256_hex     NOT NULL,
  amount_minor    minor_units    NOT NULL,
  first_sent_at   timestamptz,
  received_at     timestamptz,
  next_attempt_at timestamptz,
  sweep_until     timestamptz,
  CONSTRAINT payments_pk PRIMARY KEY (order_id, attempt_no),
  CONSTRAINT payments_amount_as_requested CHECK (params ->> 'amountMinor' = CAST(amount_minor AS text)),
  CONSTRAINT payments_charge_is_named CHECK (
    payment_id IS NOT NULL OR status NOT IN ('capturing', 'captured', 'refunding', 'refunded'))
)

-- next statement
-- A new attempt begins only after the former one has failed.
CREATE UNIQUE INDEX payments_one_live_attempt ON payments (order_id) WHERE status <> 'failed'

-- next statement
-- The reconciler's questions: what is due, what is in doubt, which holds may still appear at the provider.
CREATE INDEX payments_due ON payments (next_attempt_at) WHERE next_attempt_at IS NOT NULL

-- next statement
CREATE INDEX payments_unsettled ON payments (status, order_id)
  WHERE status NOT IN ('captured', 'failed', 'refunded')

-- next statement
CREATE INDEX payments_to_sweep ON payments (sweep_until) WHERE sweep_until IS NOT NULL

-- next statement
-- Events for other systems, written with the change they tell of. The id is computable by anyone who knows the
-- change, so that a consumer can drop a repeat.
CREATE TABLE outbox (
  id         text COLLATE "C" CONSTRAINT outbox_pk PRIMARY KEY,
  order_id   identifier  NOT NULL CONSTRAINT outbox_of_order REFERENCES orders,
  seq        sequence_number NOT NULL,
  type       event_type  NOT NULL,
  payload    details     NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sent_at    timestamptz,
  CONSTRAINT outbox_seq_once UNIQUE (order_id, seq),
  CONSTRAINT outbox_id_derived CHECK (id = order_id || ':' || type || ':' || seq)
)

-- next statement
CREATE INDEX outbox_unsent ON outbox (created_at) WHERE sent_at IS NULL

-- next statement
CREATE TABLE processed_webhooks (
  event_id     text COLLATE "C" CONSTRAINT processed_webhooks_pk PRIMARY KEY
               CONSTRAINT processed_webhooks_event_id_format
               CHECK (event_id ~ '^[A-Za-z0-9_.:-]+$' AND length(event_id) <= 255),
  processed_at timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- next statement
-- Grants keep the functions from rewriting history; this keeps everybody, also a person with the owner's password.
CREATE FUNCTION refuse_rewriting_history() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $refuse$
BEGIN
  RAISE EXCEPTION 'order_history is append-only, add a row that corrects the wrong one'
    USING ERRCODE = 'integrity_constraint_violation';
END
$refuse$

-- next statement
CREATE TRIGGER order_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_history
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history()

-- next statement
-- A rejected, canceled or refunded order stays so, and what identifies an order never changes.
CREATE FUNCTION guard_order() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $guard$
BEGIN
  IF OLD.status IN ('rejected', 'canceled', 'refunded') AND NEW.status <> OLD.status THEN
    RAISE EXCEPTION 'an order that is % stays so', OLD.status USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (NEW.order_id, NEW.customer_id, NEW.currency, NEW.total_minor, NEW.fingerprint, NEW.placed_at, NEW.accepted_at)
     IS DISTINCT FROM
     (OLD.order_id, OLD.customer_id, OLD.currency, OLD.total_minor, OLD.fingerprint, OLD.placed_at, OLD.accepted_at)
  THEN
    RAISE EXCEPTION 'the payload of an order never changes' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$guard$

-- next statement
CREATE TRIGGER orders_guarded BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION guard_order()

-- next statement
-- A failed attempt stays failed, its request stays frozen, and the provider's payment id is written once.
CREATE FUNCTION guard_payment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $guard$
BEGIN
  IF OLD.status = 'failed' AND NEW.status <> 'failed' THEN
    RAISE EXCEPTION 'a failed attempt stays failed, open a new attempt'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id THEN
    RAISE EXCEPTION 'payment_id is written once' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (NEW.order_id, NEW.attempt_no, NEW.params, NEW.params_hash, NEW.amount_minor)
     IS DISTINCT FROM (OLD.order_id, OLD.attempt_no, OLD.params, OLD.params_hash, OLD.amount_minor) THEN
    RAISE EXCEPTION 'a payment request is frozen, open a new attempt'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$guard$

-- next statement
CREATE TRIGGER payments_guarded BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION guard_payment()

-- next statement
-- available = adjusted - reserved - sold, per SKU. Only `available` is stored, because only it is contended; the
-- other three follow from rows that are written anyway. Items of an order that waits for its payment (accepted,
-- review) are reserved; of one that was paid (confirmed, refunded: food does not come back) sold; whatever moves
-- an order to rejected or canceled adds its items to `available` in the same transaction. What truly comes back
-- is an adjustment. `difference` is 0 in every snapshot.
CREATE VIEW stock_equation AS
SELECT stock.sku, stock.available,
       coalesce(adjustments.adjusted, 0) AS adjusted,
       coalesce(held.reserved, 0) AS reserved,
       coalesce(held.sold, 0) AS sold,
       stock.available - coalesce(adjustments.adjusted, 0) + coalesce(held.reserved, 0)
         + coalesce(held.sold, 0) AS difference
FROM stock
LEFT JOIN (
  SELECT sku, CAST(sum(delta) AS bigint) AS adjusted FROM stock_adjustments GROUP BY sku
) AS adjustments USING (sku)
LEFT JOIN (
  SELECT order_items.sku,
         sum(order_items.quantity) FILTER (WHERE orders.status IN ('accepted', 'review')) AS reserved,
         sum(order_items.quantity) FILTER (WHERE orders.status IN ('confirmed', 'refunded')) AS sold
  FROM order_items JOIN orders USING (order_id)
  GROUP BY order_items.sku
) AS held USING (sku)
