// What this function reads of an `order.placed.v1` event and of a product's row.

/** The `data` of an `order.placed.v1` event; money in minor units. */
export interface Order {
  orderId: string;
  customerId: string;
  currency: string;
  placedAt: string;
  items: { sku: string; quantity: number; unitPriceMinor: number }[];
  adjustments?: { kind: string; amountMinor: number }[];
  totalMinor: number;
  payment: { customerRef: string; methodRef: string };
}

/** A row of `products`, as the cache keeps it too. */
export interface Product {
  sku: string;
  price_minor: number;
  currency: string;
  active: boolean;
}
