// A plain look at synthesized templates: resources, and where their references lead, also from stack to stack.

/** A template as CloudFormation takes it, as far as rules look at it. */
export interface Template {
  Resources: Record<string, { Type: string; Properties?: any }>;
  Outputs?: Record<string, { Value: any; Export?: { Name: any } }>;
}

/** The templates of one stage, by stack. */
export type Templates = Record<string, Template>;

/** A resource, and where it stands. */
export interface Resource {
  readonly stack: string;
  readonly id: string;
  readonly type: string;
  readonly properties: any;
}

/** All resources of a type, or of all types. */
export function resources(templates: Templates, type?: string): Resource[] {
  return Object.entries(templates).flatMap(([stack, template]) =>
    Object.entries(template.Resources)
      .filter(([, resource]) => type === undefined || resource.Type === type)
      .map(([id, resource]) => ({ stack, id, type: resource.Type, properties: resource.Properties ?? {} })),
  );
}

/** The resource that a value refers to, followed through Ref, Fn::GetAtt and the exports of other stacks. */
export function target(templates: Templates, stack: string, value: any): Resource | undefined {
  const exported = value?.['Fn::ImportValue'];
  if (exported !== undefined) return exportedResource(templates, exported);
  const attribute = value?.['Fn::GetAtt'];
  const id = value?.Ref ?? (Array.isArray(attribute) ? attribute[0] : attribute?.split('.')[0]);
  const found = typeof id === 'string' ? templates[stack]?.Resources[id] : undefined;
  return found && { stack, id, type: found.Type, properties: found.Properties ?? {} };
}

function exportedResource(templates: Templates, name: unknown): Resource | undefined {
  for (const [stack, template] of Object.entries(templates)) {
    for (const output of Object.values(template.Outputs ?? {})) {
      if (JSON.stringify(output.Export?.Name) === JSON.stringify(name)) return target(templates, stack, output.Value);
    }
  }
  return undefined;
}

/** What the settings call a resource: its name in AWS without project and stage; else its id in the template. */
export function settingName(resource: Resource | undefined, fallback = 'an unknown resource'): string {
  if (resource === undefined) return fallback;
  const { FunctionName, QueueName } = resource.properties;
  const name: unknown = FunctionName ?? QueueName;
  return typeof name === 'string' ? name.replace(/^orderflow-(dev|prod)-/, '') : resource.id;
}

/** A function's event sources on queues, with function and queue. */
export function queueSources(templates: Templates) {
  return resources(templates, 'AWS::Lambda::EventSourceMapping').flatMap((source) => {
    const queue = target(templates, source.stack, source.properties.EventSourceArn);
    const lambda = target(templates, source.stack, source.properties.FunctionName);
    return queue?.type === 'AWS::SQS::Queue' ? [{ ...source, queue, lambda, name: settingName(lambda) }] : [];
  });
}
