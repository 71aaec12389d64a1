import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// Opens connections, sends one request on each, says how many were answered, and holds them until it is ended.
const [port, connectionCount, path] = process.argv.slice(2);
const BATCH_COUNT = 100;
const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`;

/** Whether the connection had an answer, and stays open. */
function open(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port) }, () => socket.write(request));
    socket.once('data', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.setTimeout(10_000, () => resolve(false));
  });
}

let answeredCount = 0;
for (let opened = 0; opened < Number(connectionCount); opened += BATCH_COUNT) {
  const answers = await Promise.all(Array.from({ length: BATCH_COUNT }, open));
  answeredCount += answers.filter(Boolean).length;
}
console.log(`answered ${answeredCount}`);
await sleep(120_000);
