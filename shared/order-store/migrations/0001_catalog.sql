-- The catalog and its stock. Identifiers are compared byte by byte (COLLATE "C"), as the Rust types compare
-- them, so that "in SKU order" means the same in every part. Money is bigint in minor units, at most twelve
-- digits: the provider takes no larger amount, and 99 * 50 such lines still fit a bigint.
--
-- What one column may hold is a domain, what columns must be to each other a check of their table. Not only to say it
-- once: PostgreSQL reads the text of every check again for every statement that writes to the table, also where the
-- column does not change; of a domain it keeps the compiled rule, and asks it only for a column that is written.

REVOKE CREATE ON SCHEMA public FROM PUBLIC

-- next statement
CREATE DOMAIN identifier AS text COLLATE "C"
  CONSTRAINT identifier_format CHECK (VALUE ~ '^[A-Za-z0-9_.:-]+$' AND length(VALUE) <= 64)

-- next statement
CREATE DOMAIN currency_code AS text CONSTRAINT currency_code_format CHECK (VALUE ~ '^[A-Z]{3}$')

-- next statement
CREATE DOMAIN minor_units AS bigint CONSTRAINT minor_units_range CHECK (VALUE BETWEEN 0 AND 999999999999)

-- next statement
CREATE DOMAIN row_version AS bigint CONSTRAINT row_version_range CHECK (VALUE >= 0)

-- next statement
CREATE DOMAIN stock_units AS bigint CONSTRAINT stock_never_below_zero CHECK (VALUE >= 0)

-- next statement
CREATE TABLE products (
  sku         identifier  CONSTRAINT products_pk PRIMARY KEY,
  name        text        NOT NULL CONSTRAINT products_name_length CHECK (length(name) BETWEEN 1 AND 200),
  price_minor minor_units NOT NULL,
  currency    currency_code NOT NULL,
  active      boolean     NOT NULL,
  version     row_version NOT NULL,
  image_key   text        CONSTRAINT products_image_key_length CHECK (length(image_key) BETWEEN 1 AND 200),
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- next statement
-- A table of its own: foreign keys point at products, and product changes write products, so neither ever
-- waits for the rows that every order locks. No foreign key to products: the two events come in any order.
-- Half-empty pages keep the many updates of a hot SKU on its page (no index entry, pruned as they go).
CREATE TABLE stock (
  sku       identifier  CONSTRAINT stock_pk PRIMARY KEY,
  available stock_units NOT NULL,
  version   row_version NOT NULL DEFAULT 1
) WITH (fillfactor = 50)

-- next statement
-- Every change of stock that is not an order. The event's id is the key, so that a repeated event changes
-- nothing; its delta is added to `stock.available` in the same statement.
CREATE TABLE stock_adjustments (
  event_id   text COLLATE "C" CONSTRAINT stock_adjustments_pk PRIMARY KEY
             CONSTRAINT stock_adjustments_event_id_format
             CHECK (event_id ~ '^[A-Za-z0-9_.:-]+$' AND length(event_id) <= 128),
  sku        identifier  NOT NULL,
  delta      bigint      NOT NULL CONSTRAINT stock_adjustments_delta_range
             CHECK (delta <> 0 AND delta BETWEEN -1000000000 AND 1000000000),
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- next statement
CREATE INDEX stock_adjustments_by_sku ON stock_adjustments (sku)

-- next statement
-- What the functions may do now; a migration that adds a statement grants what that statement needs.
GRANT SELECT ON products, stock TO orderflow_app
