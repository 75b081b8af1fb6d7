// What a dashboard promises, after the rules of Grafana's dashboard-linter: whoever opens one understands it, on any server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dashboardFiles } from '../src/dashboards/files.ts';
import { provisioning, SOURCES } from '../src/provisioning.ts';

const LABELS: Record<string, string> = { prometheus: 'Prometheus Data Source', cloudwatch: 'CloudWatch Data Source' };

for (const [path, text] of Object.entries(dashboardFiles())) {
  describe(path, () => {
    const dashboard = JSON.parse(text);
    const source = path.split('/')[2]!;
    const panels: any[] = dashboard.panels.filter(({ type }: any) => type !== 'row');
    const complain = (wrong: (panel: any) => boolean) => panels.filter(wrong).map(({ title }) => title);

    test('has a variable for its data source, and every panel uses it', () => {
      const variable = dashboard.templating.list[0];
      assert.deepEqual([variable.name, variable.label, variable.query], [`${source}_datasource`, LABELS[source], source]);
      assert.deepEqual(
        complain(({ datasource, targets }) =>
          [datasource, ...targets.map((target: any) => target.datasource)].some(({ uid }) => uid !== `\${${source}_datasource}`),
        ),
        [],
      );
    });

    test('cannot be edited, and has a uid, a title and a description', () => {
      assert.equal(dashboard.editable, false);
      assert.ok(dashboard.uid && dashboard.title && dashboard.description);
    });

    test('has a title, a description that is a sentence, and a unit on every panel', () => {
      assert.deepEqual(
        complain(
          ({ title, description, fieldConfig }) =>
            !title || !/^[A-Z0-9].*\.$/.test(description ?? '') || !fieldConfig?.defaults?.unit,
        ),
        [],
      );
    });

    test('has no two panels of one title in a row, and no panel without a query', () => {
      assert.deepEqual(
        complain(({ targets }) => !targets?.length),
        [],
      );
      assert.equal(new Set(panels.map(({ title, type }) => `${title} ${type}`)).size, panels.length);
    });

    test("asks for rates over Grafana's interval, and for nothing of one server", () => {
      const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }: any) => expr ?? ''));
      const fixed = expressions.filter((expr) => /rate\(.*\[(?!\$__rate_interval\])/.test(expr));
      assert.deepEqual(fixed, []);
      assert.doesNotMatch(text, /localhost|127\.0\.0\.1|instance="/);
    });

    test('fills no row further than it is wide', () => {
      assert.deepEqual(
        complain(({ gridPos }) => gridPos.x + gridPos.w > 24),
        [],
      );
    });
  });
}

test('Grafana knows both data sources by the uids that dashboards start with', () => {
  const text = Object.values(provisioning()).join('\n');
  for (const uid of Object.values(SOURCES)) assert.match(text, new RegExp(`uid: ${uid}$`, 'm'));
});
