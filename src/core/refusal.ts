import { FAULTS } from './failure.ts';
import type { Refusal } from './runner.ts';

/** The whole HTTP/1.1 answer to a connection that is over a budget. Made beforehand: a refusal must cost next to nothing. */
export const REFUSALS: Readonly<Record<Refusal, string>> = {
  'connection-budget-exceeded': refusal('connection-budget-exceeded'),
  'peer-budget-exceeded': refusal('peer-budget-exceeded'),
};

function refusal(reason: Refusal): string {
  const body = `${JSON.stringify({ error: reason, message: FAULTS[reason].what })}\n`;
  const fields = `content-type: application/json\r\ncontent-length: ${body.length}\r\nretry-after: 1\r\n`;
  return `HTTP/1.1 503 Service Unavailable\r\n${fields}connection: close\r\n\r\n${body}`;
}
