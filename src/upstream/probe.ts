import type { Duplex } from 'node:stream';
import { type BodySink, IncomingBody } from '../core/body.ts';
import type { ClientConnection, ClientConnectionOwner, OutgoingRequest, ResponseObserver } from '../core/client.ts';
import type { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import type { Protocol } from '../core/request.ts';
import type { ProbeResult } from '../policy/health.ts';
import type { Attempt, Dial, Dialled, DialObserver } from './dial.ts';
import type { Endpoint } from './endpoint.ts';
import type { ProbePlan } from './probe-options.ts';

/** How much of a body is looked at. */
const BODY_MAX_BYTES = 65_536;

/** `why`: what was wrong, for the operator; `null` when nothing was. */
export type OnProbed = (result: ProbeResult, why: string | null) => void;

/** One question to one endpoint, on a connection of its own. It ends once, unless it is cancelled. */
export class Probe implements DialObserver, ClientConnectionOwner, OutgoingRequest, ResponseObserver, BodySink {
  readonly sinceMs: number;
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: HeaderFields;
  readonly body = null;
  readonly upgrade = null;
  readonly deadlineMs = null;
  readonly expectContinue = false;
  readonly holdsBytes = false;
  private readonly plan: ProbePlan;
  private readonly onProbed: OnProbed;
  private readonly attempt: Attempt;
  private connection: ClientConnection | null = null;
  private readonly chunks: Buffer[] = [];
  private heldBytes = 0;
  /** The endpoint has said so of itself. */
  private degraded = false;
  private done = false;

  constructor(endpoint: Endpoint, plan: ProbePlan, dial: Dial, sinceMs: number, onProbed: OnProbed) {
    const { options } = plan;
    this.plan = plan;
    this.onProbed = onProbed;
    this.sinceMs = sinceMs;
    this.method = options.method;
    this.target = options.path;
    this.authority = options.host ?? endpoint.address.authority;
    this.headers = plan.headers;
    this.attempt = dial(endpoint, this);
  }

  /** Ends it without a verdict. */
  cancel(): void {
    if (this.done) return;
    this.done = true;
    this.hangUp();
  }

  /** Its time is over. */
  expire(): void {
    this.conclude('fail', `no ${this.connection === null ? 'connection' : 'answer'} in time`);
  }

  trailers(): null {
    return null;
  }

  // ── the connection ────────────────────────────────────────────────────────────────────────────────────────────

  onConnected(dialled: Dialled): void {
    if (this.done) return;
    if (this.plan.options.kind === 'tcp') {
      this.conclude('pass', null);
      return;
    }
    this.connection = dialled.open(this, true);
    this.connection.send(this, this);
  }

  onFailed(failure: Failure): void {
    this.conclude('fail', told(failure));
  }

  onFree(): void {}

  onClose(): void {}

  // ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────

  onInform(): void {}

  onResponse(status: number, _protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void {
    const { degradedHeader } = this.plan.options;
    if (!this.plan.expects(status)) {
      this.conclude('fail', `it has answered ${status}`);
      return;
    }
    this.degraded = degradedHeader !== null && headers.has(degradedHeader);
    if (body instanceof IncomingBody) {
      body.liftDefaultLimit();
      body.consume(this);
      return;
    }
    if (body !== null) this.hold(body);
    this.judge();
  }

  /** Nothing was asked for. */
  onUpgrade(status: number, _headers: HeaderFields, socket: Duplex): void {
    socket.destroy();
    this.conclude('fail', `it has answered ${status}`);
  }

  onFail(failure: Failure): void {
    this.conclude('fail', told(failure));
  }

  write(chunk: Uint8Array): boolean {
    this.hold(chunk);
    if (this.heldBytes >= BODY_MAX_BYTES) this.judge();
    return true;
  }

  end(): void {
    this.judge();
  }

  fail(error: Error): void {
    this.conclude('fail', told(error));
  }

  // ── the verdict ───────────────────────────────────────────────────────────────────────────────────────────────

  private hold(chunk: Uint8Array): void {
    const room = BODY_MAX_BYTES - this.heldBytes;
    if (room <= 0 || this.plan.options.expectBody === null) {
      this.heldBytes += chunk.length;
      return;
    }
    // The bytes are the connection's, and last only for now.
    const kept = Buffer.from(chunk.subarray(0, room));
    this.chunks.push(kept);
    this.heldBytes += kept.length;
  }

  private judge(): void {
    const { expectBody } = this.plan.options;
    const fits = expectBody === null || Buffer.concat(this.chunks).includes(expectBody);
    if (!fits) this.conclude('fail', 'its answer does not contain what is expected');
    else if (this.degraded) this.conclude('degraded', 'it says so');
    else this.conclude('pass', null);
  }

  private conclude(result: ProbeResult, why: string | null): void {
    if (this.done) return;
    this.done = true;
    this.hangUp();
    this.onProbed(result, why);
  }

  private hangUp(): void {
    if (this.connection === null) this.attempt.cancel();
    else this.connection.close('closed');
  }
}

/** In the words of the system, where it has any: `connect ECONNREFUSED 127.0.0.1:3000`. */
function told(error: Error): string {
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
