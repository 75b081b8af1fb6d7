// process-orders: invoked by the orders queue; sends statements as the app user, and messages to three queues.

import type { Construct } from 'constructs';
import { OrderflowFunction, type Surroundings } from '../orderflow-function.ts';

/** Accepts orders. In the VPC, because the catalog's cache is there. */
export class ProcessOrders extends OrderflowFunction {
  constructor(scope: Construct, surroundings: Surroundings) {
    super(scope, 'process-orders', surroundings, { inVpc: true });
    this.invokedByQueue();
    this.usesDatabase('app', ['ExecuteStatement']);
    this.sendsTo('payments', 'order-events', 'quarantine');
  }
}
