import type { Clock, ClockTimer } from '../src/core/clock.ts';

/** Something that falls due. */
interface Due extends ClockTimer {
  atMs: number;
  /** Among those that are due at the same moment the one that was started first comes first. */
  order: number;
  run: (() => void) | null;
}

/** Resolves when everything has run that waits for a promise, and for what comes of that: ticks have their turn after them. */
const settled = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/**
 * A clock whose time is that of a simulation: it jumps from one event to the next. As exact and as deterministic as a
 * computer gets: what is due at the same moment runs in the order in which it was started.
 */
export class VirtualClock implements Clock {
  private readonly startMs = Date.UTC(2026, 0, 1);
  private nowMs = 0;
  private startedCount = 0;
  /** A binary heap, the earliest first. What was cancelled stays until it comes up. */
  private readonly heap: Due[] = [];

  /** What has been started and neither ran nor was cancelled. */
  get dueCount(): number {
    return this.heap.filter(({ run }) => run !== null).length;
  }

  now(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.startMs + this.nowMs;
  }

  after(delayMs: number, run: () => void): ClockTimer {
    const due = this.due(run);
    this.push(due, this.nowMs + Math.max(0, delayMs));
    return due;
  }

  every(periodMs: number, run: () => void): ClockTimer {
    const due = this.due(() => {
      this.push(due, due.atMs + Math.max(1, periodMs));
      run();
    });
    this.push(due, this.nowMs + Math.max(1, periodMs));
    return due;
  }

  /** Moves time on to `untilMs`. After each event promises are given their turn, so nothing is late by an event. */
  async runUntil(untilMs: number): Promise<void> {
    for (let due = this.heap[0]; due !== undefined && due.atMs <= untilMs; due = this.heap[0]) {
      this.pop();
      if (due.run === null) continue;
      this.nowMs = due.atMs;
      const { run } = due;
      run();
      await settled();
    }
    this.nowMs = untilMs;
  }

  private due(run: () => void): Due {
    return {
      atMs: 0,
      order: 0,
      run,
      cancel() {
        this.run = null;
      },
    };
  }

  private push(due: Due, atMs: number): void {
    const { heap } = this;
    this.startedCount += 1;
    due.atMs = atMs;
    due.order = this.startedCount;
    let at = heap.length;
    heap.push(due);
    for (let parent = (at - 1) >> 1; at > 0; parent = (at - 1) >> 1) {
      const above = heap[parent];
      if (above === undefined || isBefore(above, due)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      const rightIsFirst = right !== undefined && isBefore(right, left);
      const first = rightIsFirst ? right : left;
      if (isBefore(last, first)) break;
      heap[at] = first;
      at = rightIsFirst ? child + 1 : child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
