// migrate-schema: invoked by the deploy, before any other function's new code takes traffic.

import { Duration } from 'aws-cdk-lib';
import * as triggers from 'aws-cdk-lib/triggers';
import type { Construct } from 'constructs';
import { OrderflowFunction, type Surroundings } from '../orderflow-function.ts';

/**
 * Runs the migrations. Every deploy that changes it invokes it and waits; the functions given to `before` are created
 * or updated only after it has succeeded. If it fails, the deploy is rolled back and the old code goes on: on the new
 * schema, which is why migrations expand first (shared/order-store/migrations/README.md).
 */
export class MigrateSchema extends OrderflowFunction {
  private readonly onDeploy: triggers.Trigger;

  constructor(scope: Construct, surroundings: Surroundings) {
    super(scope, 'migrate-schema', surroundings, { inVpc: false });
    this.usesDatabase('migrator', [
      'ExecuteStatement',
      'BeginTransaction',
      'CommitTransaction',
      'RollbackTransaction',
    ]);
    this.onDeploy = new triggers.Trigger(this, 'OnDeploy', {
      handler: this.lambda,
      timeout: Duration.seconds(this.own.number('timeout_s')),
    });
  }

  /** Lets these functions wait for the migrations. */
  before(...functions: OrderflowFunction[]): void {
    this.onDeploy.executeBefore(...functions.map((each) => each.lambda));
  }
}
