// serve-catalog: invoked through a URL of its own that the CDN alone may call; reads as the app user.

import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { OrderflowFunction, type Surroundings } from '../orderflow-function.ts';

/** Shows what is for sale. In the VPC, because the cached listing is there. */
export class ServeCatalog extends OrderflowFunction {
  readonly url: lambda.FunctionUrl;

  constructor(scope: Construct, surroundings: Surroundings) {
    super(scope, 'serve-catalog', surroundings, { inVpc: true });
    // Signed requests only; the CDN signs them and gets the permission where it is made (lib/processing/cdn.ts).
    this.url = this.lambda.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.AWS_IAM });
    this.usesDatabase('app', ['ExecuteStatement']);
  }
}
