import { FAULTS } from '../../core/failure.ts';
import { HeaderFields } from '../../core/headers.ts';
import type { HttpResponse } from '../../core/message.ts';
import { retryAfterField } from '../../policy/rate/fields.ts';
import { reply } from '../reply.ts';

/** The answer to a request that is over a rate. Not a `Failure`: its stack trace would cost more than the request is worth. */
export function rateRefusal(retryAfterMs: number, limitFields: string): HttpResponse {
  const { status, what } = FAULTS['rate-limited'];
  const retryAfter = retryAfterField(retryAfterMs);
  const retryLine = retryAfter === null ? '' : `retry-after: ${retryAfter}\r\n`;
  const text = `content-type: text/plain; charset=utf-8\r\n${retryLine}${limitFields}`;
  return { status, headers: HeaderFields.fromText(text), body: `${what}\n` };
}

/** The answer that a layer gives while there is too much to do. It is made once: under overload it must cost nothing. */
export function overloadRefusal(retryAfterMs: number): HttpResponse {
  const { status, what } = FAULTS.overloaded;
  const retryAfter = retryAfterField(retryAfterMs) ?? '';
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'retry-after': retryAfter };
  return reply.fixed({ status, headers, body: `${what}\n` });
}
