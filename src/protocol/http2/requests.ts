import { answer, reportFailure, statusResponse } from '../../core/answer.ts';
import { passed } from '../../core/deadlines.ts';
import { channel } from '../../core/events.ts';
import { Failure } from '../../core/failure.ts';
import { discardBody, type HttpResponse, type InformationalResponse } from '../../core/message.ts';
import { HttpRequest } from '../../core/request.ts';
import type { Activity, Connection, RequestInFlight, WorkShare } from '../../core/runner.ts';
import { StreamError } from './error.ts';
import { type ExchangeOwner, Http2Exchange } from './exchange.ts';
import { PREMATURE_MAX_MS, RIPE_RESET_COUNT } from './guard.ts';
import type { Block } from './inbound.ts';
import type { Http2Limits } from './options.ts';
import type { RequestHead } from './request-head.ts';
import { ResponseWriter } from './response.ts';
import type { Session } from './session.ts';
import { StreamBudget } from './stream-budget.ts';
import { Http2Tunnel } from './tunnel.ts';

const started = channel('request:start');
const ended = channel('request:end');
const refused = channel('request:refuse');

/** A body up to this size is waited for within one read, so that its handler has it whole. */
const AWAITED_MAX_BYTES = 65_536;
const ANSWERED = new TypeError('the request is answered already');

/** The requests of one connection, from their heads to the end of their answers. */
export class Requests implements ExchangeOwner {
  /** Requests that have begun since the connection was opened. */
  count = 0;
  private readonly connection: Connection;
  private readonly session: Session;
  private readonly limits: Http2Limits;
  private readonly writer: ResponseWriter;
  private readonly budget: StreamBudget;
  private readonly exchanges = new Map<number, Http2Exchange>();
  /** Their bodies are under way in the read that is being taken: they begin when it is here, or the read is over. */
  private readonly awaited = new Set<Http2Exchange>();
  private streamCount = 0;
  /** Handlers that still run for streams that are gone. */
  private orphanCount = 0;

  constructor(connection: Connection, session: Session, limits: Http2Limits) {
    this.connection = connection;
    this.session = session;
    this.limits = limits;
    this.writer = new ResponseWriter(session);
    this.budget = new StreamBudget(session.options);
  }

  get activity(): Activity {
    if (this.exchanges.size === 0) return 'idle';
    return this.exchanges.size > this.streamCount ? 'in-flight' : 'stream';
  }

  // ── a request ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** A request has come. Throws a StreamError when it is malformed or refused. */
  begin({ streamId, endStream }: Block, head: RequestHead): void {
    const { session, connection, limits } = this;
    const { lengthBytes, priority } = head.section;
    if (endStream && lengthBytes !== null && lengthBytes > 0) {
      throw new StreamError('PROTOCOL_ERROR', 'the body does not fit its content-length');
    }
    // Who resets streams does not get more handlers to run than who lets them end.
    const refusal = this.orphanCount >= session.options.streamMaxCount ? 'shared' : this.budget.acquire();
    if (refusal !== null) {
      // The client knows its own limit, and no other.
      if (refusal === 'own') session.guard.spend('refusals', session.nowMs);
      session.refuse(streamId, 'REFUSED_STREAM');
      return;
    }
    this.count += 1;
    const stream = session.open(streamId);
    session.startPriority(stream, priority);
    const rate = head.tunnel ? null : limits.dataRateMinBytesPerSec;
    const body = endStream ? null : stream.expectBody(lengthBytes, head.tunnel ? null : limits.bodyMaxBytes, rate);
    const exchange = new Http2Exchange(head, stream, head.tunnel ? null : body, session.nowMs, connection.id, this);
    stream.observer = exchange;
    this.exchanges.set(streamId, exchange);
    connection.activity = this.activity;
    if (endStream) session.endRemote(stream, null);
    const awaits = exchange.body !== null && lengthBytes !== null && lengthBytes <= AWAITED_MAX_BYTES;
    if (awaits && !exchange.expectsContinue) this.awaited.add(exchange);
    else this.run(exchange);
  }

  /** A body has ended: who has waited for it begins. */
  bodyEnded(streamId: number): void {
    const exchange = this.exchanges.get(streamId);
    if (exchange !== undefined && this.awaited.has(exchange)) this.run(exchange);
  }

  /** What was read is taken. */
  readEnded(): void {
    if (this.awaited.size > 0) for (const exchange of [...this.awaited]) this.run(exchange);
  }

  private run(exchange: Http2Exchange): void {
    const { connection } = this;
    const { head, body } = exchange;
    const { method, target, authority, section } = head;
    this.awaited.delete(exchange);
    const request = new HttpRequest(
      method,
      target,
      authority,
      'HTTP/2',
      section.fields,
      connection.peer,
      body,
      exchange,
    );
    exchange.request = request;
    const fault = head.fault ?? (method === 'TRACE' ? new Failure('method-refused') : this.expectationFault(head));
    if (fault !== null) {
      if (refused.heard) {
        refused.publish({
          connectionId: connection.id,
          peer: connection.peer.address,
          code: fault.code,
          status: fault.status,
        });
      }
      this.respond(exchange, statusResponse(fault));
      return;
    }
    if (started.heard) started.publish({ connectionId: connection.id, method, target });
    exchange.admission = connection.service.admit();
    if (exchange.admission === null) this.respond(exchange, statusResponse(new Failure('request-budget-exceeded')));
    else answer(exchange.admission.handler, request, (response) => this.respond(exchange, response));
  }

  private expectationFault({ section }: RequestHead): Failure | null {
    const { expect } = section;
    return expect === null || expect.toLowerCase() === '100-continue' ? null : new Failure('expectation-failed');
  }

  // ── its answer ────────────────────────────────────────────────────────────────────────────────────────────────

  inform(exchange: Http2Exchange, response: InformationalResponse): void {
    this.writer.inform(exchange.stream, response);
  }

  private respond(exchange: Http2Exchange, response: HttpResponse): void {
    if (exchange.stage !== 'handling') {
      if (exchange.orphaned) this.orphanCount -= 1;
      exchange.orphaned = false;
      discardBody(response.body);
      return;
    }
    exchange.deliver(response, this);
  }

  send(exchange: Http2Exchange, response: HttpResponse): void {
    const { service, life } = this.connection;
    const echoes = exchange.body !== null && response.body === exchange.body;
    if (echoes) exchange.onBodyWanted();
    if (response.onDrain !== undefined || response.takeover !== undefined) this.becomeStream(exchange, response);
    const date = service.date.at(service.clock.now());
    this.writer.send(
      exchange,
      response,
      date,
      (error) => this.break(exchange, error),
      () => this.handOver(exchange, response),
    );
    if (exchange.onDrain !== null && life.phase !== 'accepting') queueMicrotask(() => this.tellDrain(exchange));
  }

  private becomeStream(exchange: Http2Exchange, { onDrain }: HttpResponse): void {
    exchange.onDrain = onDrain ?? null;
    if (!exchange.longLived) this.streamCount += 1;
    exchange.longLived = true;
    this.connection.activity = this.activity;
  }

  private handOver(exchange: Http2Exchange, { takeover }: HttpResponse): void {
    const { stream } = exchange;
    const tunnel = new Http2Tunnel(stream, (code) => this.session.reset(stream, code));
    exchange.tunnel = tunnel;
    this.release(exchange);
    try {
      takeover?.(tunnel, NO_BYTES);
    } catch (error) {
      this.break(exchange, error);
    }
  }

  /** Ends a stream in the middle of an answer, so that the client sees it. */
  private break(exchange: Http2Exchange, error: unknown): void {
    if (exchange.request !== null) reportFailure(error, exchange.request);
    this.session.reset(exchange.stream, 'INTERNAL_ERROR');
  }

  answeredEarly(exchange: Http2Exchange): void {
    const { body } = exchange;
    // Not cancelled: who still reads it would wait for ever.
    if (body !== null && !body.complete) body.fail(ANSWERED);
    // RFC 9113 §8.1: the client need not send the rest.
    this.session.reset(exchange.stream, 'NO_ERROR');
  }

  /** What it counts that the client resets a stream. */
  resetCount(streamId: number): number {
    const exchange = this.exchanges.get(streamId);
    if (exchange === undefined) return 1;
    const ageMs = this.session.nowMs - exchange.sinceMs;
    const ripe = ageMs > 0 && (ageMs >= PREMATURE_MAX_MS || exchange.stage !== 'handling');
    return ripe ? RIPE_RESET_COUNT : 1;
  }

  over(exchange: Http2Exchange, code: string | null, byPeer: boolean): void {
    if (exchange.stage === 'done') return;
    const { connection } = this;
    // A client that lets streams end may reset some, and those that it does not know to have ended.
    if (!byPeer) this.session.guard.earn('resets', 1);
    if (code === null) this.session.guard.earn('stalls', 1);
    // One that is answered whole has lost nothing by the end of its stream.
    const unfinished = code !== null && (!exchange.stream.localEnded || exchange.tunnel !== null);
    if (unfinished) {
      if (exchange.stage === 'handling' && !this.awaited.delete(exchange)) {
        exchange.orphaned = true;
        this.orphanCount += 1;
      }
      exchange.abort(new Failure('client-gone'));
    }
    if (unfinished) exchange.tunnel?.cut();
    exchange.stage = 'done';
    this.exchanges.delete(exchange.streamId);
    if (exchange.longLived) this.streamCount -= 1;
    this.budget.release();
    if (exchange.tunnel === null) this.release(exchange);
    connection.activity = this.activity;
  }

  /** The request is over. What a tunnel does from then on is no part of it. */
  private release(exchange: Http2Exchange): void {
    exchange.conclude();
    exchange.admission = null;
    if (exchange.request === null || !ended.heard) return;
    const { method, target, status, sinceMs } = exchange;
    const { id, service } = this.connection;
    ended.publish({ connectionId: id, method, target, status, durationMs: service.clock.now() - sinceMs });
  }

  // ── deadlines and drains ──────────────────────────────────────────────────────────────────────────────────────

  sweep(nowMs: number): void {
    for (const exchange of this.exchanges.values()) this.sweepExchange(exchange, nowMs);
  }

  private sweepExchange(exchange: Http2Exchange, nowMs: number): void {
    const { stream } = exchange;
    const { handlerTimeoutMs, writeStallTimeoutMs } = this.limits;
    if (stream.tooSlow(nowMs)) exchange.body?.fail(new Failure('body-timeout'));
    if (exchange.stage === 'handling') {
      if (!passed(exchange.sinceMs, handlerTimeoutMs, nowMs)) return;
      const failure = new Failure('handler-timeout');
      exchange.abort(failure);
      this.respond(exchange, statusResponse(failure));
    } else if (passed(stream.shutSinceMs ?? nowMs, writeStallTimeoutMs, nowMs)) {
      this.session.guard.spend('stalls', nowMs);
      this.session.reset(stream, 'CANCEL');
    }
  }

  drain(): void {
    for (const exchange of this.exchanges.values()) this.tellDrain(exchange);
  }

  private tellDrain(exchange: Http2Exchange): void {
    exchange.tellDrain(this.connection.service.streamGraceMs);
  }

  abort(failure: Failure, share: WorkShare): void {
    for (const exchange of this.underWay(share)) exchange.abort(failure);
  }

  /** Resets the streams of a share. Returns how many requests that were; `null` when there was nothing to cut off. */
  cutOff(share: WorkShare): number | null {
    const concerned = this.underWay(share);
    if (concerned.length === 0) return null;
    const requestCount = concerned.filter(({ admission }) => admission !== null).length;
    for (const { stream } of concerned) this.session.reset(stream, 'CANCEL');
    return requestCount;
  }

  underWay(share: WorkShare): readonly Http2Exchange[] {
    return [...this.exchanges.values()].filter(
      ({ longLived }) => share === 'all' || longLived === (share === 'streams'),
    );
  }

  inFlight(): readonly RequestInFlight[] {
    return [...this.exchanges.values()].filter(({ admission }) => admission !== null);
  }
}

const NO_BYTES = Buffer.alloc(0);
