import { HeaderFields } from '../core/headers.ts';
import type { HttpResponse } from '../core/message.ts';

/** What a handler has answered: a response, or a promise of one. */
export type Answer = HttpResponse | Promise<HttpResponse>;

/** Changes an answer; at once when it is there already. */
export function mapAnswer(answer: Answer, map: (response: HttpResponse) => HttpResponse): Answer {
  return answer instanceof Promise ? answer.then(map) : map(answer);
}

/**
 * The response with one header field replaced or added. It is a new one: a fixed reply must not change, and a Fetch
 * `Response` cannot be copied by spreading.
 */
export function withHeader(response: HttpResponse, name: string, value: string): HttpResponse {
  const { status, body, trailers, takeover, onDrain } = response;
  return { status, headers: HeaderFields.from(response.headers).with(name, value), body, trailers, takeover, onDrain };
}

/** The response with more header lines (see `HeaderFields.followedBy`). It is a new one, as above. */
export function withLines(response: HttpResponse, names: readonly string[], lines: string): HttpResponse {
  const { status, body, trailers, takeover, onDrain } = response;
  const headers = HeaderFields.from(response.headers).followedBy(names, lines);
  return { status, headers, body, trailers, takeover, onDrain };
}
