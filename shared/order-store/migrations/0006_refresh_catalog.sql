-- The catalog and its stock as the shop's events tell of them.
--
-- An adjustment is a fact (a count, a delivery, a loss), so it is never refused for what is on the shelf, and stock is
-- never below zero. What an adjustment takes that is not there is owed. Whatever comes to that shelf next, a delivery or the
-- kits of a rejected order, pays what is owed before it can be sold. So the sum of the adjustments decides what there is,
-- and not the order in which they come. The checks come validated, since `owed` is 0 everywhere and SKUs are few.
ALTER TABLE stock
  ADD COLUMN owed stock_units NOT NULL DEFAULT 0,
  ADD CONSTRAINT stock_owed_only_when_empty CHECK (owed = 0 OR available = 0)

-- next statement
CREATE FUNCTION pay_owed_stock() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $pay$
DECLARE
  paid bigint = least(NEW.available, NEW.owed);
BEGIN
  NEW.available = NEW.available - paid;
  NEW.owed = NEW.owed - paid;
  RETURN NEW;
END
$pay$

-- next statement
REVOKE ALL ON FUNCTION pay_owed_stock() FROM PUBLIC

-- next statement
-- A trigger, because stock comes back in more than one statement, and older ones know nothing of what is owed.
CREATE TRIGGER stock_pays_what_is_owed BEFORE INSERT OR UPDATE ON stock FOR EACH ROW
  WHEN (NEW.available > 0 AND NEW.owed > 0) EXECUTE FUNCTION pay_owed_stock()

-- next statement
-- available = adjusted - reserved - sold, per SKU, as before. Adjusted is what adjustments have done to the shelf, which is
-- their sum and what is still owed of it. `difference` is 0 in every snapshot.
CREATE OR REPLACE VIEW stock_equation AS
SELECT stock.sku, stock.available,
       coalesce(adjustments.adjusted, 0) + stock.owed AS adjusted,
       coalesce(held.reserved, 0) AS reserved,
       coalesce(held.sold, 0) AS sold,
       stock.available - coalesce(adjustments.adjusted, 0) - stock.owed + coalesce(held.reserved, 0)
         + coalesce(held.sold, 0) AS difference,
       stock.owed
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

-- next statement
-- The one call that applies a batch of product changes and stock adjustments.
--
-- In: [{record_no, kind 'product', sku, name, price_minor, currency, active, version, image_key},
--      {record_no, kind 'stock', event_id, sku, delta}]. Out: one row per element; verdict is applied, known (the same was
-- applied before), superseded (the row has a newer version), id_reused (a version, or an event id, that was applied with
-- another content), or refused (the SQLSTATE as reason; nothing was written). With a product comes its row as it is now,
-- for the cache; with an adjustment, what is owed of its SKU.
--
-- Running it again, in any order, leaves the same rows: of a product the highest version, of the adjustments each once.
--
-- No deadlock: products first, in SKU order, which nobody waits for while holding stock; then the stock rows, missing ones
-- made before any is locked, both in SKU order (COLLATE "C"), as accept_orders_v1 locks them; then adjustments by event
-- id. Stock comes last, so that orders wait for it as briefly as they can.
CREATE FUNCTION refresh_catalog_v1(batch jsonb)
RETURNS TABLE (record_no integer, verdict text, reason text, sku text, price_minor bigint, currency text, active boolean,
               version bigint, owed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off
AS $refresh$
#variable_conflict use_column
DECLARE
  entry   record;  -- One element of the batch.
  wanted  record;  -- The same, decoded.
  skus    text[];  -- The SKUs whose stock is adjusted.
  missing text;    -- One that has no stock row yet.
  written boolean; -- Whether this element changed the product.
BEGIN
  FOR entry IN
    SELECT element.body, CAST(element.body ->> 'record_no' AS integer) AS record_no
    FROM jsonb_array_elements(batch) AS element(body)
    WHERE element.body ->> 'kind' = 'product'
    -- The newest version first, so that a row is written once.
    ORDER BY element.body ->> 'sku' COLLATE "C", element.body -> 'version' DESC, 2
  LOOP
    record_no = entry.record_no;
    BEGIN -- A subtransaction per element: what is wrong with one is undone alone.
      SELECT * INTO wanted FROM jsonb_to_record(entry.body) AS decoded(
        sku text, name text, price_minor bigint, currency text, active boolean, version bigint, image_key text);
      INSERT INTO products AS known (sku, name, price_minor, currency, active, version, image_key, updated_at)
      VALUES (wanted.sku, wanted.name, wanted.price_minor, wanted.currency, wanted.active, wanted.version,
              wanted.image_key, clock_timestamp())
      ON CONFLICT ON CONSTRAINT products_pk DO UPDATE
      SET name = excluded.name, price_minor = excluded.price_minor, currency = excluded.currency,
          active = excluded.active, version = excluded.version, image_key = excluded.image_key,
          updated_at = excluded.updated_at
      WHERE known.version < excluded.version;
      written = FOUND;
      -- A new statement, so a new snapshot: it sees the row that the conflict was with.
      SELECT CASE WHEN written THEN 'applied'
                  WHEN products.version > wanted.version THEN 'superseded'
                  WHEN (products.name, products.price_minor, products.currency, products.active, products.image_key)
                       IS NOT DISTINCT FROM
                       (wanted.name, wanted.price_minor, wanted.currency, wanted.active, wanted.image_key) THEN 'known'
                  ELSE 'id_reused' END,
             NULL, products.sku, products.price_minor, products.currency, products.active, products.version
      INTO verdict, reason, sku, price_minor, currency, active, version
      FROM products WHERE products.sku = wanted.sku;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
      -- Classes 22 and 23, and nothing else: a deadlock or a lock timeout must abort the batch, which then comes back.
      verdict = 'refused';
      reason = SQLSTATE;
      sku = NULL;
      price_minor = NULL;
      currency = NULL;
      active = NULL;
      version = NULL;
    END;
    RETURN NEXT;
  END LOOP;

  SELECT array_agg(DISTINCT element.body ->> 'sku' COLLATE "C") INTO skus
  FROM jsonb_array_elements(batch) AS element(body) WHERE element.body ->> 'kind' = 'stock';
  FOR missing IN
    SELECT named.sku FROM unnest(skus) AS named(sku)
    WHERE NOT EXISTS (SELECT FROM stock WHERE stock.sku = named.sku)
    ORDER BY named.sku COLLATE "C"
  LOOP
    BEGIN
      INSERT INTO stock (sku, available) VALUES (missing, 0) ON CONFLICT ON CONSTRAINT stock_pk DO NOTHING;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
      NULL; -- No SKU at all: its element is refused below, by the same rule of another table.
    END;
  END LOOP;
  PERFORM FROM stock WHERE stock.sku = ANY (skus) ORDER BY stock.sku FOR NO KEY UPDATE;

  price_minor = NULL; -- What follows is no product.
  currency = NULL;
  active = NULL;
  version = NULL;
  FOR entry IN
    SELECT element.body, CAST(element.body ->> 'record_no' AS integer) AS record_no
    FROM jsonb_array_elements(batch) AS element(body)
    WHERE element.body ->> 'kind' = 'stock'
    ORDER BY element.body ->> 'event_id' COLLATE "C", 2
  LOOP
    record_no = entry.record_no;
    BEGIN
      SELECT * INTO wanted FROM jsonb_to_record(entry.body) AS decoded(event_id text, sku text, delta bigint);
      INSERT INTO stock_adjustments (event_id, sku, delta) VALUES (wanted.event_id, wanted.sku, wanted.delta)
      ON CONFLICT ON CONSTRAINT stock_adjustments_pk DO NOTHING;
      IF FOUND THEN
        UPDATE stock SET available = stock.available + greatest(wanted.delta, 0),
                         owed = stock.owed - least(wanted.delta, 0), version = stock.version + 1
        WHERE stock.sku = wanted.sku
        RETURNING 'applied', NULL, stock.sku, stock.owed INTO verdict, reason, sku, owed;
      ELSE
        SELECT CASE WHEN (stock_adjustments.sku, stock_adjustments.delta) = (wanted.sku, wanted.delta) THEN 'known'
                    ELSE 'id_reused' END,
               NULL, wanted.sku, stock.owed
        INTO verdict, reason, sku, owed
        FROM stock_adjustments LEFT JOIN stock ON stock.sku = wanted.sku
        WHERE stock_adjustments.event_id = wanted.event_id;
      END IF;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
      verdict = 'refused';
      reason = SQLSTATE;
      sku = NULL;
      owed = NULL;
    END;
    RETURN NEXT;
  END LOOP;
END
$refresh$

-- next statement
REVOKE ALL ON FUNCTION refresh_catalog_v1(jsonb) FROM PUBLIC

-- next statement
GRANT EXECUTE ON FUNCTION refresh_catalog_v1(jsonb) TO orderflow_app
