/** A message as it came: text as a string, binary as bytes. */
export type WebSocketMessage = string | Buffer;

/** Takes messages. The next one waits until the promise that it returns has settled. */
export type MessageListener = (message: WebSocketMessage) => void | Promise<void>;

/** Messages that wait are read from the client up to this much. */
const HELD_MAX_BYTES = 65_536;

/** What an inbox asks of its socket. */
interface InboxOwner {
  /** Read no more from the client, or go on. */
  setPaused(paused: boolean): void;
  /** The listener has failed. */
  failed(error: unknown): void;
}

/** Messages on their way from the socket to whoever takes them: one listener, or one loop, or nobody yet. */
export class Inbox {
  private readonly owner: InboxOwner;
  private readonly held: WebSocketMessage[] = [];
  private heldBytes = 0;
  private listener: MessageListener | null = null;
  private listening = false;
  /** Whoever loops and waits for the next message. */
  private wake: (() => void) | null = null;
  private looped = false;
  /** Nobody will ever take them. */
  private discarding = false;
  private ended = false;
  private paused = false;

  constructor(owner: InboxOwner) {
    this.owner = owner;
  }

  /** Gives them to a listener. Throws `TypeError` when there is one, or a loop. */
  listen(listener: MessageListener): void {
    if (this.listener !== null || this.looped) throw new TypeError('somebody takes the messages already');
    this.listener = listener;
    this.discarding = false;
    this.deliver();
  }

  /** Nobody has come to take them by now: what comes is not kept for nobody. */
  giveUp(): void {
    if (this.listener !== null || this.looped) return;
    this.discarding = true;
    this.clear();
  }

  push(message: WebSocketMessage): void {
    if (this.discarding || this.ended) return;
    this.held.push(message);
    this.heldBytes += message.length;
    if (this.listener !== null) this.deliver();
    this.wake?.();
    if (this.heldBytes > HELD_MAX_BYTES) this.pause(true);
  }

  /** There will be no more; a loop still gets what is here. */
  end(): void {
    this.ended = true;
    if (this.listener !== null) this.clear();
    this.wake?.();
  }

  /** The messages, one by one. Throws `TypeError` when somebody takes them already. */
  async *loop(): AsyncGenerator<WebSocketMessage, void, undefined> {
    if (this.listener !== null || this.looped) throw new TypeError('somebody takes the messages already');
    this.looped = true;
    this.discarding = false;
    try {
      for (;;) {
        const message = this.take();
        if (message !== null) yield message;
        else if (this.ended) return;
        else {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          this.wake = null;
        }
      }
    } finally {
      this.looped = false;
    }
  }

  private deliver(): void {
    const { listener } = this;
    if (listener === null || this.listening) return;
    for (let message = this.take(); message !== null; message = this.take()) {
      try {
        const done = listener(message);
        if (done instanceof Promise) {
          this.listening = true;
          done.then(
            () => {
              this.listening = false;
              this.deliver();
            },
            (error: unknown) => this.fail(error),
          );
          return;
        }
      } catch (error) {
        this.fail(error);
        return;
      }
    }
  }

  private fail(error: unknown): void {
    this.end();
    this.owner.failed(error);
  }

  private take(): WebSocketMessage | null {
    const message = this.held.shift();
    if (message === undefined) return null;
    this.heldBytes -= message.length;
    if (this.held.length === 0) this.pause(false);
    return message;
  }

  private clear(): void {
    this.held.length = 0;
    this.heldBytes = 0;
    this.pause(false);
  }

  private pause(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    this.owner.setPaused(paused);
  }
}
