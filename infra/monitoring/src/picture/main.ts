// Draws a dashboard from a running Prometheus as an SVG: `npm run picture -- ADDRESS [DASHBOARD] [MINUTES] [STORY]`, where the
// story says what happened in these minutes.
//
// It is no Grafana: it reads the committed dashboard, sends its queries, and draws the first panels of each row, so that a
// reader of the repository sees what a dashboard tells.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lines, type Span } from './data.ts';
import { draw, text } from './panel.ts';

const WIDTH = 1440;
const COLUMN = WIDTH / 24;
const UNIT = 30;
const GAP = 8;
const HEAD = 80;
const STEP_S = 5;
/** Rows of panels that are drawn of each row of the dashboard. */
const LEVELS_MAX = 2;

const STYLE = `
  text { font-family: Inter, "Helvetica Neue", Arial, sans-serif; fill: #ccccdc; }
  .back { fill: #111217; } .panel { fill: #181b1f; stroke: #2c3038; }
  .head { font-size: 22px; font-weight: 600; } .note { font-size: 12.5px; fill: #9fa3ad; } .row { font-size: 15px; font-weight: 600; }
  .title { font-size: 13.5px; font-weight: 600; } .tick, .legend { font-size: 11.5px; fill: #a6a9b3; } .dim { fill: #71757f; }
  .figure { font-size: 30px; font-weight: 600; text-anchor: middle; } .grid { stroke: #262a31; } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
`;

async function main([address, name = 'orders', minutes = '12', story = 'as it ran']: readonly string[]): Promise<void> {
  if (address === undefined) throw new Error('say where Prometheus is: npm run picture -- http://127.0.0.1:9090 orders 12');
  const dashboard = JSON.parse(readFileSync(path(`grafana/dashboards/prometheus/${name}.json`), 'utf8'));
  const to = Math.floor(Date.now() / 1000 / STEP_S) * STEP_S;
  const span = { from: to - Number(minutes) * 60, to, step: STEP_S };
  const svg = await picture(dashboard, address, span, story);
  const file = path(`pictures/${name}.svg`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, svg);
  console.log(`${file}: look at it before you commit it`);
}

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

async function picture(dashboard: any, address: string, span: Span, story: string): Promise<string> {
  const parts: string[] = [];
  let y = HEAD;
  for (const row of rowsOf(dashboard)) {
    parts.push(text(GAP + 4, y + 20, row.title, 'class="row"'));
    y += 30;
    const [first] = row.panels;
    const levels = [...new Set(row.panels.map((panel: any) => panel.gridPos.y))].slice(0, LEVELS_MAX);
    for (const panel of row.panels.filter(({ gridPos }: any) => levels.includes(gridPos.y))) {
      const { x, y: at, w, h } = panel.gridPos;
      const box = {
        x: x * COLUMN + GAP / 2,
        y: y + (at - first.gridPos.y) * UNIT,
        width: w * COLUMN - GAP,
        height: h * UNIT - GAP,
      };
      parts.push(draw(panel, await lines(address, panel.targets, span), box, span));
    }
    y +=
      Math.max(
        ...row.panels
          .filter(({ gridPos }: any) => levels.includes(gridPos.y))
          .map(({ gridPos }: any) => gridPos.y + gridPos.h - first.gridPos.y),
      ) * UNIT;
  }
  const notes = [
    `${(span.to - span.from) / 60} minutes of the local stack, ${story}. Minutes stand below each chart, maxima in each legend.`,
    `${machine()}, ${new Date().toISOString().slice(0, 10)}. No figure is one of AWS. Drawn by infra/monitoring from the dashboard's queries, not by Grafana; the first panels of each row.`,
  ].map((note, at) => text(12, 50 + at * 18, note, 'class="note"'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + GAP}" width="${WIDTH}" height="${y + GAP}"><style>${STYLE}</style><rect width="100%" height="100%" class="back"/>${text(12, 30, dashboard.title, 'class="head"')}${notes.join('')}${parts.join('\n')}</svg>\n`;
}

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim();
  return `${cpus().length} cores of ${cpus()[0]!
    .model.replace(/\s*(Processor|CPU).*$/, '')
    .trim()}, commit ${commit}`;
}

/** Panels by the heading above them. */
function rowsOf(dashboard: any): { title: string; panels: any[] }[] {
  const rows: { title: string; panels: any[] }[] = [];
  for (const panel of dashboard.panels) {
    if (panel.type === 'row') rows.push({ title: panel.title, panels: [] });
    else rows.at(-1)!.panels.push(panel);
  }
  return rows;
}

await main(process.argv.slice(2));
