import { asBuffer } from '../../core/body-source.ts';
import { FLAG, FRAME, frameHeader, headersFrames } from './frame.ts';
import { COPIED_MAX_BYTES } from './options.ts';
import type { Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

/**
 * Sends a message whose body is all here: head and body in one piece where nothing is before them and the windows let
 * them go. `block` is the encoded head, `lengthBytes` what the body has as UTF-8.
 */
export function sendWhole(
  session: Session,
  stream: Http2Stream,
  block: string,
  body: string | Uint8Array,
  lengthBytes: number,
): void {
  if (lengthBytes === 0) {
    session.writeHeaders(stream, block, true);
    return;
  }
  if (!session.mayPass(stream, lengthBytes)) {
    session.writeHeaders(stream, block, false);
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    stream.beginSending(lengthBytes, null, () => undefined).sendWhole(bytes);
    return;
  }
  session.passed(stream, lengthBytes);
  const head =
    headersFrames(stream.id, block, false, session.peer.frameMaxBytes) +
    frameHeader(lengthBytes, FRAME.DATA, FLAG.END_STREAM, stream.id);
  // As many bytes as characters means ASCII, which may go out as latin-1 together with the head.
  if (typeof body === 'string' && body.length === lengthBytes) session.output.write(head + body);
  else {
    const bytes = typeof body === 'string' ? Buffer.from(body) : asBuffer(body);
    if (lengthBytes <= COPIED_MAX_BYTES) session.output.write(head + bytes.toString('latin1'));
    else {
      session.output.write(head);
      session.output.writeBytes(bytes);
    }
  }
  stream.sentEnd();
}
