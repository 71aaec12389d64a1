import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** Records of one kind; `error` is a response code (RFC 1035 §4.1.1), and `silent` no answer at all. */
export type Zone =
  | { readonly addresses: readonly string[]; readonly ttlSec?: number }
  | { readonly services: readonly ServiceRecord[]; readonly ttlSec?: number }
  | { readonly error: number }
  | 'silent';

export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' };
export const SERVFAIL = 2;
export const NXDOMAIN = 3;

/** A name server on a port of this machine (RFC 1035), which knows what a test tells it. */
export class NameServer implements AsyncDisposable {
  /** By kind and name, such as `A api.internal`. A name without records of a kind has none. */
  readonly zones = new Map<string, Zone>();
  /** What was asked, in order. */
  readonly asked: string[] = [];
  private readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (message, { port, address }) => {
      const answer = this.answer(message);
      if (answer !== null) socket.send(answer, port, address);
    });
  }

  static async listen(): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new NameServer(socket);
  }

  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  /** Says where a host is from now on. */
  host(name: string, addresses: readonly string[], ttlSec = 60): void {
    this.zones.set(`A ${name}`, { addresses: addresses.filter((address) => !address.includes(':')), ttlSec });
    this.zones.set(`AAAA ${name}`, { addresses: addresses.filter((address) => address.includes(':')), ttlSec });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }

  private answer(message: Buffer): Buffer | null {
    const { name, end } = readName(message, 12);
    const key = `${TYPES[message.readUInt16BE(end)]} ${name}`;
    this.asked.push(key);
    const zone = this.zones.get(key) ?? { addresses: [] };
    if (zone === 'silent') return null;
    const records = 'error' in zone ? [] : recordsOf(zone);
    const head = Buffer.from(message.subarray(0, 12));
    head.writeUInt16BE(0x81_80 | ('error' in zone ? zone.error : 0), 2);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    return Buffer.concat([head, message.subarray(12, end + 4), ...records]);
  }
}

function recordsOf(zone: Exclude<Zone, 'silent' | { readonly error: number }>): Buffer[] {
  const ttlSec = zone.ttlSec ?? 60;
  if ('services' in zone) return zone.services.map((service) => record(33, ttlSec, serviceData(service)));
  return zone.addresses.map((address) =>
    address.includes(':')
      ? record(28, ttlSec, Buffer.from(expanded(address), 'hex'))
      : record(1, ttlSec, Buffer.from(address.split('.').map(Number))),
  );
}

/** A record about the name that was asked for, which begins at byte 12. */
function record(type: number, ttlSec: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc0_0c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSec, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function serviceData({ priority, weight, port, target }: ServiceRecord): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(weight, 2);
  head.writeUInt16BE(port, 4);
  const labels = target === '.' ? [] : target.split('.');
  const written = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([head, ...written, Buffer.alloc(1)]);
}

function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** An IPv6 address as 32 digits. */
function expanded(address: string): string {
  const [left = '', right] = address.split('::');
  const before = left.split(':').filter((group) => group !== '');
  const after = (right ?? '').split(':').filter((group) => group !== '');
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('');
}
