// Rules of agreement: what the stacks say must be true of the repository.

import { resources, settingName, type Templates } from './model.ts';

/** The names that a function's settings.rs reads: the first argument of each reader of `Variables`. */
export function namesReadBy(settingsRs: string): Set<string> {
  const source = settingsRs.split('#[cfg(test)]')[0] ?? '';
  return new Set([...source.matchAll(/"(ORDERFLOW_[A-Z0-9_]+)"/g)].map((match) => match[1]!));
}

/**
 * Each function gets the variables that it reads and no other.
 *
 * @param read what each function's settings.rs reads, by function
 */
export function environmentsAgree(templates: Templates, read: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return resources(templates, 'AWS::Lambda::Function').flatMap((lambda) => {
    const name = settingName(lambda);
    const names = read.get(name);
    if (names === undefined) return [];
    const given = new Set(Object.keys(lambda.properties.Environment?.Variables ?? {}));
    const path = `functions.${name}.environment`;
    return [
      ...[...names].filter((variable) => !given.has(variable)).map((variable) => `${path}.${variable}: missing; settings.rs reads it`),
      ...[...given].filter((variable) => !names.has(variable)).map((variable) => `${path}.${variable}: settings.rs does not read it`),
    ];
  });
}

/** Every function of the settings is deployed, and nothing else under their names. */
export function functionsAreDeployed(templates: Templates, names: readonly string[]): string[] {
  const deployed = new Set(resources(templates, 'AWS::Lambda::Function').map((lambda) => settingName(lambda)));
  return names.filter((name) => !deployed.has(name)).map((name) => `functions.${name}: no stack deploys it`);
}

/**
 * Every alarm names a runbook that is there, and somebody hears it.
 *
 * @param exists whether the repository has the file
 */
export function alarmsHaveRunbooks(templates: Templates, exists: (path: string) => boolean): string[] {
  return resources(templates, 'AWS::CloudWatch::Alarm').flatMap(({ properties }) => {
    const name = String(properties.AlarmName);
    const runbook = /infra\/runbooks\/[\w-]+\.md/.exec(String(properties.AlarmDescription))?.[0];
    const heard = (properties.AlarmActions ?? []).length > 0;
    return [
      ...(runbook === undefined ? [`alarm ${name}: its description names no runbook`] : []),
      ...(runbook !== undefined && !exists(runbook) ? [`alarm ${name}: ${runbook} does not exist`] : []),
      ...(heard ? [] : [`alarm ${name}: nobody hears it`]),
    ];
  });
}

/**
 * Every word that an alarm looks for in a log is written by some function.
 *
 * @param says whether the functions' source has the text
 */
export function filtersMatchWhatIsLogged(templates: Templates, says: (text: string) => boolean): string[] {
  return resources(templates, 'AWS::Logs::MetricFilter').flatMap(({ properties }) => {
    const terms = [...String(properties.FilterPattern).matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
    const name = properties.MetricTransformations?.[0]?.MetricName;
    return terms.filter((term) => !says(term)).map((term) => `metric filter ${name}: no function logs "${term}"`);
  });
}

/** Logs end some day, and every function is traced. */
export function functionsAreObserved(templates: Templates): string[] {
  const endless = resources(templates, 'AWS::Logs::LogGroup')
    .filter(({ properties }) => properties.RetentionInDays === undefined)
    .map(({ id }) => `logs.retention_days: the log group ${id} keeps its lines for ever`);
  const untraced = resources(templates, 'AWS::Lambda::Function')
    .filter(({ properties }) => properties.FunctionName !== undefined && properties.TracingConfig?.Mode !== 'Active')
    .map((lambda) => `functions.${settingName(lambda)}: is not traced`);
  return [...endless, ...untraced];
}
