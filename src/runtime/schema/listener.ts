import { z } from 'zod';
import { HTTP1_DEFAULTS, type Http1Limits } from '../../protocol/http1/options.ts';
import { bytes, bytesPerSec, count, milliseconds, offable, required, setting, text } from './unit.ts';

const http1Limits = {
  headMaxBytes: setting(
    bytes,
    'Request line and headers up to and with the empty line. Over it: 431, close.',
    HTTP1_DEFAULTS.headMaxBytes,
  ),
  headerMaxCount: setting(count, 'Header lines in a request. Over it: 431, close.', HTTP1_DEFAULTS.headerMaxCount),
  targetMaxBytes: setting(bytes, 'The request target. Over it: 414, close.', HTTP1_DEFAULTS.targetMaxBytes),
  bodyMaxBytes: offable(
    bytes,
    'The request body. Over it: 413, before anything is read where the length says so. A proxied route streams and has no limit.',
    HTTP1_DEFAULTS.bodyMaxBytes,
  ),
  headTimeoutMs: offable(
    milliseconds,
    'From the first byte of a request to the end of its head. Over it: 408, close.',
    HTTP1_DEFAULTS.headTimeoutMs,
  ),
  idleTimeoutMs: offable(
    milliseconds,
    'Waiting for the first or the next request of a connection. Over it: the connection is closed.',
    HTTP1_DEFAULTS.idleTimeoutMs,
  ),
  dataRateMinBytesPerSec: offable(
    bytesPerSec,
    'The least a client must send while its request is being read, averaged, after the first second. Below it: 408, close.',
    HTTP1_DEFAULTS.dataRateMinBytesPerSec,
  ),
  writeStallTimeoutMs: offable(
    milliseconds,
    'A client that takes no byte of an answer for this long is cut off.',
    HTTP1_DEFAULTS.writeStallTimeoutMs,
  ),
  requestsPerConnectionMaxCount: offable(
    count,
    'The last request that a connection may carry is answered with `connection: close`.',
    HTTP1_DEFAULTS.requestsPerConnectionMaxCount,
  ),
  handlerTimeoutMs: offable(
    milliseconds,
    'From the head of a request to the answer. Over it: 504, and the work for the request is aborted.',
    HTTP1_DEFAULTS.handlerTimeoutMs,
  ),
} satisfies Record<keyof Http1Limits, z.ZodType>;

/** An address that requests come in by. */
export const listener = z.strictObject({
  name: setting(text, 'A name for logs, status and `match.listener`. Default: the address.'),
  bind: required(text, 'host:port, "[::]:port", unix:/path or fd:3.'),
  limits: setting(z.strictObject(http1Limits), 'What this listener allows its clients. `null` turns a limit off.'),
});
