import type { Duplex } from 'node:stream';
import { IncomingBody } from '../core/body.ts';
import type { ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import { discardBody, type HttpResponse, type InformationalResponse } from '../core/message.ts';
import type { HttpRequest, Protocol } from '../core/request.ts';
import { remainingMs } from '../policy/deadline.ts';
import { RACE, type Race, type RaceStep } from '../policy/race.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamGroup } from './group.ts';
import type { Hedged, Patience } from './hedger.ts';
import { ReplayBody } from './replay.ts';
import type { FailedAttempt } from './retrier.ts';
import type { PassedHead, Rewrite } from './rewrite.ts';
import type { Upgrade } from './upgrade.ts';

const retries = channel('upstream:retry');
const hedges = channel('upstream:hedge');

const NONE_TRIED: readonly Endpoint[] = [];
const NONE_WITHHELD: readonly Withheld[] = [];

/** An informational answer of one of two attempts: the client hears it if the final one comes from there, too. */
interface Withheld {
  readonly from: Attempt;
  readonly response: InformationalResponse;
}

/** One request on its way to an upstream, in as many attempts as it takes, and its answer on the way back. */
export class Forwarding implements AttemptOwner, FailedAttempt, Hedged {
  readonly group: UpstreamGroup;
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderFields;
  readonly expectContinue: boolean;
  readonly upgrade: string | null;
  readonly key: number | null;
  readonly deadlineMs: number | null;
  /** Where its client belongs. */
  readonly home: Endpoint | null;
  readonly hurried: boolean;
  attemptCount = 0;
  pausedMs: number | null = null;
  private readonly body: Uint8Array | IncomingBody | null;
  private readonly request: HttpRequest;
  private readonly rewrite: Rewrite;
  private readonly switching: Upgrade | null;
  private readonly replay: ReplayBody | null;
  /** By the clock, where anybody has to know. */
  private readonly beganMs: number;
  private tried: readonly Endpoint[] = NONE_TRIED;
  private race: Race = 'none';
  /** The attempt under way, or that was answered; `hedge`: the one beside it. */
  private first: Attempt | null = null;
  private hedge: Attempt | null = null;
  /** With the first attempt, where another one may be sent beside it. */
  private patience: Patience | null = null;
  private withheld: readonly Withheld[] = NONE_WITHHELD;
  private pause: ClockTimer | null = null;
  private resolve: ((response: HttpResponse) => void) | null = null;
  private reject: ((failure: unknown) => void) | null = null;

  constructor(
    request: HttpRequest,
    group: UpstreamGroup,
    rewrite: Rewrite,
    passed: PassedHead,
    headers: HeaderFields,
    body: Uint8Array | IncomingBody | null,
    switching: Upgrade | null = null,
  ) {
    this.switching = switching;
    this.upgrade = switching?.protocol ?? null;
    this.request = request;
    this.group = group;
    this.rewrite = rewrite;
    this.method = request.method;
    this.target = rewrite.target(request.target);
    this.headers = headers;
    this.body = body;
    this.expectContinue = passed.expectContinue && body instanceof IncomingBody;
    this.key = group.keyOf(request);
    this.home = group.sticky?.homeOf(request) ?? null;
    const { deadlineHeader, totalMs } = group;
    const askedMs = deadlineHeader?.heard(request.headers) ?? null;
    this.hurried = askedMs !== null && (totalMs === null || askedMs < totalMs);
    const withinMs = this.hurried ? askedMs : totalMs;
    this.beganMs = withinMs === null && group.retrier.budget === null ? 0 : group.clock.now();
    this.deadlineMs = withinMs === null ? null : this.beganMs + withinMs;
    const { replayMaxBytes } = group;
    this.replay = replayMaxBytes > 0 && body instanceof IncomingBody ? new ReplayBody(body, replayMaxBytes) : null;
  }

  begin(): Promise<HttpResponse> {
    // Work of the upstream until it is answered: a drain waits for it, between two attempts too.
    if (!this.group.life.begin()) throw new Failure('upstream-closed');
    this.group.retrier.begin(this.beganMs);
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.send(false, this.beganMs);
      this.request.onAbort((failure) => this.aborted(failure));
    });
  }

  // ── what an attempt sends ─────────────────────────────────────────────────────────────────────────────────────

  authorityAt({ address }: Endpoint): string {
    return this.rewrite.authority(this.request.authority, address.authority);
  }

  fields(): HeaderFields {
    const { deadlineMs, group, headers } = this;
    const { clock, deadlineHeader } = group;
    if (deadlineHeader === null) return headers;
    return deadlineHeader.told(headers, deadlineMs === null ? null : remainingMs(deadlineMs, clock.now()));
  }

  bodyToSend(): Uint8Array | IncomingBody | null {
    return this.replay === null ? this.body : this.replay.attempt();
  }

  // ── what an attempt comes to ──────────────────────────────────────────────────────────────────────────────────

  onCall(attempt: Attempt): void {
    const { hedger } = this.group;
    if (hedger === null || attempt !== this.first) return;
    this.endPatience();
    this.patience = hedger.begin(this);
  }

  private endPatience(): void {
    if (this.patience === null) return;
    this.group.hedger?.end(this.patience);
    this.patience = null;
  }

  onInform(attempt: Attempt, status: number, headers: HeaderFields): void {
    const response = { status, headers: headers.endToEnd };
    if (this.race === 'both') this.withheld = [...this.withheld, { from: attempt, response }];
    else this.request.inform(response);
  }

  onAnswer(
    attempt: Attempt,
    status: number,
    protocol: Protocol,
    headers: HeaderFields,
    body: Uint8Array | IncomingBody | null,
  ): void {
    if (status >= 500 && this.race !== 'over') {
      const { retrier } = this.group;
      this.triedInVain(attempt);
      if (this.race === 'both' && retrier.prefersOther(status)) {
        discardBody(body);
        this.leaveRace(attempt);
        return;
      }
      const delayMs = retrier.afterStatus(status, headers, this);
      if (delayMs !== null) {
        this.leaveRace(attempt);
        this.replay?.pause();
        discardBody(body);
        this.again(attempt, delayMs, String(status), false);
        return;
      }
    }
    this.win(attempt);
    const { resolve } = this;
    this.settle();
    resolve?.({ status, headers: this.settled(attempt, this.rewrite.response(headers, protocol)), body });
  }

  onUpgrade(attempt: Attempt, status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void {
    const { resolve, switching } = this;
    if (switching === null) {
      socket.destroy();
      this.fail(new Failure('upstream-invalid', 'It switched protocols unasked.'));
      return;
    }
    const passed = this.settled(attempt, this.rewrite.response(headers, status === 101 ? 'HTTP/1.1' : 'HTTP/2'));
    try {
      const response = switching.response(status, passed, socket, firstBytes);
      this.settle();
      resolve?.(response);
    } catch (error) {
      this.fail(error);
    }
  }

  onInVain(attempt: Attempt, failure: Failure): void {
    const { code } = failure;
    // A connection that was too old is no reason to leave the endpoint that the request belongs to.
    const stale = code === 'upstream-stale';
    if (!stale) this.triedInVain(attempt);
    if (!this.leaveRace(attempt)) return;
    const delayMs = this.group.retrier.afterFailure(failure, this);
    if (delayMs === null) this.fail(failure);
    else {
      this.replay?.pause();
      this.again(attempt, delayMs, code, stale || code === 'upstream-refused');
    }
  }

  onUnserved(attempt: Attempt, error: unknown): void {
    if (this.leaveRace(attempt)) this.fail(error);
  }

  // ── the next attempt ──────────────────────────────────────────────────────────────────────────────────────────

  get replayable(): boolean {
    const { body, replay } = this;
    if (replay !== null) return replay.replayable;
    // What has been read from the client is gone.
    return !(body instanceof IncomingBody && body.used);
  }

  get elsewhere(): boolean {
    return this.group.hasOther(this.tried);
  }

  get anywhere(): boolean {
    return this.group.hasOther(NONE_TRIED);
  }

  get reachableElsewhere(): boolean {
    return this.group.hasOther(this.tried, true);
  }

  private triedInVain({ endpoint }: Attempt): void {
    if (endpoint === null || this.tried.at(-1) === endpoint) return;
    this.tried = [...this.tried.filter((other) => other !== endpoint), endpoint];
  }

  /** Tries once more, after a pause. `fresh`: not on an idle connection. */
  private again({ endpoint }: Attempt, delayMs: number, code: string, fresh: boolean): void {
    const { attemptCount, group } = this;
    group.counts.retries.add(code);
    if (retries.heard) {
      const { name: upstream } = group;
      retries.publish({ upstream, endpoint: endpoint?.address.url ?? '', code, attemptCount, delayMs });
    }
    if (delayMs <= 0) {
      this.send(fresh);
      return;
    }
    this.pausedMs = delayMs;
    this.pause = group.clock.after(delayMs, () => {
      this.pause = null;
      this.send(fresh);
    });
  }

  private send(fresh: boolean, nowMs = this.group.clock.now()): void {
    const { deadlineMs } = this;
    if (deadlineMs !== null && nowMs >= deadlineMs) {
      this.fail(new Failure('upstream-deadline'));
      return;
    }
    this.step('send');
    this.attemptCount += 1;
    this.first = new Attempt(this, this.tried, true);
    this.first.begin(fresh);
  }

  // ── two attempts at a time ────────────────────────────────────────────────────────────────────────────────────

  onOverdue(): void {
    const { body, first, group, switching } = this;
    if (this.race !== 'first' || first === null || first.endpoint === null) return;
    // What streams goes one way at a time.
    const whole = switching === null && !(body instanceof IncomingBody);
    if (!whole || !group.retrier.mayHedge(this)) return;
    const hedge = new Attempt(this, [...this.tried, first.endpoint], false);
    if (!group.hasRoomFor(hedge) || !group.retrier.affordHedge(this)) return;
    this.step('hedge');
    this.attemptCount += 1;
    group.counts.retries.add('hedge');
    this.hedge = hedge;
    const { attemptCount } = this;
    hedge.begin(false);
    if (hedge.endpoint === null) return;
    first.avoid(hedge.endpoint);
    if (hedges.heard) hedges.publish({ upstream: group.name, endpoint: hedge.endpoint.address.url, attemptCount });
  }

  private step(step: RaceStep): boolean {
    const next = RACE[this.race][step];
    if (next === undefined) return false;
    this.race = next;
    return true;
  }

  /** An attempt has come to nothing. Whether it is for the request to decide what comes next: no other is under way. */
  private leaveRace(attempt: Attempt): boolean {
    const hedged = attempt === this.hedge;
    if (!this.step(hedged ? 'hedge-in-vain' : 'first-in-vain')) return false;
    if (hedged) this.hedge = null;
    else this.first = null;
    const other = this.hedge ?? this.first;
    if (other !== null) this.tellWithheld(other);
    return other === null;
  }

  /** Its answer goes to the client, and the other attempt is given up. */
  private win(attempt: Attempt): void {
    if (this.race !== 'both') return;
    const loser = attempt === this.hedge ? this.first : this.hedge;
    loser?.lose();
    this.tellWithheld(attempt);
  }

  private tellWithheld(attempt: Attempt): void {
    for (const { from, response } of this.withheld) if (from === attempt) this.request.inform(response);
    this.withheld = NONE_WITHHELD;
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The client is gone, or its time is over. Also hears it while the body of the answer is on its way. */
  private aborted(failure: Failure): void {
    this.first?.abort(failure);
    this.hedge?.abort(failure);
    this.switching?.abandon();
    this.fail(failure);
  }

  private fail(error: unknown): void {
    const { reject } = this;
    if (reject === null) return;
    if (error instanceof Failure) this.group.counts.failures.add(error.code);
    this.settle();
    reject(error);
  }

  private settle(): void {
    if (!this.step('end')) return;
    this.resolve = null;
    this.reject = null;
    this.pause?.cancel();
    this.pause = null;
    this.endPatience();
    this.replay?.settle();
    this.group.life.end();
  }

  /** The answer's fields. A client whose endpoint is gone or does not stand well belongs to who has answered it. */
  private settled({ endpoint }: Attempt, fields: HeaderFields): HeaderFields {
    const { group, home, request } = this;
    if (group.sticky === null || endpoint === null || endpoint === home) return fields;
    if (home?.standing.takesRequests === true) return fields;
    const cookie = group.sticky.cookieFor(endpoint, request.peer.secure);
    return cookie === null ? fields : fields.append('set-cookie', cookie);
  }
}
