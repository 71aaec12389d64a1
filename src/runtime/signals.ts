/** What the program does on a signal. */
export interface SignalActions {
  /** The first SIGTERM, SIGINT or SIGQUIT: stop without losing a request. */
  drain(signal: NodeJS.Signals): void;
  /** Another one: stop now. */
  force(signal: NodeJS.Signals): void;
  /** SIGHUP. */
  reload(): void;
}

/** What signals come from: `process`, or an emitter in a test. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

const STOPPING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

/** Two signals closer than this are one: a terminal and a supervisor often both pass Ctrl-C on. */
export const SAME_SIGNAL_MS = 50;

/** Follows signals until the returned function is called. */
export function followSignals(source: SignalSource, actions: SignalActions, nowMs: () => number): () => void {
  let firstMs: number | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    if (firstMs === null) {
      firstMs = nowMs();
      actions.drain(signal);
    } else if (nowMs() - firstMs >= SAME_SIGNAL_MS) {
      actions.force(signal);
    }
  };
  const reload = (): void => actions.reload();
  for (const signal of STOPPING) source.on(signal, stop);
  source.on('SIGHUP', reload);
  return () => {
    for (const signal of STOPPING) source.off(signal, stop);
    source.off('SIGHUP', reload);
  };
}
