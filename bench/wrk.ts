import { join } from 'node:path';
import { write } from './job.ts';
import { newFolder } from './program.ts';
import { resultFigures, type Tool } from './tool.ts';
import { isTls, originOf, TLS_CIPHER, TLS_GROUP, TLS_VERSION } from './wire.ts';

/** wrk has no options for TLS; OpenSSL's own configuration is how it can be told. */
const OPENSSL = `openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = load
[load]
MinProtocol = ${TLS_VERSION}
Ciphersuites = ${TLS_CIPHER}
Groups = ${TLS_GROUP}
`;

/** HTTP/1.1, with load.lua. */
export const wrk: Tool = {
  command({ wire, port }, { connectionCount, check, load }, seconds) {
    const script = join(import.meta.dirname, 'load.lua');
    const options = ['-t1', `-c${connectionCount}`, `-d${seconds}s`, '--timeout', '5s', '-s', script];
    const tls = isTls(wire) ? ['env', `OPENSSL_CONF=${write({ folder: newFolder() }, 'openssl.cnf', OPENSSL)}`] : [];
    return [...tls, 'wrk', ...options, originOf(wire, port) + check.path, '--', ...(load?.options ?? [])];
  },
  figures(output, { load }) {
    const figures = resultFigures(output);
    // wrk takes the latency of a batch for that of each of its requests.
    const isBatched = load?.options.some((option) => option.startsWith('pipeline='));
    return figures !== null && isBatched ? { ...figures, p50Ms: null, p99Ms: null } : figures;
  },
};
