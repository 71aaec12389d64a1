import { write } from './job.ts';
import { newFolder } from './program.ts';
import type { Tool } from './tool.ts';
import { originOf, TLS_CIPHER, TLS_GROUP } from './wire.ts';

/** HTTP/2. No latencies: h2load tells them only by a line in a file for each request, and needs two thirds more CPU for it. */
export const h2load: Tool = {
  command({ wire, port }, { connectionCount, check, load }, seconds) {
    const headers = Object.entries(check.headers).map(([name, value]) => `-H${name}: ${value}`);
    const body = check.body === null ? [] : ['-d', write({ folder: newFolder() }, 'body', check.body)];
    return [
      ...['h2load', '-t1', `-c${connectionCount}`, '-D', String(seconds), '-N', '5s', ...headers, ...body],
      ...[`--tls13-ciphers=${TLS_CIPHER}`, `--groups=${TLS_GROUP}`],
      originOf(wire, port) + check.path,
      ...(load?.options ?? []),
    ];
  },
  figures(output) {
    const rate = /^finished in \S+, ([\d.]+) req\/s/m.exec(output)?.[1];
    const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored/m.exec(output);
    if (rate === undefined || counts === null) return null;
    // Errored are those without an answer; failed are they and those with a wrong status.
    const [succeededCount = 0, failedCount = 0, erroredCount = 0] = counts.slice(1).map(Number);
    return {
      requestCount: succeededCount + failedCount - erroredCount,
      errorCount: failedCount,
      requestsPerSec: Number(rate),
      p50Ms: null,
      p99Ms: null,
    };
  },
};
