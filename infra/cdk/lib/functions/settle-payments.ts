// settle-payments: invoked by the payments queue; sends statements as the app user, and messages to two queues.

import type { Construct } from 'constructs';
import { OrderflowFunction, type Surroundings } from '../orderflow-function.ts';

/**
 * Pays accepted orders. In the VPC, because the gate that the whole fleet shares is in Redis; it reaches the provider
 * through the NAT gateway.
 */
export class SettlePayments extends OrderflowFunction {
  constructor(scope: Construct, surroundings: Surroundings) {
    super(scope, 'settle-payments', surroundings, { inVpc: true });
    this.invokedByQueue();
    this.usesDatabase('app', ['ExecuteStatement']);
    this.sendsTo('order-events', 'quarantine');
  }
}
