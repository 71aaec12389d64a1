import { type Condition, spell, type Turn } from '../../simulate/condition.ts';
import { type Random, randomStream } from '../../simulate/random.ts';
import { type Scenario, SERVER_COUNT } from '../../simulate/scenarios.ts';

const FAULTS: readonly Partial<Condition>[] = [
  { reach: 'down' },
  { reach: 'leaving' },
  { reach: 'cut' },
  { slowness: 5 },
  { errorRatio: 0.5 },
  { slowness: 3, errorRatio: 1 },
];

/** All servers but one have faults at random, one after the other; that one is always well. */
export function chaos(seed: number, durationMs: number): Scenario {
  const random = randomStream(seed, 'chaos');
  const wellOne = Math.floor(random() * SERVER_COUNT);
  const turns: Turn[] = [];
  for (let server = 0; server < SERVER_COUNT; server += 1) {
    if (server !== wellOne) turns.push(...faultsOf(server, durationMs, random));
  }
  turns.sort((a, b) => a.atMs - b.atMs);
  return {
    name: `chaos-${seed}`,
    what: 'faults at random',
    durationMs,
    faultFromMs: 0,
    faultUntilMs: durationMs,
    turns,
    rush: 1,
  };
}

function faultsOf(server: number, durationMs: number, random: Random): Turn[] {
  const turns: Turn[] = [];
  let atMs = 5000 * random();
  while (atMs < durationMs) {
    const untilMs = atMs + 200 + 4000 * random();
    turns.push(...spell(atMs, untilMs, [server], FAULTS[Math.floor(random() * FAULTS.length)] ?? {}));
    atMs = untilMs + 3000 * random();
  }
  return turns;
}
