import type { Handler } from '../core/handler.ts';
import { METRICS, type Measure, type Measured, type MetricName } from '../core/metrics.ts';
import type { HttpRequest } from '../core/request.ts';
import { reply } from '../web/reply.ts';

/** What Prometheus has read from the beginning, and the standard that it became. */
const FORMATS = {
  prometheus: { type: 'text/plain; version=0.0.4; charset=utf-8', end: '' },
  openMetrics: { type: 'application/openmetrics-text; version=1.0.0; charset=utf-8', end: '# EOF\n' },
} as const;

type Format = keyof typeof FORMATS;

const NAMES = Object.keys(METRICS) as readonly MetricName[];

/** Everything that these count, as text. Series that say the same of themselves are added up. */
export function metricsText(sources: Iterable<Measured>, format: Format = 'prometheus'): string {
  const families = new Map<MetricName, Map<string, number>>();
  const take: Measure = (name, labels, value) => {
    const series = families.get(name) ?? new Map<string, number>();
    families.set(name, series);
    const label = labelText(labels);
    series.set(label, (series.get(label) ?? 0) + value);
  };
  for (const source of sources) source.measure(take);
  let text = '';
  for (const name of NAMES) {
    const series = families.get(name);
    if (series === undefined) continue;
    const { kind, what } = METRICS[name];
    // In OpenMetrics a family of counters has not the suffix that each of its series has.
    const family = format === 'openMetrics' ? name.replace(/_total$/, '') : name;
    text += `# HELP ${family} ${what}\n# TYPE ${family} ${kind}\n`;
    for (const [label, value] of series) text += `${name}${label} ${value}\n`;
  }
  return text + FORMATS[format].end;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

const escaped = (value: string): string => value.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character);

/**
 * A handler that answers with what these count, for Prometheus and whoever else reads its format or OpenMetrics.
 * `sources` is asked anew each time, so that it may name a server that is made later.
 */
export function metrics(sources: () => Iterable<Measured>): Handler {
  return (request) => {
    const format = wantedFormat(request);
    const headers = { 'content-type': FORMATS[format].type, 'cache-control': 'no-store' };
    return reply.text(metricsText(sources(), format), { headers });
  };
}

const wantedFormat = ({ headers }: HttpRequest): Format =>
  headers.get('accept')?.includes('application/openmetrics-text') === true ? 'openMetrics' : 'prometheus';
