// refresh-catalog: invoked by the products queue; sends statements as the app user, and unusable messages to quarantine.

import type { Construct } from 'constructs';
import { OrderflowFunction, type Surroundings } from '../orderflow-function.ts';

/** Follows product changes and stock adjustments. In the VPC, because it refreshes the catalog's cache there. */
export class RefreshCatalog extends OrderflowFunction {
  constructor(scope: Construct, surroundings: Surroundings) {
    super(scope, 'refresh-catalog', surroundings, { inVpc: true });
    this.invokedByQueue();
    this.usesDatabase('app', ['ExecuteStatement']);
    this.sendsTo('quarantine');
  }
}
