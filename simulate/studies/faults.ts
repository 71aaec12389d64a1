import type { Turn } from '../condition.ts';
import type { Policy } from '../policies.ts';
import type { Scenario } from '../scenarios.ts';

/** A time of a study, and what becomes of servers in it. What is wrong for how long is drawn by the study itself. */
export const course = (durationMs: number, turns: readonly Turn[] = []): Scenario => ({
  name: 'study',
  what: '',
  durationMs,
  faultFromMs: durationMs,
  faultUntilMs: durationMs,
  turns,
  rush: 1,
});

/** An upstream without anything to try, and one with it. */
export const compared = (
  title: string,
  options: Policy['options'],
  base: Policy['options'] = {},
): readonly Policy[] => [
  { name: 'without', title: 'without', options: base },
  { name: 'with', title, options: { ...base, ...options } },
];
