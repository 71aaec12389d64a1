import { spell } from '../condition.ts';
import { timeAxis } from '../picture/axis.ts';
import { answerPlot, serverRows } from '../picture/recorded.ts';
import { type Run, run } from '../run.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { compared, course } from './faults.ts';
import { percent, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 50_000;
const BIN_MS = 500;
export const LOOK_MS = 50;
export const FAULT_MS = 8000;
export const WELL_MS = 28_000;
export const OPEN_MS = 1000;
export const OPEN_MAX_MS = 8000;
const REQUESTS_PER_SEC = 90;

interface Observed {
  readonly run: Run;
  /** When requests were sent to the first server, and which of them its breaker was tried with. */
  readonly sentMs: readonly number[];
  readonly trialsMs: readonly number[];
}

/** One of three servers fails, without breakers and with them. */
export const breakerStudy = study<readonly Observed[]>({
  name: 'breaker',
  what: 'one of three servers answers everything with 503 for twenty seconds',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'errors/s', colour: 'error' },
    { words: 'requests at server #n', colour: 'share' },
    { words: 'breaker open', colour: 'open' },
    { words: 'a trial', colour: 'attempts' },
    { words: '#1 fails', colour: 'fault' },
  ],
  columnCount: 2,
  async observe(seed) {
    const observed: Observed[] = [];
    const options = { breaker: { openMs: OPEN_MS, openMaxMs: OPEN_MAX_MS } };
    for (const policy of compared('breaker: { openMs: 1000, openMaxMs: 8000 }', options)) {
      const [sentMs, trialsMs]: [number[], number[]] = [[], []];
      const clock = new VirtualClock();
      const made = await run(course(DURATION_MS, spell(FAULT_MS, WELL_MS, [0], { errorRatio: 1 })), policy, seed, {
        clock,
        serverCount: 3,
        binMs: BIN_MS,
        lookMs: LOOK_MS,
        requestsPerSec: REQUESTS_PER_SEC,
        watcher: {
          onSend({ endpoint, server }) {
            if (server > 0) return;
            sentMs.push(clock.now());
            if (endpoint.standing.breaker?.state === 'half-open') trialsMs.push(clock.now());
          },
        },
      });
      observed.push({ run: made, sentMs, trialsMs });
    }
    return observed;
  },
  cases: (observed) => observed.map(caseOf),
});

function caseOf({ run: { policy, recording }, trialsMs }: Observed): Case {
  const { bins } = recording;
  return {
    title: policy.title,
    facts: [
      [
        ['answered well', percent(total(bins, (bin) => bin.goodCount) / total(bins, (bin) => bin.askedCount))],
        ['errors', String(total(bins, (bin) => bin.errorCount))],
        ['trials', String(trialsMs.length)],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, FAULT_MS, WELL_MS, DURATION_MS]),
    shades: [{ from: FAULT_MS / BIN_MS, until: WELL_MS / BIN_MS, colour: 'fault' }],
    tracks: [
      answerPlot(recording, 150),
      ...serverRows(recording, REQUESTS_PER_SEC / 2 / (1000 / BIN_MS)).map((row, server) =>
        server > 0 ? row : { ...row, marks: trialsMs.map((ms) => ({ at: ms / BIN_MS, colour: 'attempts' as const })) },
      ),
    ],
  };
}
