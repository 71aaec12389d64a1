import { type FSWatcher, lstatSync, readlinkSync, watch } from 'node:fs';
import { dirname, parse, resolve, sep } from 'node:path';
import type { Clock, ClockTimer } from '../../core/clock.ts';

/** Several files are written one after another; they are read when nothing has happened for this long. */
const SETTLE_MS = 200;
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
  private readonly watchers = new Map<string, FSWatcher>();
  private timer: ClockTimer | null = null;

  /** `onChange` may be called without a change. `onError`: a folder cannot be watched; the others go on. */
  constructor(files: readonly string[], clock: Clock, onChange: () => void, onError: (error: Error) => void) {
    this.files = files;
    this.clock = clock;
    this.onChange = onChange;
    this.onError = onError;
    this.follow();
  }

  close(): void {
    this.timer?.cancel();
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  /** Watches the folders that matter now. */
  private follow(): void {
    const folders = new Set(this.files.flatMap((file) => foldersOf(resolve(file))));
    for (const [folder, watcher] of this.watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.watchers.delete(folder);
    }
    for (const folder of folders) if (!this.watchers.has(folder)) this.open(folder);
  }

  private open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.changed());
      watcher.on('error', (error) => this.lost(folder, error));
      this.watchers.set(folder, watcher);
    } catch (error) {
      this.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private lost(folder: string, error: Error): void {
    this.watchers.get(folder)?.close();
    this.watchers.delete(folder);
    this.onError(error);
  }

  private changed(): void {
    this.timer?.cancel();
    this.timer = this.clock.after(SETTLE_MS, () => {
      this.timer = null;
      this.follow();
      this.onChange();
    });
  }
}

/** The folders in which something may be replaced so that this path leads elsewhere. */
function foldersOf(path: string, linkCount = 0): string[] {
  const { root } = parse(path);
  const steps = path.slice(root.length).split(sep);
  const folders = [dirname(path)];
  let at = root;
  for (const [index, step] of steps.entries()) {
    const target = linkCount > LINK_MAX_COUNT ? null : linkTarget(resolve(at, step));
    if (target !== null) {
      const rest = steps.slice(index + 1);
      return [at, ...foldersOf(resolve(at, target, ...rest), linkCount + 1)];
    }
    at = resolve(at, step);
  }
  return folders;
}

/** Where a symbolic link leads; `null` for what is none. */
function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}
