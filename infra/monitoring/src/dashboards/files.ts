// The dashboards as Grafana reads them: three, each for Prometheus and for CloudWatch.

import {
  CustomVariableBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { SOURCES } from '../provisioning.ts';
import { orders } from './orders.ts';
import { build, SOURCE_VARIABLE, type Panel, type Source } from './panel.ts';
import { payments } from './payments.ts';
import { platform } from './platform.ts';

/** Panels with a heading. */
export interface Row {
  readonly row: string;
  readonly panels: readonly Panel[];
}

/** Every dashboard by its name. */
export const DASHBOARDS: Readonly<Record<string, readonly Row[]>> = { orders, payments, platform };

const SOURCE_LABELS: Record<Source, string> = { prometheus: 'Prometheus Data Source', cloudwatch: 'CloudWatch Data Source' };

export function dashboardFiles(): Record<string, string> {
  const each = Object.entries(DASHBOARDS).flatMap(([name, rows]) =>
    (['prometheus', 'cloudwatch'] as const).map((source) => [
      `grafana/dashboards/${source}/${name}.json`,
      `${JSON.stringify(dashboard(name, rows, source), null, 2)}\n`,
    ]),
  );
  return Object.fromEntries(each);
}

function dashboard(name: string, rows: readonly Row[], source: Source): object {
  const builder = new DashboardBuilder(`orderflow ${name}`)
    .uid(`orderflow-${source}-${name}`)
    .description('Made by infra/monitoring from the catalogue of metrics; change it there. Runbooks are in infra/runbooks.')
    .tags(['orderflow', source])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .refresh(source === 'prometheus' ? '10s' : '1m')
    .time({ from: source === 'prometheus' ? 'now-15m' : 'now-3h', to: 'now' })
    .timezone('browser')
    .withVariable(
      new DatasourceVariableBuilder(SOURCE_VARIABLE[source])
        .label(SOURCE_LABELS[source])
        .type(source)
        .current({ text: SOURCES[source], value: SOURCES[source], selected: true }),
    );
  if (source === 'cloudwatch') {
    builder.withVariable(
      new CustomVariableBuilder('stage')
        .label('Stage')
        .values('prod,dev')
        .current({ text: 'prod', value: 'prod', selected: true }),
    );
  }
  for (const { row, panels } of rows) {
    builder.withRow(new RowBuilder(row));
    for (const built of panels.map((panel) => build(panel, source))) {
      if (built !== undefined) builder.withPanel(built);
    }
  }
  return builder.build();
}
