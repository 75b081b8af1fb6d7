// Rules of permissions: no wildcard where a resource can be named.

import { resources, type Resource, type Templates } from './model.ts';

/** Actions that AWS cannot narrow to a resource. */
const UNNAMEABLE = new Set([
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'xray:PutTelemetryRecords',
  'xray:PutTraceSegments',
]);
/**
 * Resources that have no name yet when the permission is given: network interfaces of a function in a VPC, and the
 * versions of one function that a deploy invokes.
 */
const UNNAMED = /(:network-interface\/|^\$\{Fn::GetAtt\}:)\*$/;

/** Every wildcard in an action, and every one in a resource that could be named. */
export function noWildcards(templates: Templates): string[] {
  return resources(templates).flatMap((resource) =>
    statementsOf(resource).flatMap((statement) => findings(resource, statement)),
  );
}

function statementsOf({ type, properties }: Resource): any[] {
  const documents =
    type === 'AWS::IAM::Role'
      ? (properties.Policies ?? []).map((policy: any) => policy.PolicyDocument)
      : type === 'AWS::IAM::Policy' || type === 'AWS::IAM::ManagedPolicy'
        ? [properties.PolicyDocument]
        : [];
  return documents.flatMap((document: any) => list(document?.Statement));
}

function findings(resource: Resource, statement: any): string[] {
  if (statement.Effect === 'Deny') return [];
  const where = `${resource.stack} stack, ${resource.id}`;
  const actions = list(statement.Action).map(String);
  const wide = actions.filter((action) => action.includes('*'));
  const unnamed = list(statement.Resource).filter((value) => {
    const text = flat(value);
    return text.includes('*') && !UNNAMED.test(text) && !actions.every((action) => UNNAMEABLE.has(action));
  });
  return [
    ...wide.map((action) => `${where}: the action ${action} is a wildcard; name what is needed`),
    ...unnamed.map((value) => `${where}: ${actions.join(', ')} on ${flat(value)}; name the resource`),
  ];
}

function list(value: any): any[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** A resource as one text; what CloudFormation fills in is left out. */
function flat(value: any): string {
  if (typeof value === 'string') return value;
  const [separator, parts] = value?.['Fn::Join'] ?? ['', []];
  return parts.map((part: any) => (typeof part === 'string' ? part : `\${${Object.keys(part)[0]}}`)).join(separator);
}
