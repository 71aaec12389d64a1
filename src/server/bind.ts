import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { createConnection, type ListenOptions, type Server } from 'node:net';
import { dirname } from 'node:path';

/** Where to listen. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'fd'; readonly fd: number };

/** An address that cannot be listened on; the message is one line that says what, where and what to do. */
export class BindError extends Error {
  override readonly name = 'BindError';
  /** The system's error code, such as EADDRINUSE. */
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The first file descriptor that systemd hands over (sd_listen_fds). */
const LISTEN_FDS_START = 3;

/** Reads a `bind` value. Throws `TypeError` when it is not one; `environment` is asked for systemd's LISTEN_FDS. */
export function parseBind(bind: string, environment: NodeJS.ProcessEnv = process.env): Address {
  if (bind.startsWith('unix:')) {
    const path = bind.slice('unix:'.length);
    if (path === '') throw new TypeError('bind: unix: needs a path, such as unix:/run/sluice.sock');
    return { kind: 'unix', path };
  }
  if (/^fd:[0-9]+$/.test(bind)) return { kind: 'fd', fd: Number(bind.slice('fd:'.length)) };
  if (bind.startsWith('systemd:')) return { kind: 'fd', fd: systemdFd(bind.slice('systemd:'.length), environment) };
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(bind);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new TypeError(`bind: ${JSON.stringify(bind)} is not host:port, [v6]:port, unix:/path, fd:N or systemd:NAME`);
  }
  return { kind: 'tcp', host: match[1] ?? match[2] ?? '', port };
}

/** The descriptor systemd passed under this name (LISTEN_FDNAMES) or at this index. */
function systemdFd(name: string, environment: NodeJS.ProcessEnv): number {
  const count = Number(environment.LISTEN_FDS ?? 0);
  if (!(count >= 1) || environment.LISTEN_PID !== String(process.pid)) {
    throw new TypeError('bind: systemd has passed no sockets to this process (LISTEN_FDS and LISTEN_PID)');
  }
  const names = (environment.LISTEN_FDNAMES ?? '').split(':');
  const index = /^[0-9]+$/.test(name) ? Number(name) : names.indexOf(name);
  if (index < 0 || index >= count) {
    throw new TypeError(
      `bind: systemd has passed no socket ${JSON.stringify(name)}; it passed ${count}: ${names.join(', ')}`,
    );
  }
  return LISTEN_FDS_START + index;
}

/** Listens. Rejects with a `BindError`. */
export async function listenOn(
  server: Server,
  address: Address,
  options: { readonly backlogCount: number; readonly reusePort: boolean; readonly mode?: number | undefined },
): Promise<void> {
  const common = { backlog: options.backlogCount, exclusive: true };
  try {
    if (address.kind === 'fd') await listening(server, { ...common, fd: address.fd });
    else if (address.kind === 'tcp') {
      const host = address.host === '' ? {} : { host: address.host };
      await listening(server, { ...common, ...host, port: address.port, reusePort: options.reusePort });
    } else await listenOnPath(server, address.path, common, options.mode);
  } catch (error) {
    throw error instanceof BindError ? error : bindError(address, error);
  }
}

/** A socket file that nobody listens on is left over from a crash and is replaced; a live one is left alone. */
async function listenOnPath(
  server: Server,
  path: string,
  common: ListenOptions,
  mode: number | undefined,
): Promise<void> {
  try {
    await listening(server, { ...common, path });
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error;
    if (!lstatSync(path).isSocket()) {
      const advice = 'a file that is not a socket is there; move it away or choose another path';
      throw new BindError(`cannot listen on unix:${path}: ${advice} (EADDRINUSE)`, 'EADDRINUSE', { cause: error });
    }
    if (await isAlive(path)) throw error;
    unlinkSync(path);
    await listening(server, { ...common, path });
  }
  if (mode !== undefined) chmodSync(path, mode);
}

function listening(server: Server, options: ListenOptions & { fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => resolve(errorCode(error) !== 'ECONNREFUSED'));
  });
}

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use by another process; stop that one or choose another address',
  EACCES: 'permission denied; ports below 1024 and foreign folders need privileges, so choose another or grant them',
  EADDRNOTAVAIL: 'this machine has no such address; use one of its own, or 0.0.0.0 for all',
  ENOTFOUND: 'the host name cannot be resolved; use an IP address',
  EAI_AGAIN: 'the host name cannot be resolved now; use an IP address',
  ENOENT: 'the folder does not exist; create it first',
  ENOTDIR: 'the folder does not exist; create it first',
};

/** What an EINVAL means, which is all that the system says about these. */
const INVALID: Readonly<Record<Address['kind'], string>> = {
  tcp: 'it is not an address that can be listened on',
  unix: 'the path is too long for a socket (107 bytes on Linux)',
  fd: 'it is not a socket that can be listened on; pass an open one',
};

function bindError(address: Address, error: unknown): BindError {
  const given = errorCode(error);
  // Where the folder is missing, Node speaks of permissions.
  const code = given === 'EACCES' && address.kind === 'unix' && !existsSync(dirname(address.path)) ? 'ENOENT' : given;
  const advice = code === 'EINVAL' ? INVALID[address.kind] : (ADVICE[code] ?? String(error));
  return new BindError(`cannot listen on ${addressText(address)}: ${advice} (${code})`, code, { cause: error });
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}

/** The address as a person writes it. */
export function addressText(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  if (address.kind === 'fd') return `fd:${address.fd}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
