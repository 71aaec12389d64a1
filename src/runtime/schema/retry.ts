import { z } from 'zod';
import { JITTERS, RETRY_CAUSES, RETRY_DEFAULTS, type RetryOptions, retryOptions } from '../../upstream/retry.ts';
import { bytes, consistent, count, milliseconds, millisecondsOrNone, offable, perSec, ratio, setting } from './unit.ts';

const CAUSES = `one of ${RETRY_CAUSES.join(', ')}`;

const options = {
  attemptMaxCount: setting(count, 'Attempts for one request, the first counted.', RETRY_DEFAULTS.attemptMaxCount),
  on: setting(
    z.array(z.literal([...RETRY_CAUSES], CAUSES)),
    `What is tried again: \`connect\` (not reached), \`refused\` (refused unseen), \`reset\` (the connection ended before an answer), \`timeout\` (no answer in time), or a status. Default: \`[${RETRY_DEFAULTS.on.join(', ')}]\`.`,
  ),
  perTryTimeoutMs: offable(
    milliseconds,
    'From the end of the request to the head of its answer, for each attempt.',
    RETRY_DEFAULTS.perTryTimeoutMs,
  ),
  hedgeAfterMs: offable(
    millisecondsOrNone,
    'An attempt that takes longer to the head of its answer gets another one beside it, at another endpoint; the first answer wins.',
    RETRY_DEFAULTS.hedgeAfterMs,
  ),
  budgetRatio: setting(
    ratio,
    'Attempts beyond the first, as a share of the requests of the last ten seconds.',
    RETRY_DEFAULTS.budgetRatio,
  ),
  budgetMinPerSec: offable(
    perSec,
    'So many of them are allowed besides. `null`: none.',
    RETRY_DEFAULTS.budgetMinPerSec,
  ),
  replayMaxBytes: setting(
    bytes,
    'A request body of a known length up to this is awaited before it is sent, and so much of any other is kept, to be sent again.',
    RETRY_DEFAULTS.replayMaxBytes,
  ),
  backoffMs: setting(
    millisecondsOrNone,
    'The first wait before the same endpoints are asked once more is up to this; each further one up to twice as long.',
    RETRY_DEFAULTS.backoffMs,
  ),
  backoffMaxMs: setting(millisecondsOrNone, 'No wait is longer.', RETRY_DEFAULTS.backoffMaxMs),
  jitter: setting(
    z.enum(JITTERS),
    'How a wait is drawn. `full`: anything up to its limit. `decorrelated`: from `backoffMs` to three times the last one.',
    RETRY_DEFAULTS.jitter,
  ),
  retryAfterMaxMs: setting(
    millisecondsOrNone,
    'A longer `retry-after` is not waited for: the answer goes to the client.',
    RETRY_DEFAULTS.retryAfterMaxMs,
  ),
} satisfies Record<keyof RetryOptions, z.ZodType>;

/** How requests that fail are sent again. */
export const retry = consistent(z.strictObject(options), retryOptions);
