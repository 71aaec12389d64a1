import { type FSWatcher, lstatSync, readlinkSync, watch } from 'node:fs';
import { basename, dirname, parse, resolve, sep } from 'node:path';
import type { Clock, ClockTimer } from '../../core/clock.ts';

/** Several files are written one after another; they are read when nothing has happened for this long. */
const SETTLE_MS = 200;
/** A folder that cannot be watched is tried again after this long, then after twice as long, and so on. */
const REOPEN_MS = 1000;
/** So often in a row; then it stays as it is until something else changes. */
const REOPEN_MAX_COUNT = 5;
/** What has gone well for this long begins anew. */
const STEADY_MS = 60_000;
/** More links than this in one path go round in a circle. */
const LINK_MAX_COUNT = 40;

/**
 * Watches files by their folders, and by those of every symbolic link on the way to them, so that a file that is
 * replaced, or a folder that is swapped as a whole (as Kubernetes does with its `..data` link), is noticed too.
 */
export class FileWatch {
  private readonly files: readonly string[];
  private readonly clock: Clock;
  private readonly onChange: () => void;
  private readonly onError: (error: Error) => void;
  private readonly watchers = new Set<FSWatcher>();
  /** Whatever else happens in these folders is none of our business. */
  private steps: readonly Step[] = [];
  private timer: ClockTimer | null = null;
  private reopenTimer: ClockTimer | null = null;
  private reopenCount = 0;
  private failedAtMs = Number.NEGATIVE_INFINITY;

  /** `onChange` may be called when a file was written and is the same. `onError`: a folder cannot be watched, or no longer; the others go on. */
  constructor(files: readonly string[], clock: Clock, onChange: () => void, onError: (error: Error) => void) {
    this.files = files;
    this.clock = clock;
    this.onChange = onChange;
    this.onError = onError;
    this.follow();
  }

  close(): void {
    this.timer?.cancel();
    this.reopenTimer?.cancel();
    this.reopenTimer = null;
    for (const watcher of this.watchers) watcher.close();
    this.watchers.clear();
  }

  /** Watches the folders that matter now. All anew: one that was replaced under its name would be watched in vain. */
  private follow(): void {
    this.close();
    this.steps = this.files.flatMap((file) => stepsTo(resolve(file)));
    for (const folder of new Set(this.steps.map((step) => step.folder))) this.open(folder);
  }

  private open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => this.changed(folder, name));
      watcher.on('error', (error) => {
        this.watchers.delete(watcher);
        watcher.close();
        this.failed(error);
      });
      this.watchers.add(watcher);
    } catch (error) {
      this.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Tells, and tries again later: what was missed meanwhile is read then. */
  private failed(error: Error): void {
    this.onError(error);
    if (this.reopenTimer !== null) return;
    const nowMs = this.clock.now();
    if (nowMs - this.failedAtMs >= STEADY_MS) this.reopenCount = 0;
    this.failedAtMs = nowMs;
    if (this.reopenCount === REOPEN_MAX_COUNT) return;
    this.reopenTimer = this.clock.after(REOPEN_MS * 2 ** this.reopenCount, () => {
      this.reopenTimer = null;
      this.follow();
      this.onChange();
    });
    this.reopenCount += 1;
  }

  /** Systems that do not tell the name of what has changed give `null`. */
  private changed(folder: string, name: string | null): void {
    const ours = this.steps.some((step) => step.folder === folder && (name === null || step.name === name));
    if (!ours) return;
    this.timer?.cancel();
    this.timer = this.clock.after(SETTLE_MS, () => {
      this.timer = null;
      this.follow();
      this.onChange();
    });
  }
}

/** An entry of a folder. */
interface Step {
  readonly folder: string;
  readonly name: string;
}

/** The entries on the way to a file that lead elsewhere when they are replaced: symbolic links, its folder, and itself. */
function stepsTo(path: string, linkCount = 0): Step[] {
  const { root } = parse(path);
  const names = path.slice(root.length).split(sep);
  let folder = root;
  for (const [index, name] of names.entries()) {
    const target = linkCount > LINK_MAX_COUNT ? null : linkTarget(resolve(folder, name));
    if (target !== null) {
      const rest = names.slice(index + 1);
      return [{ folder, name }, ...stepsTo(resolve(folder, target, ...rest), linkCount + 1)];
    }
    folder = resolve(folder, name);
  }
  const last = dirname(path);
  return [
    { folder: dirname(last), name: basename(last) },
    { folder: last, name: basename(path) },
  ];
}

/** Where a symbolic link leads; `null` for what is none. */
function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}
