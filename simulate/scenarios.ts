import { spell, type Turn } from './condition.ts';

/** Something goes wrong for a while. */
export interface Scenario {
  readonly name: string;
  /** What goes wrong, for people. */
  readonly what: string;
  readonly durationMs: number;
  /** From when until when it is wrong. */
  readonly faultFromMs: number;
  readonly faultUntilMs: number;
  /** What becomes of which server when, in the order of time. */
  readonly turns: readonly Turn[];
  /** While it is wrong there are so many times as many requests as usual. */
  readonly rush: number;
}

/** The servers of every scenario. */
export const SERVER_COUNT = 4;
const ALL = Array.from({ length: SERVER_COUNT }, (_, server) => server);

const FROM_MS = 15_000;
const UNTIL_MS = 35_000;

function scenario(name: string, what: string, turns: readonly Turn[], parts: Partial<Scenario> = {}): Scenario {
  return {
    name,
    what,
    turns,
    durationMs: 60_000,
    faultFromMs: FROM_MS,
    faultUntilMs: UNTIL_MS,
    rush: 1,
    ...parts,
  };
}

/** A server goes down and comes back every other second. */
const FLAPS = Array.from({ length: 10 }, (_, flap) => FROM_MS + 2000 * flap);
const RESTART_MS = 3000;
const RESTARTS = ALL.map((server) => FROM_MS + 5000 * server);

export const SCENARIOS: readonly Scenario[] = [
  scenario(
    'outage-of-one',
    'one of four servers goes down: its connections are reset, new ones refused',
    spell(FROM_MS, UNTIL_MS, [0], { reach: 'down' }),
  ),
  scenario('outage-of-all', 'all four servers go down', spell(FROM_MS, UNTIL_MS, ALL, { reach: 'down' })),
  scenario(
    'brown-out',
    'two of four servers take three times as long and fail every third request',
    spell(FROM_MS, UNTIL_MS, [0, 1], { slowness: 3, errorRatio: 0.33 }),
  ),
  scenario(
    'flapping',
    'one of four servers goes down for every other second',
    FLAPS.flatMap((atMs) => spell(atMs, atMs + 1000, [0], { reach: 'down' })),
  ),
  scenario(
    'slow-server',
    'one of four servers takes ten times as long',
    spell(FROM_MS, UNTIL_MS, [0], { slowness: 10 }),
  ),
  scenario(
    'partition',
    'no packet reaches one of four servers, or comes from it',
    spell(FROM_MS, UNTIL_MS, [0], { reach: 'cut' }),
  ),
  scenario(
    'restart',
    'all four servers are restarted in turn; each is away for three seconds',
    RESTARTS.flatMap((atMs, server) => spell(atMs, atMs + RESTART_MS, [server], { reach: 'down' })),
    { faultUntilMs: FROM_MS + 5000 * (SERVER_COUNT - 1) + RESTART_MS },
  ),
  scenario('overload', 'twice as many requests come as the servers can answer', [], { rush: 5 }),
];
