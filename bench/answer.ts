import { request as httpRequest } from 'node:http';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { AUTHORITY } from './certificate.ts';
import type { Address } from './job.ts';
import type { Check } from './scenarios.ts';
import { isHttp2, isTls, originOf, TLS_VERSION } from './wire.ts';

const ANSWER_MAX_MS = 2000;
const TLS = { ca: AUTHORITY, minVersion: TLS_VERSION } as const;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What is wrong with a server's answer; asked over the wire that will be measured. `null`: nothing. */
export async function answerFault(address: Address, check: Check): Promise<string | null> {
  const { method, path, answer } = check;
  try {
    const { status, body } = await (isHttp2(address.wire) ? askHttp2 : askHttp1)(address, check);
    if (status !== 200) return `${method} ${path} answered ${status}: ${body.slice(0, 200)}`;
    return body === answer ? null : `${method} ${path} answered ${body.length} bytes that are not the expected ones`;
  } catch (error) {
    return `it does not answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function askHttp1({ wire, port }: Address, { method, path, headers, body }: Check): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = (isTls(wire) ? httpsRequest : httpRequest)(originOf(wire, port) + path, {
    ...TLS,
    method,
    headers: { ...headers, ...lengthOf(body), connection: 'close' },
    signal: AbortSignal.timeout(ANSWER_MAX_MS),
  });
  request.on('error', reject);
  request.on('response', (response) => resolve(collected(response.statusCode ?? 0, response)));
  request.end(body ?? undefined);
  return promise;
}

async function askHttp2({ wire, port }: Address, { method, path, headers, body }: Check): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const session = connect(originOf(wire, port), TLS);
  session.on('error', reject);
  const stream = session.request(
    { ...headers, ...lengthOf(body), ':method': method, ':path': path },
    { signal: AbortSignal.timeout(ANSWER_MAX_MS) },
  );
  stream.on('error', reject);
  stream.on('close', () => reject(new Error('the stream was closed')));
  stream.on('response', (head: IncomingHttpHeaders & { ':status'?: number }) => {
    resolve(collected(head[':status'] ?? 0, stream));
  });
  stream.end(body ?? undefined);
  try {
    return await promise;
  } finally {
    session.destroy();
  }
}

const lengthOf = (body: string | null): Readonly<Record<string, number>> =>
  body === null ? {} : { 'content-length': body.length };

const collected = async (status: number, body: Readable): Promise<Answer> => ({ status, body: await text(body) });
