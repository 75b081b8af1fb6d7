// One panel, drawn: a figure, or lines over time.

import type { Points, Span } from './data.ts';
import { nice, shown } from './units.ts';

/** Where it stands, in pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const COLORS = ['#73bf69', '#5794f2', '#f2cc0c', '#ff780a', '#b877d9', '#f2495c', '#37c2c2', '#c0d8ff', '#8f3bb8', '#96d98d'];
const LEGEND_MAX = 5;
const RED = '#f2495c';

export const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
export const text = (x: number, y: number, words: string, more = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(words)}</text>`;

/** A panel of the dashboard with its data. */
export function draw(panel: any, lines: readonly Points[], box: Box, span: Span): string {
  const frame = `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="3" class="panel"/>`;
  const title = text(box.x + 10, box.y + 20, panel.title, 'class="title"');
  const inner = panel.type === 'stat' ? figure(panel, lines, box) : chart(panel, lines, box, span);
  return `<g>${frame}${title}${inner}</g>`;
}

function limitOf(panel: any): { value: number; below: boolean } | undefined {
  const [first, second] = panel.fieldConfig.defaults.thresholds?.steps ?? [];
  return second && { value: second.value, below: first.color === 'red' };
}

function figure(panel: any, [line]: readonly Points[], box: Box): string {
  const value = line?.points.at(-1)?.[1];
  const limit = limitOf(panel);
  const bad = limit !== undefined && value !== undefined && value < limit.value === limit.below;
  const words = value === undefined ? 'no data' : shown(value, panel.fieldConfig.defaults.unit);
  return text(box.x + box.width / 2, box.y + box.height / 2 + 22, words, `class="figure" style="fill: ${bad ? RED : COLORS[0]}"`);
}

function chart(panel: any, all: readonly Points[], box: Box, span: Span): string {
  const { unit, custom } = panel.fieldConfig.defaults;
  const stacked = custom?.stacking?.mode === 'normal';
  const moving = all.filter(({ points }) => points.some(([, value]) => value !== 0));
  const drawn = moving.length > 0 ? moving : all.slice(0, 1);
  const layers = stacked ? stack(drawn, span) : drawn;
  const highest = Math.max(0, ...layers.flatMap(({ points }) => points.map(([, value]) => value)));
  const limit = limitOf(panel)?.value;
  const near = limit !== undefined && limit < highest * 3 ? limit : 0;
  const most = Math.max(highest, near * 1.05) || 1;
  const powers = custom?.scaleDistribution?.type === 'log' && highest > 0;
  const scale = powers ? byPowers(layers, most) : evenly(most);
  const area = { x: box.x + 64, y: box.y + 34, width: box.width - 78, height: box.height - 34 - 58 };
  const x = (at: number) => area.x + (area.width * (at - span.from)) / (span.to - span.from);
  const y = (value: number) => area.y + area.height * (1 - Math.max(0, scale.part(value)));
  const grid = axis(area, scale.ticks, unit, y) + times(area, span, x);
  const curves = layers.map((layer, at) =>
    curve(layer, stacked ? layers[at - 1] : undefined, COLORS[at % COLORS.length]!, {
      x,
      y,
      bottom: area.y + area.height,
      span,
      stacked,
    }),
  );
  const line =
    near > 0
      ? `<line x1="${area.x}" x2="${area.x + area.width}" y1="${y(near)}" y2="${y(near)}" stroke="${RED}" stroke-dasharray="6 4"/>`
      : '';
  return grid + (stacked ? curves.reverse() : curves).join('') + line + legend(drawn, all.length, box, unit);
}

/** Where a value is between bottom, 0, and top, 1; and the values that are written beside. */
interface Axis {
  readonly part: (value: number) => number;
  readonly ticks: readonly number[];
}

function evenly(most: number): Axis {
  const step = nice(most / 4);
  const count = Math.ceil(most / step);
  return { part: (value) => value / (step * count), ticks: Array.from({ length: count + 1 }, (_, at) => at * step) };
}

function byPowers(lines: readonly Points[], most: number): Axis {
  const least = Math.min(...lines.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value > 0));
  const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const ticks = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
  return { part: (value) => (value > 0 ? (Math.log10(value) - low) / Math.max(1, high - low) : 0), ticks };
}

/** Each layer on top of those before; a missing value is nothing. */
function stack(lines: readonly Points[], { from, to, step }: Span): Points[] {
  const sums = new Map<number, number>();
  const stamps = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step);
  return lines.map(({ legend, points }) => {
    const values = new Map(points.map(([at, value]) => [at, value]));
    const layered = stamps.map((at) => {
      const sum = (sums.get(at) ?? 0) + (values.get(at) ?? 0);
      sums.set(at, sum);
      return [at, sum] as const;
    });
    return { legend, points: layered };
  });
}

interface Scale {
  readonly x: (at: number) => number;
  readonly y: (value: number) => number;
  readonly bottom: number;
  readonly span: Span;
  readonly stacked: boolean;
}

function curve({ points }: Points, below: Points | undefined, color: string, { x, y, bottom, span, stacked }: Scale): string {
  // A gap of more than two steps is a gap.
  const parts: (readonly [number, number])[][] = [];
  for (const point of points) {
    const part = parts.at(-1);
    if (part && point[0] - part.at(-1)![0] <= 2 * span.step) part.push(point);
    else parts.push([point]);
  }
  const path = (part: readonly (readonly [number, number])[]) =>
    part.map(([at, value], nth) => `${nth ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('');
  return parts
    .map((part) => {
      const floor = below
        ? [...below.points]
            .reverse()
            .map(([at, value]) => `L${x(at).toFixed(1)} ${y(value).toFixed(1)}`)
            .join('')
        : `L${x(part.at(-1)![0]).toFixed(1)} ${bottom.toFixed(1)}L${x(part[0]![0]).toFixed(1)} ${bottom.toFixed(1)}`;
      return `<path d="${path(part)}${floor}Z" fill="${color}" fill-opacity="${stacked ? 0.45 : 0.07}"/><path d="${path(part)}" class="line" stroke="${color}"/>`;
    })
    .join('');
}

function axis(area: Box, ticks: readonly number[], unit: string, y: (value: number) => number): string {
  return ticks
    .map(
      (tick) =>
        `<line x1="${area.x}" x2="${area.x + area.width}" y1="${y(tick)}" y2="${y(tick)}" class="grid"/>${text(area.x - 7, y(tick) + 4, shown(tick, unit), 'class="tick" text-anchor="end"')}`,
    )
    .join('');
}

/** Minutes since the start: what the clock on the wall said tells nobody anything. */
function times(area: Box, span: Span, x: (at: number) => number): string {
  const minutes = (span.to - span.from) / 60;
  const step = nice(minutes / 6);
  return Array.from({ length: Math.floor(minutes / step) + 1 }, (_, at) => at * step)
    .map((minute) =>
      text(x(span.from + minute * 60), area.y + area.height + 16, `${minute}`, 'class="tick" text-anchor="middle"'),
    )
    .join('');
}

function legend(drawn: readonly Points[], all: number, box: Box, unit: string): string {
  const largest = [...drawn].map((line, at) => ({ line, at, most: Math.max(0, ...line.points.map(([, value]) => value)) }));
  const shownLines = largest
    .slice()
    .sort((a, b) => b.most - a.most)
    .slice(0, LEGEND_MAX)
    .sort((a, b) => a.at - b.at);
  let x = box.x + 12;
  const y = box.y + box.height - 12;
  const entries = shownLines.map(({ line, at, most }) => {
    const words = `${line.legend} ${shown(most, unit)}`;
    const entry = `<rect x="${x}" y="${y - 8}" width="10" height="4" rx="1" fill="${COLORS[at % COLORS.length]}"/>${text(x + 15, y, words, 'class="legend"')}`;
    x += 15 + words.length * 6 + 14;
    return { entry, end: x };
  });
  const fitting = entries.filter(({ end }) => end < box.x + box.width + 10);
  const rest = all - fitting.length;
  const more =
    rest > 0 && (fitting.at(-1)?.end ?? box.x) < box.x + box.width - 60
      ? text(fitting.at(-1)?.end ?? box.x + 12, y, `+ ${rest} more`, 'class="legend dim"')
      : '';
  return fitting.map(({ entry }) => entry).join('') + more;
}
