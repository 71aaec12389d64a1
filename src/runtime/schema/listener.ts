import { z } from 'zod';
import { parseBind } from '../../server/bind.ts';
import { LIMIT_DEFAULTS, type Limits, listenerSettings, PROTOCOLS } from '../../server/options.ts';
import { http2 } from './http2.ts';
import { tls } from './tls.ts';
import { bytes, bytesPerSec, count, milliseconds, offable, parsed, required, setting, text } from './unit.ts';

const DEFAULTS = listenerSettings({ bind: ':0' });
const MODE = 'a file mode in quotes, such as "0660"';

const limits = {
  connectionMaxCount: setting(
    count,
    'Open connections. One more: 503 with `retry-after`, close. Never above what the file limit of the process leaves.',
    LIMIT_DEFAULTS.connectionMaxCount,
  ),
  connectionPerPeerMaxCount: offable(
    count,
    'Open connections from one address. One more: 503 with `retry-after`, close.',
    LIMIT_DEFAULTS.connectionPerPeerMaxCount,
  ),
  requestMaxCount: offable(
    count,
    'Requests in flight. One more: 503 with `retry-after`; its connection is kept.',
    LIMIT_DEFAULTS.requestMaxCount,
  ),
  headMaxBytes: setting(
    bytes,
    'Request line and headers up to and with the empty line. Over it: 431, close.',
    LIMIT_DEFAULTS.headMaxBytes,
  ),
  headerMaxCount: setting(count, 'Header lines in a request. Over it: 431, close.', LIMIT_DEFAULTS.headerMaxCount),
  targetMaxBytes: setting(bytes, 'The request target. Over it: 414, close.', LIMIT_DEFAULTS.targetMaxBytes),
  bodyMaxBytes: offable(
    bytes,
    'The request body. Over it: 413, before anything is read where the length says so. A proxied route streams and has no limit.',
    LIMIT_DEFAULTS.bodyMaxBytes,
  ),
  headTimeoutMs: offable(
    milliseconds,
    'From the first byte of a request to the end of its head. Over it: 408, close.',
    LIMIT_DEFAULTS.headTimeoutMs,
  ),
  idleTimeoutMs: offable(
    milliseconds,
    'Waiting for the first or the next request of a connection. Over it: the connection is closed.',
    LIMIT_DEFAULTS.idleTimeoutMs,
  ),
  dataRateMinBytesPerSec: offable(
    bytesPerSec,
    'The least a client must send while its request is being read, averaged, after the first three seconds. Below it: 408, close.',
    LIMIT_DEFAULTS.dataRateMinBytesPerSec,
  ),
  writeStallTimeoutMs: offable(
    milliseconds,
    'A client that takes no byte of an answer for this long is cut off.',
    LIMIT_DEFAULTS.writeStallTimeoutMs,
  ),
  requestsPerConnectionMaxCount: offable(
    count,
    'The last request that a connection may carry is answered with `connection: close`.',
    LIMIT_DEFAULTS.requestsPerConnectionMaxCount,
  ),
  handlerTimeoutMs: offable(
    milliseconds,
    'From the head of a request to the answer. Over it: 504, and the work for the request is aborted.',
    LIMIT_DEFAULTS.handlerTimeoutMs,
  ),
} satisfies Record<keyof Limits, z.ZodType>;

/** An address that requests come in by. */
export const listener = z
  .strictObject({
    name: setting(text, 'A name for logs, status and `match.listener`. Default: what `bind` says.'),
    bind: required(
      parsed(checkBind),
      '`host:port`, `"[::]:port"`, `:port` for all addresses, `unix:/path`, `fd:3`, or `systemd:name` for a socket that systemd passes.',
    ),
    protocols: setting(
      z.array(z.enum(PROTOCOLS)).min(1),
      'What its connections may speak: `http1`, `h2` or both. Over TLS the order is the preference in ALPN; without TLS their first bytes tell which of both it is. Default: `[http1]`.',
    ),
    tls: setting(tls, 'Speaks TLS, and HTTPS with it. See [tls.md](tls.md).'),
    backlogCount: setting(count, 'Connections that the system queues before they are accepted.', DEFAULTS.backlogCount),
    reusePort: setting(z.boolean(), 'Several processes may listen on this address (SO_REUSEPORT).', DEFAULTS.reusePort),
    mode: setting(
      z.string(MODE).regex(/^0?[0-7]{3}$/, MODE),
      'The file mode of a unix socket, in quotes: `"0660"`. Default: what the umask leaves.',
    ),
    reconcileMs: offable(
      milliseconds,
      'How often the counters are compared with the live connections; slots that were leaked are released.',
      DEFAULTS.reconcileMs,
    ),
    limits: setting(z.strictObject(limits), 'What this listener allows its clients. `null` turns a limit off.'),
    http2: setting(http2, 'What its HTTP/2 connections allow beyond that. See [http2.md](http2.md).'),
  })
  .meta({ description: 'An address that requests come in by.' });

/** Which sockets systemd passes is known only when it starts the program. */
function checkBind(bind: string): void {
  if (!bind.startsWith('systemd:')) parseBind(bind);
}
