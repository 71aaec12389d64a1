/** Whose turn it is among `candidateCount`, after it was `lastTurn`'s; -1 before the first. */
export function roundRobin(lastTurn: number, candidateCount: number): number {
  return lastTurn + 1 < candidateCount ? lastTurn + 1 : 0;
}
