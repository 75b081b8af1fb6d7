// Numbers as people read them on an axis.

const round = (value: number, digits = 3) => Number(value.toPrecision(digits)).toString();

/** A value in the unit of its panel, by Grafana's names of units. */
export function shown(value: number, unit: string): string {
  if (value === 0 && unit !== 'percentunit') return '0';
  switch (unit) {
    case 'percentunit':
      return `${round(value * 100, value > 0.995 && value < 1 ? 4 : 3)} %`;
    case 's':
      return seconds(value);
    case 'bytes':
      return `${round(value / 2 ** 20)} MiB`;
    case 'currencyUSD':
      return value < 0.01 ? `$ ${round(value * 1e6)} / M` : `$ ${round(value)}`;
    case 'cps':
      return `${round(value)} /s`;
    default:
      return value >= 10_000 ? `${round(value / 1000)} k` : round(value);
  }
}

function seconds(value: number): string {
  if (value < 0.001) return `${round(value * 1e6)} µs`;
  if (value < 1) return `${round(value * 1000)} ms`;
  if (value < 120) return `${round(value)} s`;
  return value < 7200 ? `${round(value / 60)} min` : `${round(value / 3600)} h`;
}

/** The smallest of 1, 2, 2.5, 5 × a power of ten that is not below a value. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999_999)!;
}
