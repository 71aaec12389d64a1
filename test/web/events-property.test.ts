import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eventText } from '../../src/web/event-format.ts';

interface Dispatched {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** An event stream read as a client reads it, by the rules of WHATWG HTML §9.2.6. */
function read(stream: string): Dispatched[] {
  const events: Dispatched[] = [];
  let [type, data, id]: [string, string[], string] = ['', [], ''];
  for (const line of stream.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data.length > 0)
        events.push({ type: type === '' ? 'message' : type, data: data.join('\n'), lastEventId: id });
      [type, data] = ['', []];
      continue;
    }
    const [, field = line, value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
  return events;
}

const text = fc.string({ unit: fc.constantFrom('a', ':', ' ', '\n', '\r', '\0', 'ä', 'data: ', 'id: ', 'event: ') });
const line = text.filter((value) => !/[\r\n\0]/.test(value));

test('whatever the data is, a client reads exactly the events that were sent', () => {
  const event = fc.record({ data: text, event: line, id: line });
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const expected = events.map(({ data, event: type, id }) => ({
        type: type === '' ? 'message' : type,
        data: data.replace(/\r\n?/g, '\n'),
        lastEventId: id,
      }));
      assert.deepEqual(read(events.map(eventText).join('')), expected);
    }),
  );
});
