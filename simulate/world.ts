import { onEvent } from '../src/core/events.ts';
import type { EndpointSource } from '../src/upstream/endpoint-source.ts';
import { proxy } from '../src/upstream/forward.ts';
import { UpstreamGroup } from '../src/upstream/group.ts';
import { Load, type Outcome, type RequestMaker } from './load.ts';
import { type NetworkWatcher, type Sending, SimulatedNetwork } from './network.ts';
import type { Policy } from './policies.ts';
import { randomStream } from './random.ts';
import { Recording } from './recording.ts';
import { type Scenario, SERVER_COUNT } from './scenarios.ts';
import { type ServerOptions, SimulatedServer } from './server.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Four of these can answer 300 requests per second. */
const SERVER: ServerOptions = { workerCount: 3, serviceMs: 40, backlogMaxCount: 50 };
const LATENCY_MS = 1;
const REQUESTS_PER_SEC = 120;
const PATIENCE_MS = 3000;
const BIN_MS = 1000;
const LOOK_MS = 250;

/** Every upstream's, whatever the policy. */
const COMMON = {
  pool: { connectionMaxCount: 64, queueMaxCount: 200, queueTimeoutMs: 1000 },
  timeouts: { connectMs: 1000, headMs: 5000 },
};

/** What may be otherwise in a world. */
export interface WorldParts {
  readonly watcher?: Partial<NetworkWatcher>;
  /** Requests at once on a connection; default 1, as in HTTP/1.1. */
  readonly streamMaxCount?: number;
  readonly requestsPerSec?: number;
  readonly request?: RequestMaker;
  /** After so long a client goes away. */
  readonly patienceMs?: number;
  readonly serverCount?: number;
  /** What is known of servers when the upstream is made; default: the URLs of all. */
  readonly endpoints?: (urls: readonly string[]) => readonly EndpointSource[];
  /** What is done to the upstream when. */
  readonly acts?: readonly Act[];
  /** Where others need it before. */
  readonly clock?: VirtualClock;
  readonly binMs?: number;
  /** How often it is looked how endpoints stand. */
  readonly lookMs?: number;
}

/** Somebody does something to an upstream. */
interface Act {
  readonly atMs: number;
  do(group: UpstreamGroup, urls: readonly string[]): void;
}

/** What must be nothing when the last client has gone. */
export interface Leftovers {
  readonly waitingClientCount: number;
  readonly queuedCount: number;
  readonly activeCount: number;
  readonly connectingCount: number;
  /** After the upstream was drained. */
  readonly liveCount: number;
  readonly timerCount: number;
  readonly serverConnectionCount: number;
}

let worldCount = 0;

/** Clients, an upstream, a network and servers, for one run. */
export class World {
  readonly recording: Recording;
  private readonly clock: VirtualClock;
  private readonly scenario: Scenario;
  private readonly parts: WorldParts;
  private readonly patienceMs: number;
  private readonly servers: readonly SimulatedServer[];
  private readonly group: UpstreamGroup;
  private readonly urls: readonly string[];
  private readonly load: Load;

  constructor(scenario: Scenario, policy: Policy, seed: number, parts: WorldParts) {
    const { clock = new VirtualClock(), serverCount = SERVER_COUNT } = parts;
    worldCount += 1;
    this.clock = clock;
    this.scenario = scenario;
    this.parts = parts;
    this.patienceMs = parts.patienceMs ?? PATIENCE_MS;
    this.recording = new Recording(scenario.durationMs, parts.binMs ?? BIN_MS, serverCount);
    this.servers = Array.from(
      { length: serverCount },
      (_, server) => new SimulatedServer(SERVER, clock, randomStream(seed, `server ${server}`)),
    );
    const { headMs } = COMMON.timeouts;
    const options = {
      latencyMs: LATENCY_MS,
      streamMaxCount: parts.streamMaxCount ?? 1,
      headTimeoutMs: Math.min(headMs, policy.options.retry?.perTryTimeoutMs ?? headMs),
    };
    const network = new SimulatedNetwork(this.servers, options, clock, randomStream(seed, 'network'), this.watcher());
    // Events name their upstream, and there may be several worlds at a time.
    const own = {
      name: `simulation ${worldCount}`,
      endpoints: parts.endpoints?.(network.urls) ?? network.urls,
      clock,
      random: randomStream(seed, 'policy'),
    };
    this.group = new UpstreamGroup({ ...COMMON, ...policy.options, ...own }, network.dial);
    network.parent = this.group.life;
    this.urls = network.urls;
    const watcher = {
      onAsk: () => this.recording.asked(clock.now()),
      onAnswer: (outcome: Outcome, latencyMs: number) => this.recording.ended(outcome, latencyMs, clock.now()),
    };
    const handler = proxy(this.group);
    this.load = new Load(handler, clock, randomStream(seed, 'load'), this.patienceMs, watcher, parts.request);
  }

  private watcher(): NetworkWatcher {
    const { clock, parts, recording } = this;
    return {
      onSend(sending: Sending) {
        recording.attempted(sending.server, clock.now());
        parts.watcher?.onSend?.(sending);
      },
      onEnd: (observer) => parts.watcher?.onEnd?.(observer),
      onUnreached(server: number) {
        recording.attempted(server, clock.now());
        parts.watcher?.onUnreached?.(server);
      },
      onProbe: (server) => parts.watcher?.onProbe?.(server),
    };
  }

  /** Requests come, and what goes wrong goes wrong. */
  async play(): Promise<void> {
    const { clock, group, parts, recording, scenario, urls } = this;
    const { durationMs, faultFromMs, faultUntilMs, rush, turns } = scenario;
    for (const { atMs, servers, condition } of turns) {
      clock.after(atMs, () => {
        for (const server of servers) this.servers[server]?.become(condition);
      });
    }
    for (const act of parts.acts ?? []) clock.after(act.atMs, () => act.do(group, urls));
    const unhear = onEvent('upstream:retry', ({ upstream, code }) => {
      if (upstream === group.name) recording.retried(code, clock.now());
    });
    const look = clock.every(parts.lookMs ?? LOOK_MS, () => {
      const endpoints = group.endpoints().map((endpoint) => [urls.indexOf(endpoint.url), endpoint] as const);
      recording.looked(endpoints, clock.now());
    });
    const usual = parts.requestsPerSec ?? REQUESTS_PER_SEC;
    this.load.begin((nowMs) => (nowMs >= faultFromMs && nowMs < faultUntilMs ? rush * usual : usual), durationMs);
    await clock.runUntil(durationMs);
    look.cancel();
    unhear();
  }

  /** Nobody asks any more: what is left when the last request is answered, and the upstream was drained? */
  async windUp(): Promise<Leftovers> {
    const { clock, group, load } = this;
    await clock.runUntil(clock.now() + this.patienceMs + 1);
    const { endpoints, waitingCount } = group.status();
    const before = {
      waitingClientCount: load.waitingCount,
      queuedCount: waitingCount,
      activeCount: endpoints.reduce((sum, { activeCount }) => sum + activeCount, 0),
      connectingCount: endpoints.reduce((sum, { connectingCount }) => sum + connectingCount, 0),
    };
    void group.drain({ graceMs: 1 });
    // What servers have begun they finish, and packets arrive.
    await clock.runUntil(clock.now() + 60_000);
    return {
      ...before,
      liveCount: group.life.liveCount,
      timerCount: clock.dueCount,
      serverConnectionCount: this.servers.reduce((sum, { connections }) => sum + connections.size, 0),
    };
  }
}
