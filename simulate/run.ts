import { onEvent } from '../src/core/events.ts';
import { proxy } from '../src/upstream/forward.ts';
import { UpstreamGroup } from '../src/upstream/group.ts';
import { Load } from './load.ts';
import { type NetworkWatcher, SimulatedNetwork } from './network.ts';
import type { Policy } from './policies.ts';
import { randomStream } from './random.ts';
import { Recording } from './recording.ts';
import { type Scenario, SERVER_COUNT } from './scenarios.ts';
import { SimulatedServer } from './server.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The world that all runs share. Four servers of three workers can answer 300 requests per second. */
const WORLD = {
  serverCount: SERVER_COUNT,
  workerCount: 3,
  serviceMs: 40,
  backlogMaxCount: 50,
  latencyMs: 1,
  requestsPerSec: 120,
  /** A client that has waited so long is gone. */
  patienceMs: 3000,
  binMs: 1000,
} as const;

/** Everybody's, whatever the policy. */
const COMMON = {
  pool: { connectionMaxCount: 64, queueMaxCount: 200, queueTimeoutMs: 1000 },
  timeouts: { connectMs: 1000, headMs: 5000 },
};

const LOOK_MS = 250;

/** A run, with all that it left behind. */
export interface Run {
  readonly scenario: Scenario;
  readonly policy: Policy;
  readonly seed: number;
  readonly recording: Recording;
  readonly leftovers: Leftovers;
}

/** What must be nothing when the last client has gone. */
interface Leftovers {
  readonly waitingClientCount: number;
  readonly queuedCount: number;
  readonly activeCount: number;
  readonly connectingCount: number;
  /** After the upstream was drained. */
  readonly liveCount: number;
  readonly timerCount: number;
  readonly serverConnectionCount: number;
}

/** What a run may be given besides. */
export interface RunParts {
  readonly watcher?: Partial<NetworkWatcher>;
  /** Requests at once on a connection; default 1, as in HTTP/1.1. */
  readonly streamMaxCount?: number;
  readonly requestsPerSec?: number;
  /** After so long a client goes away. */
  readonly patienceMs?: number;
}

let runCount = 0;

/** Lets requests come while something goes wrong. The same seed gives the same run. */
export async function run(scenario: Scenario, policy: Policy, seed: number, parts: RunParts = {}): Promise<Run> {
  runCount += 1;
  // Events name their upstream, and there may be several runs at a time.
  const name = `simulation ${runCount}`;
  const clock = new VirtualClock();
  const recording = new Recording(scenario.durationMs, WORLD.binMs, WORLD.serverCount);
  const servers = Array.from(
    { length: WORLD.serverCount },
    (_, server) => new SimulatedServer(WORLD, clock, randomStream(seed, `server ${server}`)),
  );
  const perTryMs = policy.options.retry?.perTryTimeoutMs ?? null;
  const network = new SimulatedNetwork(
    servers,
    {
      latencyMs: WORLD.latencyMs,
      streamMaxCount: parts.streamMaxCount ?? 1,
      headTimeoutMs: Math.min(COMMON.timeouts.headMs, perTryMs ?? COMMON.timeouts.headMs),
    },
    clock,
    randomStream(seed, 'network'),
    {
      onSend(sending) {
        recording.attempted(sending.server, clock.now());
        parts.watcher?.onSend?.(sending);
      },
      onEnd: (observer) => parts.watcher?.onEnd?.(observer),
      onUnreached(server) {
        recording.attempted(server, clock.now());
        parts.watcher?.onUnreached?.(server);
      },
    },
  );
  const random = randomStream(seed, 'policy');
  const group = new UpstreamGroup(
    { ...COMMON, ...policy.options, name, endpoints: network.urls, clock, random },
    network.dial,
  );
  network.parent = group.life;
  const patienceMs = parts.patienceMs ?? WORLD.patienceMs;
  const load = new Load(proxy(group), clock, randomStream(seed, 'load'), patienceMs, {
    onAsk: () => recording.asked(clock.now()),
    onAnswer: (outcome, latencyMs) => recording.ended(outcome, latencyMs, clock.now()),
  });
  for (const { atMs, servers: numbers, condition } of scenario.turns) {
    clock.after(atMs, () => {
      for (const number of numbers) servers[number]?.become(condition);
    });
  }
  const look = clock.every(LOOK_MS, () => recording.looked(group.endpoints(), clock.now()));
  load.begin((nowMs) => (parts.requestsPerSec ?? WORLD.requestsPerSec) * rushAt(scenario, nowMs), scenario.durationMs);
  const unhear = onEvent('upstream:retry', ({ upstream, code }) => {
    if (upstream === name) recording.retried(code, clock.now());
  });
  await clock.runUntil(scenario.durationMs);
  look.cancel();
  unhear();
  return { scenario, policy, seed, recording, leftovers: await windUp(clock, group, load, servers, patienceMs) };
}

function rushAt({ faultFromMs, faultUntilMs, rush }: Scenario, nowMs: number): number {
  return nowMs >= faultFromMs && nowMs < faultUntilMs ? rush : 1;
}

/** Nobody asks any more: what is left when the last request is answered, and the upstream was drained? */
async function windUp(
  clock: VirtualClock,
  group: UpstreamGroup,
  load: Load,
  servers: readonly SimulatedServer[],
  patienceMs: number,
): Promise<Leftovers> {
  await clock.runUntil(clock.now() + patienceMs + 1);
  const { endpoints, waitingCount } = group.status();
  const sum = (count: (endpoint: (typeof endpoints)[number]) => number): number =>
    endpoints.reduce((total, endpoint) => total + count(endpoint), 0);
  const before = {
    waitingClientCount: load.waitingCount,
    queuedCount: waitingCount,
    activeCount: sum(({ activeCount }) => activeCount),
    connectingCount: sum(({ connectingCount }) => connectingCount),
  };
  void group.drain({ graceMs: 1 });
  // What servers have begun they finish, and packets arrive.
  await clock.runUntil(clock.now() + 60_000);
  return {
    ...before,
    liveCount: group.life.liveCount,
    timerCount: clock.dueCount,
    serverConnectionCount: servers.reduce((total, { connections }) => total + connections.size, 0),
  };
}
