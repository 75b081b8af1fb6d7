// Every file that is generated, by its path from infra/monitoring.

import { alertmanager } from './alertmanager.ts';
import { dashboardFiles } from './dashboards/files.ts';
import { alertRules, configuration, recordingRules, ruleTests } from './prometheus.ts';
import { provisioning } from './provisioning.ts';

export function files(): Record<string, string> {
  const tests = Object.entries(ruleTests()).map(([name, text]) => [`prometheus/tests/${name}.yml`, text]);
  return {
    'prometheus/prometheus.yml': configuration(),
    'prometheus/rules/recording.yml': recordingRules(),
    'prometheus/rules/alerts.yml': alertRules(),
    ...Object.fromEntries(tests),
    'alertmanager/alertmanager.yml': alertmanager(),
    ...provisioning(),
    ...dashboardFiles(),
  };
}
