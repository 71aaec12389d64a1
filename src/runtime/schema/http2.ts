import { z } from 'zod';
import { HTTP2_DEFAULTS, HTTP2_RANGES, type Http2Options } from '../../protocol/http2/options.ts';
import { setting } from './unit.ts';

/** A value in the range that HTTP/2 allows for it. */
function option(name: keyof Http2Options, description: string): z.ZodExactOptional<z.ZodNumber> {
  const [min, max] = HTTP2_RANGES[name];
  const want = `a whole number${name.endsWith('Bytes') ? ' of bytes' : ''}, ${min} to ${max}`;
  return setting(z.number(want).int(want).min(min, want).max(max, want), description, HTTP2_DEFAULTS[name]);
}

const options = {
  connectionWindowBytes: option(
    'connectionWindowBytes',
    'Body bytes of all streams of a connection together that a client may send ahead.',
  ),
  streamWindowBytes: option(
    'streamWindowBytes',
    'The same for one stream: what a body that nobody reads may occupy. Larger makes single uploads faster over long ways.',
  ),
  windowRefillThresholdBytes: option(
    'windowRefillThresholdBytes',
    'A window is refilled when this much of it has been used, and when half of it has.',
  ),
  streamMaxCount: option('streamMaxCount', 'Requests at once on one connection. One more: REFUSED_STREAM.'),
  frameMaxBytes: option('frameMaxBytes', 'The largest frame that is taken. Larger: FRAME_SIZE_ERROR, close.'),
  headerListMaxBytes: option(
    'headerListMaxBytes',
    'The header lines of a request, with 32 bytes for each. Over it: 431; far over it: ENHANCE_YOUR_CALM, close.',
  ),
  headerTableMaxBytes: option(
    'headerTableMaxBytes',
    'Memory of a connection in which its client may keep header lines, to compress those that follow.',
  ),
  streamTotalMaxCount: option(
    'streamTotalMaxCount',
    'Requests at once on all HTTP/2 connections of the process. One more: REFUSED_STREAM. From half of it on no connection has more than its fair part.',
  ),
} satisfies Record<keyof Http2Options, z.ZodType>;

/** What a listener's HTTP/2 connections allow, beyond its limits. */
export const http2 = z.strictObject(options);
