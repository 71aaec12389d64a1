import { FAULTS } from '../../core/failure.ts';
import type { Refusal } from '../../core/runner.ts';
import { statusLine } from './write.ts';

/** The whole answer to a connection that is over a budget. Made beforehand: a refusal must cost next to nothing. */
export const REFUSALS: Readonly<Record<Refusal, string>> = {
  'connection-budget-exceeded': refusal('connection-budget-exceeded'),
  'peer-budget-exceeded': refusal('peer-budget-exceeded'),
};

function refusal(reason: Refusal): string {
  const body = `${JSON.stringify({ error: reason, message: FAULTS[reason].what })}\n`;
  const fields = `content-type: application/json\r\ncontent-length: ${body.length}\r\nretry-after: 1\r\n`;
  return `${statusLine(503)}${fields}connection: close\r\n\r\n${body}`;
}
