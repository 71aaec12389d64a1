import type { RecordWithTtl } from 'node:dns';
import { DnsDiscovery, type NameResolver } from '../../src/upstream/discover-dns.ts';
import { discoverSettings } from '../../src/upstream/discover-options.ts';
import { SERVER_PORT, serverAddress } from '../network.ts';
import { timeAxis } from '../picture/axis.ts';
import type { Span } from '../picture/panel.ts';
import { answerPlot, serverRows } from '../picture/recorded.ts';
import type { Colour } from '../picture/shapes.ts';
import { randomStream } from '../random.ts';
import { type Run, run } from '../run.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { course } from './faults.ts';
import { percent, total } from './series.ts';
import { type Case, study } from './study.ts';

export const DURATION_MS = 60_000;
const BIN_MS = 500;
const REQUESTS_PER_SEC = 120;
const SERVER_COUNT = 4;
const TTL_MS = 2000;
const LOOK_UP_MS = 5;

/** What name servers say from a moment on: numbers of servers, or that they fail. */
interface Answer {
  readonly atMs: number;
  readonly servers: readonly number[] | 'failure';
}

export const ANSWERS: readonly Answer[] = [
  { atMs: 0, servers: [0, 1] },
  { atMs: 10_000, servers: [0, 1, 2, 3] },
  { atMs: 22_000, servers: 'failure' },
  { atMs: 32_000, servers: [1, 2, 3] },
  { atMs: 42_000, servers: [] },
  { atMs: 50_000, servers: [1, 2] },
];

const answerAt = (nowMs: number): Answer['servers'] => ANSWERS.findLast(({ atMs }) => atMs <= nowMs)?.servers ?? [];

/** A look-up, and what came of it. */
interface LookUp {
  readonly atMs: number;
  readonly answer: Answer['servers'];
}

/** Name servers that answer by the clock. */
class SimulatedResolver implements NameResolver {
  readonly lookUps: LookUp[] = [];
  private readonly clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  resolve4(): Promise<RecordWithTtl[]> {
    const { promise, reject, resolve } = Promise.withResolvers<RecordWithTtl[]>();
    const answer = answerAt(this.clock.now());
    this.lookUps.push({ atMs: this.clock.now(), answer });
    this.clock.after(LOOK_UP_MS, () => {
      if (answer === 'failure') reject(failure('ESERVFAIL'));
      else if (answer.length === 0) reject(failure('ENODATA'));
      else resolve(answer.map((server) => ({ address: serverAddress(server), ttl: TTL_MS / 1000 })));
    });
    return promise;
  }

  /** There is no IPv6. */
  resolve6(): Promise<RecordWithTtl[]> {
    return Promise.reject(failure(answerAt(this.clock.now()) === 'failure' ? 'ESERVFAIL' : 'ENODATA'));
  }

  resolveSrv(): Promise<never> {
    return Promise.reject(failure('ENODATA'));
  }

  cancel(): void {}
}

const failure = (code: string): Error => Object.assign(new Error(code), { code });

interface Observed {
  readonly run: Run;
  readonly lookUps: readonly LookUp[];
}

/** Name servers that say other things as time goes on, that fail, and that know nothing. */
export const discoveryStudy = study<Observed>({
  name: 'discovery',
  what: 'name servers name more servers, fail for ten seconds, name fewer, and for a while none',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'requests at server #n', colour: 'share' },
    { words: 'named by DNS', colour: 'pale' },
    { words: 'look-up: answered', colour: 'good' },
    { words: 'failed', colour: 'error' },
    { words: 'no addresses', colour: 'half-open' },
  ],
  columnCount: 1,
  async observe(seed) {
    const clock = new VirtualClock();
    const resolver = new SimulatedResolver(clock);
    const settings = discoverSettings({ dns: `api.internal:${SERVER_PORT}` });
    const random = randomStream(seed, 'discovery');
    const discover = new DnsDiscovery('api', settings, resolver, { clock, random });
    const policy = { name: 'discovery', title: 'discover: { dns: api.internal }', options: { discover } };
    const made = await run(course(DURATION_MS), policy, seed, {
      clock,
      binMs: BIN_MS,
      requestsPerSec: REQUESTS_PER_SEC,
      serverCount: SERVER_COUNT,
      endpoints: () => [],
    });
    return { run: made, lookUps: resolver.lookUps.filter(({ atMs }) => atMs < DURATION_MS) };
  },
  cases: (observed) => [caseOf(observed)],
});

function caseOf({ lookUps, run: { policy, recording } }: Observed): Case {
  const { bins } = recording;
  const count = (colour: Colour): string => String(lookUps.filter(({ answer }) => colourOf(answer) === colour).length);
  return {
    title: policy.title,
    facts: [
      [
        ['answered well', percent(total(bins, (bin) => bin.goodCount) / total(bins, (bin) => bin.askedCount))],
        ['look-ups', String(lookUps.length)],
        ['failed', count('error')],
        ['without addresses', count('half-open')],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 5, [...ANSWERS.map(({ atMs }) => atMs), DURATION_MS]),
    shades: [],
    tracks: [
      answerPlot(recording, 200),
      ...serverRows(recording, (REQUESTS_PER_SEC * 0.75 * BIN_MS) / 1000).map((row, server) => ({
        ...row,
        spans: [...namedSpans(server)],
      })),
      {
        kind: 'row',
        label: 'DNS',
        top: 1,
        series: [],
        spans: [],
        marks: lookUps.map(({ answer, atMs }) => ({ at: atMs / BIN_MS, colour: colourOf(answer) })),
      },
    ],
  };
}

function colourOf(answer: Answer['servers']): Colour {
  if (answer === 'failure') return 'error';
  return answer.length === 0 ? 'half-open' : 'good';
}

/** When DNS names a server. */
function namedSpans(server: number): Span[] {
  return ANSWERS.flatMap(({ atMs, servers }, at) => {
    if (servers === 'failure' || !servers.includes(server)) return [];
    const untilMs = ANSWERS[at + 1]?.atMs ?? DURATION_MS;
    return [{ from: atMs / BIN_MS, until: untilMs / BIN_MS, colour: 'pale' }];
  });
}
