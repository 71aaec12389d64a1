import { openSource } from '../../core/body-source.ts';
import { Failure } from '../../core/failure.ts';
import { HeaderFields, HOP_BY_HOP } from '../../core/headers.ts';
import { discardBody, type HttpResponse, type InformationalResponse } from '../../core/message.ts';
import { checkInformational, responseContent } from '../../core/response-body.ts';
import type { Http2Exchange } from './exchange.ts';
import { sendWhole } from './outgoing.ts';
import { ResponseBlocks } from './response-block.ts';
import type { Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

/** 407 speaks to the next hop: its `proxy-authenticate` is the handler's to send. */
const NOT_TO_NEXT_HOP: ReadonlySet<string> = new Set([...HOP_BY_HOP].filter((name) => name !== 'proxy-authenticate'));

/** Writes responses on one connection. */
export class ResponseWriter {
  private readonly session: Session;
  private readonly blocks: ResponseBlocks;

  constructor(session: Session) {
    this.session = session;
    this.blocks = new ResponseBlocks(session.encoder);
  }

  /** Throws `TypeError` when it is none. */
  inform(stream: Http2Stream, response: InformationalResponse): void {
    checkInformational(response.status);
    const fields = HeaderFields.from(response.headers).endToEnd;
    this.session.writeHeaders(stream, this.blocks.informational(response.status, fields), false);
  }

  /**
   * Sends a response, or begins to. Throws, with nothing sent, when it cannot be sent. `onBroken`: its body failed in
   * the middle. `onTakeover`: the head is sent, and the stream is the new owner's.
   */
  send(
    exchange: Http2Exchange,
    response: HttpResponse,
    date: string,
    onBroken: (error: Error) => void,
    onTakeover: () => void,
  ): void {
    const { session } = this;
    const { head, stream } = exchange;
    const given = HeaderFields.from(response.headers);
    // The client would take any 2xx for the beginning of what it asked for (RFC 8441 §5), also from who knows nothing of it.
    if (head.upgrade !== null && response.takeover === undefined && response.status >= 200 && response.status <= 299) {
      throw new Failure('upgrade-unsupported');
    }
    const content = responseContent(response, given, head.method, head.upgrade !== null);
    const fields = response.status === 407 ? given.without(NOT_TO_NEXT_HOP) : given.endToEnd;
    // The client of an extended CONNECT waits for a 2xx (RFC 8441 §5).
    const status = response.status === 101 ? 200 : response.status;
    exchange.status = status;
    if (response.takeover !== undefined) {
      discardBody(response.body);
      session.writeHeaders(stream, this.blocks.final(status, fields, null, date), false);
      onTakeover();
      return;
    }
    if (content.kind === 'none' || head.method === 'HEAD') {
      const lengthBytes = content.kind === 'none' ? null : content.lengthBytes;
      discardBody(response.body);
      session.writeHeaders(stream, this.blocks.final(status, fields, lengthBytes, date), true);
      return;
    }
    if (content.kind === 'whole') {
      const block = this.blocks.final(status, fields, content.lengthBytes, date);
      sendWhole(session, stream, block, content.bytes, content.lengthBytes);
      return;
    }
    const source = openSource(content.source);
    session.writeHeaders(stream, this.blocks.final(status, fields, content.lengthBytes, date), false);
    const onDone = (error: Error | null): void => {
      if (error !== null && !stream.cut) onBroken(error);
    };
    stream.beginSending(content.lengthBytes, response.trailers ?? null, onDone).send(source);
  }
}
