import { basename } from 'node:path';
import { type SourceFile, withoutComments } from './source-files.ts';

/** Names that say nothing about what is inside. */
const EMPTY_NAMES = /^(utils?|helpers?|common|managers?|misc)\b|[-.](utils?|helpers?|manager)\b/;

/** `any` where only a type can stand. A rough look, which does not find itself; the linter reads the syntax. */
const TYPE_ANY = /\bas (any)\b|<(any)\b|:\s*any(?:\[\])?\s*[;,)=|&>{]|[|&,]\s*any\s*>|\|\s*any\s*[;,)=]/;

const DEFAULT_EXPORT = /^export default\b|^export\s*\{[^}]*\bas default\b/m;

/** A configuration that is a module has one, so tests and examples may show it. */
const mayExportDefault = (path: string): boolean => /^(test|examples)\//.test(path);

const lineCount = (file: SourceFile): number => file.text.trimEnd().split('\n').length;

/** What is wrong with the sizes of the product's files, a sentence for each. */
export function sizeFaults(files: readonly SourceFile[]): string[] {
  const sizes = files.map(lineCount).sort((a, b) => a - b);
  const share = (ratio: number): number => sizes[Math.ceil(sizes.length * ratio) - 1] ?? 0;
  return [
    ...(share(0.5) > 110 ? [`the median file has ${share(0.5)} lines, more than 110`] : []),
    ...(share(0.9) > 260 ? [`one file in ten has ${share(0.9)} lines or more, the limit is 260`] : []),
    ...tooLong(files, 400),
  ];
}

/** A sentence for every file of more than `maxLineCount` lines. */
export function tooLong(files: readonly SourceFile[], maxLineCount: number): string[] {
  return files
    .filter((file) => lineCount(file) > maxLineCount)
    .map((file) => `${file.path} has ${lineCount(file)} lines, more than ${maxLineCount}`);
}

/** What is wrong with the names in a file and with its own, a sentence for each. */
export function namingFaults(file: SourceFile): string[] {
  const code = withoutComments(file.text);
  return [
    ...(EMPTY_NAMES.test(basename(file.path, '.ts')) ? [`${file.path}: the name says nothing`] : []),
    ...(DEFAULT_EXPORT.test(code) && !mayExportDefault(file.path) ? [`${file.path}: a default export`] : []),
    ...(TYPE_ANY.test(withoutText(code)) ? [`${file.path}: a value has the type any`] : []),
  ];
}

/** The code with string literals emptied; templates stay, for there is code in them. */
function withoutText(code: string): string {
  return code.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}
