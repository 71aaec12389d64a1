import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { channel } from '../../core/events.ts';
import type { Certificate } from './certificate.ts';
import type { ClientHello } from './client-hello.ts';
import { Credentials } from './credentials.ts';
import { FileWatch } from './file-watch.ts';
import { HandshakeBudget } from './handshake-budget.ts';
import { filesOf, type TlsOptions } from './options.ts';
import { TicketKeys } from './tickets.ts';

const swapped = channel('tls:reload');
const refused = channel('tls:error');
const expired = channel('tls:expired');

/** Where the TLS of one listener ends: its certificates of the moment, ticket keys, budget, and the watch on its files. */
export class Termination {
  settings: TlsOptions;
  budget: HandshakeBudget;
  private readonly listener: string;
  private readonly protocols: string[];
  private readonly clock: Clock;
  private tickets: TicketKeys;
  private credentials: Credentials;
  private watch: FileWatch | null = null;
  private isOpen = false;

  /** `protocols`: the ALPN names, best first. Reads the files. Throws `CertificateError`. */
  constructor(listener: string, settings: TlsOptions, protocols: readonly string[], clock: Clock) {
    this.listener = listener;
    this.settings = settings;
    this.protocols = [...protocols];
    this.clock = clock;
    this.budget = budgetOf(settings, clock);
    this.tickets = new TicketKeys(settings.ticketRotateMs, settings.ticketSecret);
    this.credentials = this.read(settings, this.tickets);
  }

  /** Begins to watch the files. */
  open(): void {
    this.isOpen = true;
    this.tellExpired();
    this.follow();
  }

  close(): void {
    this.isOpen = false;
    this.watch?.close();
  }

  /**
   * Takes other options, or reads the files again. Handshakes from now on meet the new certificates; connections keep
   * what they have. Throws `CertificateError`, and then nothing has changed.
   */
  update(settings: TlsOptions = this.settings): void {
    const { ticketRotateMs, ticketSecret, handshakeMaxCount, handshakeMaxPerSec } = this.settings;
    const sameKeys = settings.ticketRotateMs === ticketRotateMs && settings.ticketSecret === ticketSecret;
    const tickets = sameKeys ? this.tickets : new TicketKeys(settings.ticketRotateMs, settings.ticketSecret);
    const before = this.credentials;
    this.credentials = this.read(settings, tickets);
    this.tickets = tickets;
    if (settings.handshakeMaxCount !== handshakeMaxCount || settings.handshakeMaxPerSec !== handshakeMaxPerSec) {
      this.budget = budgetOf(settings, this.clock);
    }
    const sameFiles = filesOf(settings).join('\n') === filesOf(this.settings).join('\n');
    const follows = sameFiles && settings.watch === this.settings.watch;
    this.settings = settings;
    if (this.isOpen && !follows) this.follow();
    const certificates = this.credentials.certificates;
    if (sameCertificates(before.certificates, certificates) && before.bundle === this.credentials.bundle) return;
    this.tellExpired();
    if (swapped.heard) swapped.publish({ listener: this.listener, sources: certificates.map(({ source }) => source) });
  }

  /** Begins a handshake as the server's side of it. The socket's first bytes are back in it, unread. */
  begin(raw: Socket, hello: ClientHello): TLSSocket {
    const { clientAuth } = this.settings;
    return new TLSSocket(raw, {
      isServer: true,
      secureContext: this.credentials.contextFor(hello, this.clock.wallMs()),
      ALPNProtocols: this.protocols,
      requestCert: clientAuth !== 'none',
      rejectUnauthorized: clientAuth === 'require',
    });
  }

  private read(settings: TlsOptions, tickets: TicketKeys): Credentials {
    return new Credentials(`listener ${this.listener}: tls`, settings, tickets, this.clock.wallMs());
  }

  private follow(): void {
    this.watch?.close();
    const files = this.settings.watch ? filesOf(this.settings) : [];
    this.watch = new FileWatch(
      files,
      this.clock,
      () => this.reread(),
      (error) => this.tell(error),
    );
  }

  private reread(): void {
    try {
      this.update();
    } catch (error) {
      this.tell(error);
    }
  }

  private tell(error: unknown): void {
    const told = error instanceof Error ? error : new Error(String(error));
    if (refused.heard) refused.publish({ listener: this.listener, error: told });
  }

  private tellExpired(): void {
    if (!expired.heard) return;
    for (const { source, validTo } of this.credentials.certificates) {
      if (validTo.getTime() <= this.clock.wallMs()) expired.publish({ listener: this.listener, source, validTo });
    }
  }
}

const budgetOf = ({ handshakeMaxCount, handshakeMaxPerSec }: TlsOptions, clock: Clock): HandshakeBudget =>
  new HandshakeBudget(handshakeMaxCount, handshakeMaxPerSec, clock.now());

const sameCertificates = (some: readonly Certificate[], others: readonly Certificate[]): boolean =>
  some.length === others.length && some.every(({ cert }, index) => cert === others[index]?.cert);
