import { z } from 'zod';
import { BODY_LIMIT_DEFAULTS } from '../../web/layers/body-limit.ts';
import { REQUEST_ID_DEFAULTS } from '../../web/layers/request-id.ts';
import { TIMEOUT_DEFAULTS } from '../../web/layers/timeout.ts';
import { concurrencyLimit, loadShedding, rateLimit, requestClass } from './limits.ts';
import { bytes, fieldName, milliseconds, offable, setting } from './unit.ts';

/** What requests pass through: the library's layers by their names. */
export const layer = z
  .strictObject({
    requestId: setting(
      z.strictObject({
        header: setting(fieldName, 'The field that an id comes in and goes out by.', REQUEST_ID_DEFAULTS.header),
        trusted: setting(
          z.boolean(),
          'Take the id of the client over. Only behind a proxy that sets it.',
          REQUEST_ID_DEFAULTS.trusted,
        ),
        idMaxBytes: setting(bytes, 'A longer id is not taken over.', REQUEST_ID_DEFAULTS.idMaxBytes),
      }),
      'Gives each request an id that is unique anywhere, for logs, and tells it in a response header.',
    ),
    timeout: setting(
      z.strictObject({
        totalMs: setting(milliseconds, 'From the call to the answer. Over it: 504.', TIMEOUT_DEFAULTS.totalMs),
      }),
      'Answers 504 when an answer takes too long, and aborts the work for it.',
    ),
    bodyLimit: setting(
      z.strictObject({
        maxBytes: offable(bytes, 'The request body. Over it: 413.', BODY_LIMIT_DEFAULTS.maxBytes),
      }),
      "Another limit on request bodies than the listener's `bodyMaxBytes`, lower or higher.",
    ),
    requestClass,
    rateLimit,
    concurrencyLimit,
    loadShedding,
    accessLog: setting(z.strictObject({}), 'One log line for each request of this route; see also `logs.access`.'),
  })
  .refine((names) => Object.keys(names).length === 1, {
    error: 'one layer in each entry of the list',
    // A misspelt name is one mistake, not also none of the layers.
    when: ({ issues }) => issues.length === 0,
  })
  .meta({ description: 'One layer in each entry of the list.', minProperties: 1, maxProperties: 1 });
