import type { Address } from './job.ts';
import type { Scenario } from './scenarios.ts';

/** What a program that puts load on a server has measured. */
export interface Figures {
  /** Answers, whatever their status. */
  readonly requestCount: number;
  /** Answers with a status of 400 or more, and requests without an answer. */
  readonly errorCount: number;
  readonly requestsPerSec: number;
  /** `null` where it cannot tell. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** A program that puts load on a server. */
export interface Tool {
  readonly command: (address: Address, scenario: Scenario, seconds: number) => readonly string[];
  /** Reads its output; `null` when there are no figures in it. */
  readonly figures: (output: string, scenario: Scenario) => Figures | null;
}

/** The line that load.lua and handshaker.ts print. */
interface ResultLine {
  requestCount: number;
  durationMicros: number;
  statusErrorCount: number;
  socketErrorCount: number;
  p50Micros: number;
  p99Micros: number;
}

/** Reads the figures of load.lua and handshaker.ts. */
export function resultFigures(output: string): Figures | null {
  const line = /^result (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) return null;
  const result: ResultLine = JSON.parse(line);
  return {
    requestCount: result.requestCount,
    errorCount: result.statusErrorCount + result.socketErrorCount,
    requestsPerSec: result.requestCount / (result.durationMicros / 1e6),
    p50Ms: result.p50Micros / 1000,
    p99Ms: result.p99Micros / 1000,
  };
}
