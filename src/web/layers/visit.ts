import type { Clock, ClockTimer } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import { HeaderFields } from '../../core/headers.ts';
import type { HttpResponse } from '../../core/message.ts';
import type { HttpRequest } from '../../core/request.ts';
import type { ConcurrencyOutcome } from '../../policy/concurrency/limiter.ts';

/** Where a visit comes from and goes back to. */
export interface VisitOwner {
  readonly clock: Clock;
  /** The time, where it matters how long requests take; else 0. */
  now(): number;
  /** How long a handler that goes on for nobody keeps its place; `null` is until it has ended. */
  readonly abandonMs: number | null;
  /** A request gives its place back, `nowMs` by `now()`; called once for each. */
  leave(rttMs: number, outcome: ConcurrencyOutcome, nowMs: number): void;
}

/** One admitted request whose answer takes time. It leaves exactly once, whatever happens. */
export class Visit {
  private readonly owner: VisitOwner;
  private readonly request: HttpRequest;
  private readonly sinceMs: number;
  private failure: Failure | null = null;
  private left = false;
  private patience: ClockTimer | null = null;

  constructor(owner: VisitOwner, request: HttpRequest, sinceMs: number) {
    this.owner = owner;
    this.request = request;
    this.sinceMs = sinceMs;
  }

  /** Follows a handler that has not answered yet. */
  follow(answer: Promise<HttpResponse>): Promise<HttpResponse> {
    this.request.onAbort((failure) => this.abort(failure));
    return answer.then(
      (response) => {
        this.end(response);
        return response;
      },
      (error: unknown) => {
        this.leaveNow(this.failure === null ? outcomeOfError(error) : outcomeOfAbort(this.failure));
        throw error;
      },
    );
  }

  /** The answer is there; the visit ends with it, or with its body where that is still to come. */
  end(response: HttpResponse): void {
    const nowMs = this.owner.now();
    const rttMs = nowMs - this.sinceMs;
    try {
      const outcome = this.failure === null ? outcomeOf(response) : outcomeOfAbort(this.failure);
      if (endsWithHead(response)) this.leave(rttMs, outcome, nowMs);
      else this.request.onDone(() => this.leave(rttMs, outcome, this.owner.now()));
    } catch {
      // A handler that forgot to return, or a response that cannot be read: the engine says so to the client.
      this.leave(rttMs, 'ignored', nowMs);
    }
  }

  /** The request has ended early, and its handler was told so. Usually it ends at once; one that does not is waited for. */
  private abort(failure: Failure): void {
    this.failure = failure;
    const { abandonMs, clock } = this.owner;
    if (this.left || abandonMs === null) return;
    // Not `after`: a handler that hangs must not keep the process alive.
    this.patience = clock.every(abandonMs, () => this.leaveNow(outcomeOfAbort(failure)));
  }

  private leaveNow(outcome: ConcurrencyOutcome): void {
    const nowMs = this.owner.now();
    this.leave(nowMs - this.sinceMs, outcome, nowMs);
  }

  private leave(rttMs: number, outcome: ConcurrencyOutcome, nowMs: number): void {
    this.patience?.cancel();
    if (this.left) return;
    this.left = true;
    this.owner.leave(rttMs, outcome, nowMs);
  }
}

/** A body that is whole costs nothing more than to be sent, and what has become a long-lived stream is no load like others. */
function endsWithHead({ body, headers, takeover, onDrain }: HttpResponse): boolean {
  if (body === null || body === undefined || typeof body === 'string' || body instanceof Uint8Array) return true;
  if (takeover !== undefined || onDrain !== undefined) return true;
  // An upstream's events, which we only pass on.
  return HeaderFields.from(headers).get('content-type')?.startsWith('text/event-stream') === true;
}

/** What an answer says about the load: 503 and 504 are overload, and the time of other faults, of refusals and of streams nothing. */
export function outcomeOf({ status, takeover, onDrain }: HttpResponse): ConcurrencyOutcome {
  if (takeover !== undefined || onDrain !== undefined) return 'ignored';
  return outcomeOfStatus(status);
}

/** The same for what was thrown. */
export function outcomeOfError(error: unknown): ConcurrencyOutcome {
  return error instanceof Failure ? outcomeOfStatus(error.status) : 'ignored';
}

function outcomeOfStatus(status: number): ConcurrencyOutcome {
  if (status === 503 || status === 504) return 'dropped';
  return status >= 499 || status === 429 ? 'ignored' : 'success';
}

function outcomeOfAbort({ code }: Failure): ConcurrencyOutcome {
  return code === 'handler-timeout' ? 'dropped' : 'ignored';
}
