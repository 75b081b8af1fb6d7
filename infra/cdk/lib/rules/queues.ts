// Rules of queues: retention, encryption, who may reach them.

import { resources, settingName, target, type Resource, type Templates } from './model.ts';

/** What SQS takes where a template names no number: four days. */
const RETENTION_S = 345_600;

function deadLettersOf(templates: Templates, queue: Resource): Resource | undefined {
  return target(templates, queue.stack, queue.properties.RedrivePolicy?.deadLetterTargetArn);
}

/** A dead letter keeps the time of its first sending: with an equal retention it would be deleted on arrival. */
export function deadLettersOutliveTheirSource(templates: Templates): string[] {
  return resources(templates, 'AWS::SQS::Queue').flatMap((queue) => {
    const deadLetters = deadLettersOf(templates, queue);
    if (deadLetters === undefined) return [];
    const own = queue.properties.MessageRetentionPeriod ?? RETENTION_S;
    const theirs = deadLetters.properties.MessageRetentionPeriod ?? RETENTION_S;
    return theirs > own
      ? []
      : [
          `queues.${settingName(deadLetters)}.message_retention_s: ${theirs} is not longer than that of ` +
            `${settingName(queue)}, ${own}: a dead letter would be gone as soon as it arrives`,
        ];
  });
}

/** A queue that a function works on has somewhere to put what it cannot finish. */
export function sourcesHaveDeadLetters(templates: Templates): string[] {
  return resources(templates, 'AWS::Lambda::EventSourceMapping').flatMap((source) => {
    const queue = target(templates, source.stack, source.properties.EventSourceArn);
    if (queue?.type !== 'AWS::SQS::Queue' || deadLettersOf(templates, queue) !== undefined) return [];
    return [`queues.${settingName(queue)}.dead_letter_queue: missing; what cannot be finished would vanish`];
  });
}

/** Dead-letter queues take from named queues only. */
export function redriveIsAllowedByName(templates: Templates): string[] {
  const queues = resources(templates, 'AWS::SQS::Queue');
  return queues.flatMap((queue) => {
    const deadLetters = deadLettersOf(templates, queue);
    if (deadLetters === undefined) return [];
    const policy = JSON.stringify(deadLetters.properties.RedriveAllowPolicy ?? {});
    const named = policy.includes('byQueue') && policy.includes(String(queue.properties.QueueName));
    return named ? [] : [`queues.${settingName(deadLetters)}: its redrive-allow policy does not name ${settingName(queue)}`];
  });
}

/** Nobody speaks to a queue without TLS. */
export function queuesDemandTls(templates: Templates): string[] {
  const policies = resources(templates, 'AWS::SQS::QueuePolicy').filter(({ properties }) =>
    (properties.PolicyDocument?.Statement ?? []).some(refusesPlainText),
  );
  const covered = new Set(
    policies.flatMap(({ stack, properties }) =>
      properties.Queues.map((queue: any) => target(templates, stack, queue)?.id),
    ),
  );
  return resources(templates, 'AWS::SQS::Queue')
    .filter(({ id }) => !covered.has(id))
    .map((queue) => `queues.${settingName(queue)}: no policy refuses requests without TLS (aws:SecureTransport)`);
}

function refusesPlainText(statement: any): boolean {
  return statement.Effect === 'Deny' && String(statement.Condition?.Bool?.['aws:SecureTransport']) === 'false';
}

/** Bodies are the shop's: encrypted at rest, with our key. */
export function queuesAreEncrypted(templates: Templates): string[] {
  return resources(templates, 'AWS::SQS::Queue')
    .filter(({ properties }) => properties.KmsMasterKeyId === undefined)
    .map((queue) => `queues.${settingName(queue)}: is not encrypted with the stage's key`);
}
