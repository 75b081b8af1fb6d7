// reconcile-orders: invoked by the clock; sends statements as the app user, and messages to two queues.

import type { Construct } from 'constructs';
import { OrderflowFunction, type Surroundings } from '../orderflow-function.ts';

/** Finishes what was left over. In the VPC, because it sends to the provider through the gate in Redis. */
export class ReconcileOrders extends OrderflowFunction {
  constructor(scope: Construct, surroundings: Surroundings) {
    super(scope, 'reconcile-orders', surroundings, { inVpc: true });
    this.invokedByClock();
    this.usesDatabase('app', ['ExecuteStatement']);
    this.sendsTo('payments', 'order-events');
  }
}
