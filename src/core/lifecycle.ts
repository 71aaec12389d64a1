/** Where a resource is in its life. Server, listener, connection, pool and upstream connection use these words only. */
export type Phase = 'accepting' | 'draining' | 'closed';
export type Step = 'drain' | 'empty' | 'close';

/** The whole machine. A missing cell means the step changes nothing. */
export const NEXT: Readonly<Record<Phase, Partial<Record<Step, Phase>>>> = {
  accepting: { drain: 'draining', close: 'closed' },
  draining: { empty: 'closed', close: 'closed' },
  closed: {},
};

/** What an owner does when its lifecycle moves. Called once each, synchronously, parent before children. */
export interface LifecycleHooks {
  /** Draining begins: stop taking work, finish what has begun. */
  onDrain?(reason: string): void;
  /** Closed: release everything now. The first reason given is the one that is kept. */
  onClose?(reason: string): void;
}

/**
 * The one lifecycle: accepting → draining → closed, with children and pieces of work.
 *
 * Draining and empty (no child, no work) means closed. Closing closes every child, so no child outlives its parent.
 */
export class Lifecycle {
  phase: Phase = 'accepting';
  /** Lame duck: announced, but still admitting (readiness fails, liveness stays). */
  noticed = false;
  /** Why it is draining or closed; the first reason wins. `null` while accepting. */
  reason: string | null = null;
  private workCount = 0;
  private children: Set<Lifecycle> | null = null;
  private readonly parent: Lifecycle | null;
  private readonly hooks: LifecycleHooks;
  private waiters: ((reason: string) => void)[] | null = null;

  constructor(hooks: LifecycleHooks = {}, parent: Lifecycle | null = null) {
    this.hooks = hooks;
    this.parent = parent;
  }

  /** Children and pieces of work that keep a drain waiting. */
  get liveCount(): number {
    return this.workCount + (this.children === null ? 0 : this.children.size);
  }

  /**
   * A child lifecycle. A child opened while the parent drains starts draining itself (a connection from the accept
   * queue is served, then closed); one opened in a closed parent is closed at once, with the parent's reason.
   * `begun`: the child is made for one piece of work that counts from the start, so a drain under way waits for it.
   */
  open(hooks: LifecycleHooks = {}, begun = false): Lifecycle {
    const child = new Lifecycle(hooks, this);
    if (begun) child.workCount = 1;
    if (this.phase === 'closed') {
      child.close(this.reason ?? 'closed');
      return child;
    }
    this.children ??= new Set();
    this.children.add(child);
    if (this.phase === 'draining') child.drain(this.reason ?? 'draining');
    return child;
  }

  /** One piece of work begins. `false` when closed: the work must not be done. */
  begin(): boolean {
    if (this.phase === 'closed') return false;
    this.workCount += 1;
    return true;
  }

  /** One piece of work ended, however it ended. An end without a begin is a bug and throws. */
  end(): void {
    if (this.workCount === 0) throw new Error('Lifecycle.end() without begin()');
    this.workCount -= 1;
    if (this.phase === 'draining') this.settle();
  }

  /** Announces a drain to come; still admits. */
  notice(): void {
    if (this.phase === 'accepting') this.noticed = true;
  }

  drain(reason = 'drain'): void {
    if (NEXT[this.phase].drain === undefined) return;
    this.phase = 'draining';
    this.reason ??= reason;
    this.workCount += 1; // held while the hook and the children run, so that one of them cannot close us halfway
    this.hooks.onDrain?.(reason);
    if (this.children !== null) for (const child of [...this.children]) child.drain(reason);
    this.workCount -= 1;
    this.settle();
  }

  close(reason = 'close'): void {
    this.step('close', reason);
  }

  /** Resolves with the reason when closed. */
  closed(): Promise<string> {
    if (this.phase === 'closed') return Promise.resolve(this.reason ?? 'closed');
    return new Promise((resolve) => {
      this.waiters ??= [];
      this.waiters.push(resolve);
    });
  }

  private settle(): void {
    if (this.liveCount === 0) this.step('empty', this.reason ?? 'empty');
  }

  private step(step: Step, reason: string): void {
    if (NEXT[this.phase][step] !== 'closed') return;
    this.phase = 'closed';
    this.reason ??= reason;
    const children = this.children;
    this.children = null;
    this.hooks.onClose?.(this.reason);
    if (children !== null) for (const child of children) child.close(reason);
    this.parent?.forget(this);
    const waiters = this.waiters;
    this.waiters = null;
    if (waiters !== null) for (const resolve of waiters) resolve(this.reason);
  }

  private forget(child: Lifecycle): void {
    if (this.children?.delete(child) === true && this.phase === 'draining') this.settle();
  }
}
