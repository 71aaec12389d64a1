import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

/** A drain gives up on a queue that never gets empty. */
const GIVE_UP_MS = 1000;
const ROUND_MS = 2;
/** So many rounds without a new connection, and whoever was about to come back has come back. */
const CALM_ROUND_COUNT = 5;
/** The longest last look: while one turn of the event loop takes longer, connections may come in behind its back. */
const LOOK_MAX_MS = 1;

/** What is asked of a listener while its accept queue is emptied. */
export interface AcceptQueue {
  /** Connections taken out of the queue so far. */
  readonly acceptedCount: number;
  /** Somebody is connected, who may connect again. */
  readonly inUse: boolean;
  /** Still listening; `false` ends the wait. */
  readonly listening: boolean;
}

/**
 * Waits until the accept queue has been empty for a moment: what is still queued when the socket closes is reset. Node
 * accepts as little as one connection per turn of its event loop, so this is a matter of turns, and of the kernel's
 * time: the program's clock has no part in it.
 */
export async function emptied(queue: AcceptQueue): Promise<void> {
  const startMs = performance.now();
  let seenCount = queue.acceptedCount;
  await turn();
  await turn();
  if (!queue.inUse && queue.acceptedCount === seenCount) return;
  for (let calmRounds = 0; queue.listening && performance.now() - startMs < GIVE_UP_MS; ) {
    await wait(ROUND_MS);
    const lookMs = performance.now();
    await turn(); // between a timer and an immediate the event loop has polled
    const calm = queue.acceptedCount === seenCount;
    seenCount = queue.acceptedCount;
    calmRounds = calm ? calmRounds + 1 : 0;
    if (calmRounds >= CALM_ROUND_COUNT && performance.now() - lookMs < LOOK_MAX_MS) return;
  }
}
