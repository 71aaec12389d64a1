import { z } from 'zod';
import { parseBind } from '../../server/bind.ts';
import { parsed, required } from './unit.ts';

/** A listener of its own for operators. */
export const admin = z.strictObject({
  bind: required(
    parsed(parseBind),
    'Where it listens, as listeners do: `127.0.0.1:9901`, `unix:admin.sock`. It has no password, so choose who can reach it.',
  ),
});
