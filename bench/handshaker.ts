import { connect, createSecureContext } from 'node:tls';
import { TLS_CIPHER, TLS_GROUP, TLS_VERSION } from './wire.ts';

// Opens connections over TLS, each with a full handshake, one request and one answer; says how many and how long it took.
const [port, connectionCount, seconds, path] = process.argv.slice(2);
const TIMEOUT_MS = 5000;
const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`;
const secureContext = createSecureContext({ minVersion: TLS_VERSION, ciphers: TLS_CIPHER, ecdhCurve: TLS_GROUP });
const options = { host: '127.0.0.1', port: Number(port), secureContext, rejectUnauthorized: false };

const tookMs: number[] = [];
let statusErrorCount = 0;
let socketErrorCount = 0;

/** Whether it was answered. */
function ask(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(options, () => {
    if (socket.isSessionReused()) throw new Error('a session was resumed');
    socket.write(request);
  });
  socket.setNoDelay(true);
  socket.setTimeout(TIMEOUT_MS, () => resolve(false));
  socket.once('error', () => resolve(false));
  socket.once('close', () => resolve(false));
  socket.once('data', (answer: Buffer) => {
    if (answer.toString('latin1', 9, 12) >= '400') statusErrorCount += 1;
    resolve(true);
  });
  return promise.finally(() => socket.destroy());
}

async function askAgain(untilMs: number): Promise<void> {
  for (let startMs = performance.now(); startMs < untilMs; startMs = performance.now()) {
    if (await ask()) tookMs.push(performance.now() - startMs);
    else socketErrorCount += 1;
  }
}

const beganMs = performance.now();
const untilMs = beganMs + Number(seconds) * 1000;
await Promise.all(Array.from({ length: Number(connectionCount) }, () => askAgain(untilMs)));

const durationMicros = (performance.now() - beganMs) * 1000;
tookMs.sort((a, b) => a - b);
const [p50Micros, p99Micros] = [0.5, 0.99].map((part) => (tookMs[Math.floor(tookMs.length * part)] ?? 0) * 1000);
const counts = { requestCount: tookMs.length, durationMicros, statusErrorCount, socketErrorCount };
console.log(`result ${JSON.stringify({ ...counts, p50Micros, p99Micros })}`);
