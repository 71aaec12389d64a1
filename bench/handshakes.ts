import { join } from 'node:path';
import { resultFigures, type Tool } from './tool.ts';

/** A connection for each request over TLS, and a full handshake for each connection: wrk would resume every other session. */
export const handshakes: Tool = {
  command: ({ port }, { connectionCount, check }, seconds) => [
    process.execPath,
    join(import.meta.dirname, 'handshaker.ts'),
    ...[port, connectionCount, seconds, check.path].map(String),
  ],
  figures: resultFigures,
};
