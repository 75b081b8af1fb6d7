// Rules of event sources: what AWS refuses, or takes and then loses orders with.

import { queueSources, type Templates } from './model.ts';

/** Above this a batch is only gathered within a window. */
const BATCH_SIZE_WITHOUT_WINDOW = 10;
/** A slow invocation, its retries and the wait between them must end before its messages return. */
const VISIBILITY_PER_TIMEOUT = 6;
const MAXIMUM_CONCURRENCY = { least: 2, most: 1_000 };
const MINIMUM_POLLERS = { least: 2, most: 200 };
/** Lambda takes 10,000; aws-cdk-lib passes on no more than this. */
const MAXIMUM_POLLERS = { least: 2, most: 2_000 };
/** What Lambda takes where a template names no number. */
const DEFAULTS = { batchSize: 10, timeout: 3, visibility: 30, maximumPollers: 200 };

/** Maximum concurrency and provisioned pollers exclude each other; one of them must be there. */
export function oneScalingMode(templates: Templates): string[] {
  return queueSources(templates).flatMap(({ name, properties }) => {
    const limit = properties.ScalingConfig?.MaximumConcurrency;
    const pollers = properties.ProvisionedPollerConfig;
    const path = `functions.${name}.event_source`;
    if (limit !== undefined && pollers !== undefined) {
      return [`${path}: maximum_concurrency and provisioned_pollers exclude each other; remove one`];
    }
    return limit === undefined && pollers === undefined
      ? [`${path}.maximum_concurrency: missing; without it a surge takes the account's whole concurrency`]
      : [];
  });
}

/** Both modes have limits of their own. */
export function scalingWithinLimits(templates: Templates): string[] {
  return queueSources(templates).flatMap(({ name, properties }) => {
    const path = `functions.${name}.event_source`;
    const limit = properties.ScalingConfig?.MaximumConcurrency ?? MAXIMUM_CONCURRENCY.least;
    const pollers = properties.ProvisionedPollerConfig ?? {};
    const minimum = pollers.MinimumPollers ?? MINIMUM_POLLERS.least;
    const maximum = pollers.MaximumPollers ?? DEFAULTS.maximumPollers;
    return [
      ...outside(`${path}.maximum_concurrency`, limit, MAXIMUM_CONCURRENCY),
      ...outside(`${path}.provisioned_pollers.minimum`, minimum, MINIMUM_POLLERS),
      ...outside(`${path}.provisioned_pollers.maximum`, maximum, MAXIMUM_POLLERS),
      ...(minimum > maximum ? [`${path}.provisioned_pollers.minimum: ${minimum} is above the maximum, ${maximum}`] : []),
    ];
  });
}

function outside(path: string, value: number, { least, most }: { least: number; most: number }): string[] {
  return value < least || value > most ? [`${path}: ${value} is not within ${least} to ${most}`] : [];
}

/** Lambda refuses a batch above ten without a window. */
export function windowForLargeBatches(templates: Templates): string[] {
  return queueSources(templates).flatMap(({ name, properties }) => {
    const size = properties.BatchSize ?? DEFAULTS.batchSize;
    const window = properties.MaximumBatchingWindowInSeconds ?? 0;
    return size > BATCH_SIZE_WITHOUT_WINDOW && window < 1
      ? [`functions.${name}.event_source.batch_size: ${size} needs a maximum_batching_window_s of at least 1`]
      : [];
  });
}

/** A message that returns while it is still worked on is worked on twice. */
export function visibilityOutlastsTimeout(templates: Templates): string[] {
  return queueSources(templates).flatMap(({ name, lambda, queue, properties }) => {
    const timeout = lambda?.properties.Timeout ?? DEFAULTS.timeout;
    const visibility = queue.properties.VisibilityTimeout ?? DEFAULTS.visibility;
    const least = VISIBILITY_PER_TIMEOUT * timeout + (properties.MaximumBatchingWindowInSeconds ?? 0);
    const queueName = String(queue.properties.QueueName).replace(/^orderflow-(dev|prod)-/, '');
    return visibility < least
      ? [
          `queues.${queueName}.visibility_timeout_s: ${visibility} is less than ${least}, ` +
            `${VISIBILITY_PER_TIMEOUT} × functions.${name}.timeout_s and the window`,
        ]
      : [];
  });
}

/** Without partial responses one bad record sends the whole batch back. */
export function partialResponses(templates: Templates): string[] {
  return queueSources(templates)
    .filter(({ properties }) => !(properties.FunctionResponseTypes ?? []).includes('ReportBatchItemFailures'))
    .map(
      ({ name }) =>
        `functions.${name}.event_source.report_batch_item_failures: must be true; ` +
        'one bad record would send its whole batch back',
    );
}

/** What the poller may start, the function must be allowed to run: else messages are throttled and counted as received. */
export function reservedCoversConcurrency(templates: Templates): string[] {
  return queueSources(templates).flatMap(({ name, lambda, properties }) => {
    const reserved = lambda?.properties.ReservedConcurrentExecutions;
    const limit = properties.ScalingConfig?.MaximumConcurrency ?? 0;
    return reserved !== undefined && reserved < limit
      ? [`functions.${name}.reserved_concurrency: ${reserved} is less than its maximum_concurrency, ${limit}`]
      : [];
  });
}

/** Without the metric nobody sees what a poller does. */
export function eventCountMeasured(templates: Templates): string[] {
  return queueSources(templates)
    .filter(({ properties }) => !(properties.MetricsConfig?.Metrics ?? []).includes('EventCount'))
    .map(({ name }) => `functions.${name}.event_source: turn the metric EventCount on`);
}
