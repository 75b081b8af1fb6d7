// What Grafana reads at its start: both data sources, and the folders of dashboards.

import { yaml } from './yaml.ts';

/** The uids by which data sources are known. */
export const SOURCES = { prometheus: 'orderflow-prometheus', cloudwatch: 'orderflow-cloudwatch' } as const;

/** Where the dashboards are mounted; Grafana replaces variables of its environment. */
const DASHBOARDS = '$ORDERFLOW_DASHBOARDS';

export function provisioning(): Record<string, string> {
  const source = (uid: string, name: string, type: string, rest: object) =>
    yaml(`Grafana: the data source ${name}.`, {
      apiVersion: 1,
      datasources: [{ uid, name, type, access: 'proxy', editable: false, ...rest }],
    });
  const folder = (name: string, title: string) => ({
    name,
    folder: title,
    type: 'file',
    disableDeletion: true,
    allowUiUpdates: false,
    options: { path: `${DASHBOARDS}/${name}` },
  });
  return {
    'grafana/provisioning/datasources/prometheus.yml': source(SOURCES.prometheus, 'orderflow Prometheus', 'prometheus', {
      url: '$ORDERFLOW_PROMETHEUS_URL',
      jsonData: { timeInterval: '5s', httpMethod: 'POST' },
    }),
    'grafana/provisioning/datasources/cloudwatch.yml': source(SOURCES.cloudwatch, 'orderflow CloudWatch', 'cloudwatch', {
      // The credentials of the machine that Grafana runs on: no key stands here.
      jsonData: { authType: 'default', defaultRegion: '$ORDERFLOW_REGION' },
    }),
    'grafana/provisioning/dashboards/orderflow.yml': yaml('Grafana: where the dashboards are.', {
      apiVersion: 1,
      providers: [folder('prometheus', 'orderflow'), folder('cloudwatch', 'orderflow on AWS')],
    }),
  };
}
