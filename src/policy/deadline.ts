/** When a request must be over that began at `startMs`; Infinity when `totalMs` is `null`. */
export function deadlineAt(startMs: number, totalMs: number | null): number {
  return totalMs === null ? Number.POSITIVE_INFINITY : startMs + totalMs;
}

/** What is left until the deadline: 0 when it is past, Infinity when there is none. */
export function remainingMs(deadlineMs: number, nowMs: number): number {
  return Math.max(0, deadlineMs - nowMs);
}

/** How long one attempt may take: `perTryMs`, never more than what is left; Infinity when neither limits it. */
export function attemptMs(deadlineMs: number, perTryMs: number | null, nowMs: number): number {
  return Math.min(remainingMs(deadlineMs, nowMs), perTryMs ?? Number.POSITIVE_INFINITY);
}

/** Whether after a wait of `waitMs` there is time left, at least `neededMs`, for another attempt. */
export function hasTimeFor(deadlineMs: number, waitMs: number, neededMs: number, nowMs: number): boolean {
  const leftMs = deadlineMs - nowMs - waitMs;
  return leftMs > 0 && leftMs >= neededMs;
}

/** How the remaining time is written in a header: plain milliseconds, or as gRPC does. */
export type TimeoutFormat = 'ms' | 'grpc';

/** The units of `grpc-timeout` in milliseconds, the finest first (gRPC over HTTP/2, "Timeout"). */
const GRPC_UNITS: ReadonlyMap<string, number> = new Map([
  ['n', 1e-6],
  ['u', 1e-3],
  ['m', 1],
  ['S', 1000],
  ['M', 60_000],
  ['H', 3_600_000],
]);
/** At most eight digits. */
const GRPC_VALUE_MAX = 99_999_999;
const GRPC_TIMEOUT = /^(\d{1,8})([numSMH])$/;
const PLAIN_TIMEOUT = /^\d{1,15}$/;

/** The milliseconds in the value of a header; `null` when it is not of that format, which is to be read as no deadline. */
export function parseTimeout(value: string, format: TimeoutFormat): number | null {
  if (format === 'ms') return PLAIN_TIMEOUT.test(value) ? Number(value) : null;
  const [, digits, unit = ''] = GRPC_TIMEOUT.exec(value) ?? [];
  const unitMs = GRPC_UNITS.get(unit);
  return digits === undefined || unitMs === undefined ? null : Number(digits) * unitMs;
}

/**
 * The value of a header that says `leftMs` or a little less, never more; `null` when there is no deadline. Plain
 * milliseconds are whole; of gRPC's units, from milliseconds up, the finest one is taken that holds it.
 */
export function formatTimeout(leftMs: number, format: TimeoutFormat): string | null {
  if (!Number.isFinite(leftMs)) return null;
  const wholeMs = Math.max(0, Math.floor(leftMs));
  if (format === 'ms') return `${wholeMs}`;
  for (const [unit, unitMs] of GRPC_UNITS) {
    const value = Math.floor(wholeMs / unitMs);
    if (unitMs >= 1 && value <= GRPC_VALUE_MAX) return `${value}${unit}`;
  }
  return `${GRPC_VALUE_MAX}H`;
}
