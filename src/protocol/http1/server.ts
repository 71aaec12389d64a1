import type { Socket } from 'node:net';
import { answer, reportFailure, statusResponse } from '../../core/answer.ts';
import type { IncomingBody } from '../../core/body.ts';
import { passed, WriteStall } from '../../core/deadlines.ts';
import { channel } from '../../core/events.ts';
import { Failure } from '../../core/failure.ts';
import { type DrainNotice, discardBody, type HttpResponse, type Takeover } from '../../core/message.ts';
import { REFUSALS } from '../../core/refusal.ts';
import { HttpRequest } from '../../core/request.ts';
import type {
  CloseReason,
  Connection,
  ConnectionRunner,
  ConnectionWork,
  RequestInFlight,
  WorkShare,
} from '../../core/runner.ts';
import { Http1Exchange } from './exchange.ts';
import { Intake, type IntakeOwner } from './intake.ts';
import { HALF_CLOSE_PROBE_MS, type Http1Limits, LINGER_MS, PROBE_ECHO_MS, UNSENT_MAX_BYTES } from './options.ts';
import { Output } from './output.ts';
import type { RequestHead } from './parse.ts';
import { lastReason, mayPersist } from './persistence.ts';

const started = channel('request:start');
const ended = channel('request:end');
const refused = channel('request:refuse');

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const NO_BYTES = Buffer.alloc(0);

/** HTTP/1.1 on one plaintext or decrypted connection. */
export function http1Runner(limits: Http1Limits): ConnectionRunner {
  return {
    name: 'http1',
    run(connection) {
      connection.attend(new Http1ServerConnection(connection, limits));
    },
    refuse(socket, reason) {
      socket.end(REFUSALS[reason], 'latin1');
    },
  };
}

/** One connection: its requests one after another, each answered before the next begins, and its end. */
class Http1ServerConnection implements ConnectionWork, IntakeOwner {
  nowMs: number;
  private readonly connection: Connection;
  private readonly socket: Socket;
  private readonly limits: Http1Limits;
  private readonly intake: Intake;
  private readonly output: Output;
  private exchange: Http1Exchange | null = null;
  private receiving = false;
  private moreInChunk = false;
  private lingering = false;
  private requestCount = 0;
  /** When the present state began: idle, head, end of the peer's side, lingering. */
  private sinceMs: number;
  private drainedAtMs = Number.POSITIVE_INFINITY;
  private readonly stall = new WriteStall();
  private probeAfterMs = HALF_CLOSE_PROBE_MS;
  /** Gives the connection to who has taken it over. */
  private handOn: (() => void) | null = null;
  /** Whose stream it is, once it has been taken over. */
  private takenOver: Http1Exchange | null = null;
  private readonly onData = (chunk: Buffer): void => this.receive(chunk);
  private readonly onEnd = (): void => this.endOfInput();
  private readonly onDrain = (): void => this.drained();
  private readonly sendNow = (text: string): void => this.output.text(text);
  private readonly onTakeover = (take: Takeover): void => this.handOver(take);

  constructor(connection: Connection, limits: Http1Limits) {
    this.connection = connection;
    this.socket = connection.socket;
    this.limits = limits;
    this.nowMs = connection.service.clock.now();
    this.sinceMs = this.nowMs;
    this.intake = new Intake(this, this.socket, limits);
    this.output = new Output(this.socket, (error, untilClose) => this.streamed(error, untilClose));
    this.socket.on('data', this.onData).on('end', this.onEnd).on('drain', this.onDrain);
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get busy(): boolean {
    return this.exchange !== null || this.handOn !== null || this.socket.writableLength > UNSENT_MAX_BYTES;
  }

  get answering(): boolean {
    return this.exchange !== null;
  }

  get closing(): boolean {
    return this.lingering || this.socket.destroyed;
  }

  private get draining(): boolean {
    return this.connection.life.phase !== 'accepting';
  }

  private receive(chunk: Buffer): void {
    this.nowMs = this.connection.service.clock.now();
    if (this.lingering) {
      if (this.connection.reason === 'drained-idle') this.connection.reason = 'drained-raced';
      return;
    }
    this.receiving = true;
    this.output.gather();
    try {
      this.intake.take(chunk);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.refuse(error, 'bad-request');
    } finally {
      this.receiving = false;
      this.output.release();
      this.handOn?.();
    }
  }

  headBegun(): void {
    this.connection.activity = 'reading';
    this.sinceMs = this.nowMs;
  }

  bodyWanted(): void {
    const { exchange } = this;
    if (exchange?.expectsContinue === true && exchange.stage === 'handling') this.sendContinue(exchange);
  }

  private sendContinue(exchange: Http1Exchange): void {
    exchange.expectsContinue = false;
    this.output.text(CONTINUE);
  }

  discarded(whole: boolean): void {
    if (whole) this.rest();
    else this.shutdown('keep-alive-off');
  }

  private endOfInput(): void {
    this.nowMs = this.connection.service.clock.now();
    this.intake.end();
    this.sinceMs = this.nowMs;
    if (this.exchange === null && !this.lingering && !this.intake.hasAhead) this.shutdown('client-closed');
  }

  private drained(): void {
    this.output.drained();
    if (this.exchange === null && !this.lingering) this.goOn();
  }

  // ── a request and its answer ──────────────────────────────────────────────────────────────────────────────────

  begin(head: RequestHead, body: IncomingBody | null, more: boolean): void {
    const { connection } = this;
    const { section, minorVersion, method, target } = head;
    if (method === 'TRACE') throw new Failure('method-refused');
    if (section.expect !== null && minorVersion === 1 && section.expect.toLowerCase() !== '100-continue') {
      throw new Failure('expectation-failed');
    }
    this.requestCount += 1;
    const exchange = new Http1Exchange(head, body, this.nowMs, connection.id, this.requestCount, this.sendNow);
    const protocol = minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
    const { fields } = section;
    const request = new HttpRequest(method, target, head.authority, protocol, fields, connection.peer, body, exchange);
    exchange.request = request;
    exchange.last = this.requestCount === this.limits.requestsPerConnectionMaxCount;
    this.exchange = exchange;
    this.moreInChunk = more;
    connection.activity = 'in-flight';
    if (started.heard) started.publish({ connectionId: connection.id, method, target });
    exchange.admission = connection.service.admit();
    if (exchange.admission === null) this.respond(exchange, statusResponse(new Failure('request-budget-exceeded')));
    else answer(exchange.admission.handler, request, (response) => this.respond(exchange, response));
    this.moreInChunk = false;
  }

  private respond(exchange: Http1Exchange, response: HttpResponse): void {
    if (exchange.stage !== 'handling') {
      discardBody(response.body);
      return;
    }
    if (!this.receiving) this.nowMs = this.connection.service.clock.now();
    exchange.deliver(response, this);
  }

  send(exchange: Http1Exchange, response: HttpResponse): void {
    const { method, minorVersion } = exchange.head;
    if (response.takeover !== undefined && this.intake.inBody) {
      throw new Failure('response-invalid', 'A connection is not taken over within a request body.');
    }
    const echoes = exchange.body !== null && response.body === exchange.body;
    if (echoes && exchange.expectsContinue) this.sendContinue(exchange);
    const more = this.moreInChunk || this.intake.hasAhead;
    exchange.persist = mayPersist(exchange, this.intake, { draining: this.draining, more, echoes });
    exchange.status = response.status;
    const date = this.connection.service.date.at(this.nowMs);
    const context = { method, minorVersion, persist: exchange.persist, date };
    if (response.onDrain !== undefined) this.becomeStream(exchange, response.onDrain);
    if (this.output.send(response, context, this.onTakeover) === 'sent') this.finish(exchange);
  }

  private becomeStream(exchange: Http1Exchange, onDrain: (drain: DrainNotice) => void): void {
    exchange.onDrain = onDrain;
    this.connection.activity = 'stream';
    if (this.draining) queueMicrotask(() => this.tellDrain());
  }

  /** Tells the stream that runs here, if there is one, that it will be cut off. */
  private tellDrain(): void {
    if (this.draining) (this.exchange ?? this.takenOver)?.tellDrain(this.connection.service.streamGraceMs);
  }

  private streamed(error: Error | null, untilClose: boolean): void {
    const { exchange } = this;
    if (exchange === null) return;
    if (untilClose) exchange.persist = false;
    if (error === null) this.finish(exchange);
    else this.break(exchange, error);
  }

  /** Ends a connection in the middle of an answer, so that the client sees it. */
  private break(exchange: Http1Exchange, error: unknown): void {
    const { request } = exchange;
    if (request !== null && !this.socket.destroyed) reportFailure(error, request);
    this.release(exchange);
    this.connection.reset(this.connection.reason ?? 'response-broken');
  }

  private finish(exchange: Http1Exchange): void {
    this.release(exchange);
    if (this.closing) return;
    if (!exchange.persist) this.shutdown(lastReason(exchange, this.intake, this.draining));
    else if (this.intake.broken) this.shutdown('bad-request');
    else if (this.intake.inBody) {
      this.sinceMs = this.nowMs;
      this.intake.discardRest();
    } else this.rest();
  }

  private release(exchange: Http1Exchange): void {
    if (exchange.stage === 'done') return;
    exchange.stage = 'done';
    this.exchange = null;
    exchange.conclude();
    if (ended.heard) {
      const { method, target, status, sinceMs } = exchange;
      const durationMs = this.connection.service.clock.now() - sinceMs;
      ended.publish({ connectionId: this.connection.id, method, target, status, durationMs });
    }
  }

  /** Between two requests. */
  private rest(): void {
    this.connection.activity = 'idle';
    this.sinceMs = this.nowMs;
    if (!this.receiving) this.goOn();
  }

  private goOn(): void {
    const ahead = this.intake.takeAhead();
    this.intake.proceed();
    if (ahead !== null) this.receive(ahead);
    if (this.intake.ended && !this.busy && !this.lingering) this.shutdown('client-closed');
  }

  private handOver(take: Takeover): void {
    const { exchange } = this;
    if (exchange === null) return;
    this.release(exchange);
    this.connection.activity = 'stream';
    this.takenOver = exchange;
    this.socket.off('data', this.onData).off('end', this.onEnd).off('drain', this.onDrain);
    this.socket.pause();
    // Neither flowing nor paused on purpose, as Node hands a socket over: it begins to flow when somebody listens.
    Reflect.set(this.socket, 'readableFlowing', null);
    this.handOn = () => {
      try {
        take(this.socket, this.intake.takeAhead() ?? NO_BYTES);
        this.connection.reason ??= 'taken-over';
        this.tellDrain();
      } catch (error) {
        this.break(exchange, error);
      }
    };
    // What else is in the chunk being taken comes first: it belongs to the new owner.
    if (!this.receiving) this.handOn();
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers what is not a request, and closes. */
  private refuse(failure: Failure, reason: CloseReason): void {
    if (refused.heard) {
      const { id, peer } = this.connection;
      refused.publish({ connectionId: id, peer: peer.address, code: failure.code, status: failure.status });
    }
    const date = this.connection.service.date.at(this.nowMs);
    const context = { method: 'GET', minorVersion: 1, persist: false, date } as const;
    this.output.send(statusResponse(failure), context, () => undefined);
    this.shutdown(reason);
  }

  /** FIN after the last answer; reads on for a while, so that a reset does not overtake it (RFC 9112 §9.6). */
  private shutdown(reason: CloseReason): void {
    if (this.lingering) return;
    this.lingering = true;
    this.sinceMs = this.nowMs;
    this.connection.reason ??= reason;
    this.output.end();
    this.socket.resume();
  }

  sweep(nowMs: number): void {
    this.nowMs = nowMs;
    if (this.handOn !== null) {
      if (this.stalled(nowMs)) this.connection.reset('write-stall');
      return;
    }
    // The linger begins when the last answer has been taken: a slow reader is not cut off in the middle of it.
    if (this.lingering && !this.socket.writableFinished) this.sinceMs = nowMs;
    if (this.lingering && nowMs - this.sinceMs >= LINGER_MS) this.socket.destroy();
    else if (this.stalled(nowMs)) this.connection.reset('write-stall');
    else if (this.lingering) return;
    else if (this.exchange !== null) this.sweepExchange(this.exchange, nowMs);
    else if (this.intake.inBody) {
      if (this.intake.tooSlow(nowMs)) this.shutdown('request-timeout');
    } else if (this.intake.inHead) {
      if (passed(this.sinceMs, this.limits.headTimeoutMs, nowMs) || this.intake.tooSlow(nowMs)) {
        this.refuse(new Failure('head-timeout'), 'request-timeout');
      }
    } else if (passed(Math.max(this.sinceMs, this.drainedAtMs), this.connection.service.quietMs, nowMs)) {
      // The quiet window of a connection that has just been told it may stay begins when it comes to rest.
      this.shutdown('drained-idle');
    } else if (passed(this.sinceMs, this.limits.idleTimeoutMs, nowMs)) this.shutdown('idle-timeout');
  }

  /** The peer takes none of what it is sent, whoever sends it. */
  private stalled(nowMs: number): boolean {
    return this.stall.stalled(this.connection, nowMs, this.limits.writeStallTimeoutMs);
  }

  private sweepExchange(exchange: Http1Exchange, nowMs: number): void {
    if (this.intake.inBody && this.intake.tooSlow(nowMs)) this.intake.break(new Failure('body-timeout'));
    if (exchange.stage !== 'handling') return;
    if (passed(exchange.sinceMs, this.limits.handlerTimeoutMs, nowMs)) {
      const failure = new Failure('handler-timeout');
      exchange.abort(failure);
      this.respond(exchange, statusResponse(failure));
    } else if (
      this.intake.ended &&
      exchange.head.minorVersion === 1 &&
      passed(this.sinceMs, this.probeAfterMs, nowMs)
    ) {
      // FIN alone does not tell a client that waits from one that is gone. A needless 100 is ignored by the one
      // (RFC 9110 §15.2.1) and answered with a reset by the other; the next write meets it, and the request is aborted.
      this.probeAfterMs += this.probeAfterMs === HALF_CLOSE_PROBE_MS ? PROBE_ECHO_MS : this.probeAfterMs;
      this.output.text(CONTINUE);
    }
  }

  drain(): void {
    const nowMs = this.connection.service.clock.now();
    this.drainedAtMs = nowMs;
    this.tellDrain();
    this.sweep(nowMs);
  }

  abort(failure: Failure, share: WorkShare): void {
    const isStream = this.connection.activity === 'stream';
    if (share === 'all' || isStream === (share === 'streams')) this.exchange?.abort(failure);
  }

  closed(): void {
    const { exchange } = this;
    if (exchange === null) return;
    const failure = new Failure('client-gone');
    exchange.abort(failure);
    this.output.abort(failure);
    this.release(exchange);
  }

  inFlight(): readonly RequestInFlight[] {
    return this.exchange === null || this.exchange.admission === null ? [] : [this.exchange];
  }
}
