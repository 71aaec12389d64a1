// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this syntax is what is tested
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interpolate } from '../../src/runtime/interpolate.ts';

const environment = { HOST: 'example.com', EMPTY: '', NESTED: '${HOST}', PORT: '8080' };
const filled = (text: string): string | null => interpolate(text, environment).text;
const fault = (text: string): string | null => interpolate(text, environment).fault;

test('variables are filled in, in the middle of a text and more than once', () => {
  assert.equal(filled('http://${HOST}:${PORT}/'), 'http://example.com:8080/');
});

test('a default stands for a variable that is not set, or is empty', () => {
  assert.equal(filled('${NOPE:-fall back}'), 'fall back');
  assert.equal(filled('${EMPTY:-x}'), 'x');
  assert.equal(filled('${NOPE:-}'), '');
  assert.equal(filled('${EMPTY}'), '');
});

test('what a variable holds is not read again', () => {
  assert.equal(filled('${NESTED}'), '${HOST}');
});

test('two dollars make a plain one, and a dollar without a brace is one already', () => {
  assert.equal(filled('$${HOST} costs $5'), '${HOST} costs $5');
});

test('a variable that is not set is a fault with the nearest name', () => {
  assert.equal(
    fault('${HOTS}'),
    'the environment variable HOTS is not set, did you mean HOST? (${HOTS:-default} gives a default)',
  );
});

test('something in braces that is not a variable is a fault, not text', () => {
  for (const text of ['${}', '${a.b}', '${1}', '${HOST', '${HOST-x}'])
    assert.match(fault(text) ?? '', /is not a variable: write \$\{NAME\}/, text);
});
