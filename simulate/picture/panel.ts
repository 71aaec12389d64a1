import { measure, quantile } from '../measures.ts';
import type { EndpointState } from '../recording.ts';
import type { Run } from '../run.ts';
import { milliseconds, seconds } from '../table.ts';
import { area, box, line, rule, text } from './shapes.ts';

/** Pixels for a second, and the sizes of what is drawn for one run. */
export const STEP = 4;
const HEAD = 46;
const RATE_HEIGHT = 72;
const LATENCY_HEIGHT = 48;
const ROW_HEIGHT = 14;
const GAP = 10;
const AXIS = 16;
/** For the numbers of the y-axes. */
export const MARGIN = 34;

/** The least and the greatest latency that is drawn; the axis is logarithmic. */
const LATENCY_FROM_MS = 10;
const LATENCY_TO_MS = 3000;
/** A server's row is full when it gets so much of what usually comes to all. */
const SHARE_PEAK_RATIO = 0.75;
const DECADES_MS = [10, 100, 1000];

export const panelHeight = (serverCount: number): number =>
  HEAD + RATE_HEIGHT + GAP + LATENCY_HEIGHT + GAP + serverCount * ROW_HEIGHT + AXIS;

/** One run: requests per second, latency, and each server with its share and what it was taken for. */
export function panel(run: Run, x: number, y: number, peakPerSec: number): string {
  const { recording, scenario } = run;
  const width = recording.bins.length * STEP;
  const serverCount = recording.bins[0]?.shares.length ?? 0;
  const rateBase = y + HEAD + RATE_HEIGHT;
  const latencyBase = rateBase + GAP + LATENCY_HEIGHT;
  const bandsTop = latencyBase + GAP;
  const bottom = bandsTop + serverCount * ROW_HEIGHT;
  const at = (ms: number): number => x + Math.round((ms / recording.binMs) * STEP);
  const [faultX, wellX] = [at(scenario.faultFromMs), at(scenario.faultUntilMs)];
  return [
    ...heading(run, x, y),
    box(faultX, y + HEAD, wellX - faultX, bottom - y - HEAD, 'fault'),
    ...rates(run, x, rateBase, width, peakPerSec),
    ...latencies(run, x, latencyBase, width),
    ...bands(run, x, bandsTop, at),
    ...[0, scenario.faultFromMs, scenario.faultUntilMs, scenario.durationMs].map((ms) =>
      text(at(ms), bottom + 12, `${ms / 1000} s`, { size: 9, anchor: 'middle', colour: 'faint' }),
    ),
  ].join('\n');
}

function heading(run: Run, x: number, y: number): string[] {
  const measures = measure(run);
  const good = `${(100 * measures.goodRatio).toFixed(1)} % good, ${measures.attemptsPerRequest.toFixed(2)} attempts each`;
  const recovery = measures.recoverMs === null ? 'does not recover' : `recovers in ${seconds(measures.recoverMs)}`;
  return [
    text(x, y + 12, run.policy.title, { bold: true, size: 12 }),
    text(x, y + 26, good, { size: 10, colour: 'faint' }),
    text(x, y + 38, `p99 in the fault ${milliseconds(measures.faultP99Ms)}, ${recovery}`, {
      size: 10,
      colour: 'faint',
    }),
  ];
}

function rates({ recording: { bins, binMs } }: Run, x: number, base: number, width: number, peak: number): string[] {
  const height = (count: number): number => Math.round(Math.min(1, (count * 1000) / binMs / peak) * RATE_HEIGHT);
  return [
    area(
      x,
      base,
      STEP,
      bins.map(({ goodCount, errorCount }) => height(goodCount + errorCount)),
      'error',
    ),
    area(
      x,
      base,
      STEP,
      bins.map(({ goodCount }) => height(goodCount)),
      'good',
    ),
    line(
      x,
      base,
      STEP,
      bins.map(({ attemptCount }) => height(attemptCount)),
      'attempts',
    ),
    rule(x, base, width),
    text(x - 4, base, '0', { size: 9, anchor: 'end', colour: 'faint' }),
    text(x - 4, base - RATE_HEIGHT + 8, `${peak}/s`, { size: 9, anchor: 'end', colour: 'faint' }),
  ];
}

function latencies({ recording: { bins } }: Run, x: number, base: number, width: number): string[] {
  const perDecade = LATENCY_HEIGHT / Math.log10(LATENCY_TO_MS / LATENCY_FROM_MS);
  const height = (ms: number | null): number | null =>
    ms === null ? null : Math.max(0, Math.round(perDecade * Math.log10(ms / LATENCY_FROM_MS)));
  return [
    ...DECADES_MS.flatMap((ms) => [
      rule(x, base - (height(ms) ?? 0), width),
      text(x - 4, base - (height(ms) ?? 0) + 3, ms < 1000 ? `${ms} ms` : `${ms / 1000} s`, {
        size: 9,
        anchor: 'end',
        colour: 'faint',
      }),
    ]),
    line(
      x,
      base,
      STEP,
      bins.map(({ latenciesMs }) => height(quantile(latenciesMs, 0.5))),
      'p50',
    ),
    line(
      x,
      base,
      STEP,
      bins.map(({ latenciesMs }) => height(quantile(latenciesMs, 0.99))),
      'p99',
    ),
  ];
}

/** Each server's attempts, on the colour of what it is taken for. */
function bands({ recording, scenario }: Run, x: number, top: number, at: (ms: number) => number): string[] {
  const { bins, changes } = recording;
  const serverCount = bins[0]?.shares.length ?? 0;
  const peak = SHARE_PEAK_RATIO * (bins[0]?.askedCount ?? 0);
  return Array.from({ length: serverCount }, (_, server) => {
    const y = top + server * ROW_HEIGHT;
    const own = changes.filter((change) => change.server === server);
    const spans = own.map(({ atMs, state }, index) => ({
      fromX: at(atMs),
      untilX: at(own[index + 1]?.atMs ?? scenario.durationMs),
      state,
    }));
    const heights = bins.map(({ shares }) => Math.round(Math.min(1, (shares[server] ?? 0) / peak) * (ROW_HEIGHT - 2)));
    return [
      ...spans
        .filter((span): span is typeof span & { state: Exclude<EndpointState, 'well'> } => span.state !== 'well')
        .map(({ fromX, untilX, state }) => box(fromX, y, untilX - fromX, ROW_HEIGHT - 1, state)),
      area(x, y + ROW_HEIGHT - 1, STEP, heights, 'share'),
      text(x - 4, y + 10, `#${server + 1}`, { size: 9, anchor: 'end', colour: 'faint' }),
    ].join('\n');
  });
}
