import type { Socket } from 'node:net';
import { asBuffer, openSource } from '../../core/body-source.ts';
import { HeaderFields } from '../../core/headers.ts';
import { discardBody, type HttpResponse, type Takeover } from '../../core/message.ts';
import { Http1OutgoingBody } from './outgoing.ts';
import { bodyFraming, type ResponseContext, responseHead } from './write.ts';

/** Text is gathered up to this size before it is written. */
const GATHERED_MAX_CHARS = 65_536;
/** Bytes up to this size leave as text, in the same write as their head; larger ones in a gathered write. */
const COPIED_MAX_BYTES = 4096;

/** How the sending of a response went on. */
export type Sent = 'sent' | 'streaming' | 'taken-over';

/**
 * The writing half of a connection. While bytes are being taken in, answers are gathered, so that those to pipelined
 * requests leave in one write; otherwise they leave at once.
 */
export class Output {
  private readonly socket: Socket;
  private readonly onStreamed: (error: Error | null, untilClose: boolean) => void;
  private gathering = false;
  private gathered = '';
  private stream: Http1OutgoingBody | null = null;

  /**
   * `onStreamed` is called when a body in pieces has been written, or with the reason why it could not. `untilClose`:
   * the end of this body is the end of the connection.
   */
  constructor(socket: Socket, onStreamed: (error: Error | null, untilClose: boolean) => void) {
    this.socket = socket;
    this.onStreamed = onStreamed;
  }

  gather(): void {
    this.gathering = true;
  }

  /** Writes what was gathered. */
  release(): void {
    this.gathering = false;
    this.flush();
  }

  /** Sends text that is latin-1 already. */
  text(text: string): void {
    if (!this.gathering) this.socket.write(text, 'latin1');
    else {
      this.gathered += text;
      if (this.gathered.length > GATHERED_MAX_CHARS) this.flush();
    }
  }

  /** Sends the last text and then FIN. */
  end(): void {
    const { gathered } = this;
    this.gathered = '';
    if (gathered === '') this.socket.end();
    else this.socket.end(gathered, 'latin1');
  }

  /**
   * Sends a response, or the part of it that can be sent now. Throws, with nothing sent, when it is not one that can
   * be sent. `takeover` is called with the socket after the head.
   */
  send(response: HttpResponse, context: ResponseContext, takeover: (take: Takeover) => void): Sent {
    const { prepared } = response;
    const usual = prepared !== undefined && context.persist && context.minorVersion === 1 && context.method !== 'HEAD';
    if (usual && prepared.date === context.date) {
      this.text(prepared.text);
      return 'sent';
    }
    const fields = HeaderFields.from(response.headers);
    const framing = bodyFraming(response, fields, context);
    const head = responseHead(response, fields, framing, context);
    if (response.takeover !== undefined) {
      discardBody(response.body);
      this.text(head);
      this.release();
      takeover(response.takeover);
      return 'taken-over';
    }
    if (framing.kind === 'none' || context.method === 'HEAD') {
      discardBody(response.body);
      this.text(head);
      return 'sent';
    }
    if (framing.kind === 'whole') {
      const text = this.whole(head, framing.bytes, framing.lengthBytes);
      if (usual && text !== null) {
        prepared.date = context.date;
        prepared.text = text;
      }
      return 'sent';
    }
    const { kind } = framing;
    const source = openSource(framing.source);
    const lengthBytes = kind === 'length' ? framing.lengthBytes : null;
    const trailers = kind === 'chunked' ? (response.trailers ?? null) : null;
    const stream = new Http1OutgoingBody(this.socket, { kind, lengthBytes }, trailers, (error) => {
      this.stream = null;
      this.onStreamed(error, kind === 'close');
    });
    this.text(head);
    this.stream = stream;
    this.flush();
    stream.send(source);
    return 'streaming';
  }

  /** The socket has room again. */
  drained(): void {
    this.stream?.drained();
  }

  /** Stops a body that is being sent; its source is told. */
  abort(error: Error): void {
    this.stream?.abort(error);
  }

  /** Head and body in one write. Returns the text of both where they are text. */
  private whole(head: string, bytes: string | Uint8Array, lengthBytes: number): string | null {
    if (typeof bytes === 'string') {
      // As many bytes as characters means ASCII, which may go out as latin-1 together with the head.
      if (bytes.length === lengthBytes) {
        const text = head + bytes;
        this.text(text);
        return text;
      }
      return this.whole(head, Buffer.from(bytes), lengthBytes);
    }
    if (lengthBytes <= COPIED_MAX_BYTES) {
      const text = head + asBuffer(bytes).toString('latin1');
      this.text(text);
      return text;
    }
    this.socket.cork();
    this.socket.write(this.gathered + head, 'latin1');
    this.gathered = '';
    this.socket.write(bytes);
    this.socket.uncork();
    return null;
  }

  private flush(): void {
    const { gathered } = this;
    if (gathered === '') return;
    this.gathered = '';
    this.socket.write(gathered, 'latin1');
  }
}
