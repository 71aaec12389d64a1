import { z } from 'zod';
import type { Path } from '../problem.ts';

type Node = z.core.JSONSchema.JSONSchema;

/** A place where one plain value (or list of them) is set, with what the schema says about it. */
export interface Leaf {
  /** `listeners[].limits.idleTimeoutMs` */
  readonly path: string;
  readonly node: Node;
  readonly required: boolean;
}

/** One key of a block, for its documentation. */
export interface Entry {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What the code uses when the key is left out; `undefined` where that is no plain value. */
  readonly fallback: string | number | boolean | null | undefined;
  readonly kinds: readonly string[];
  readonly choices: readonly string[];
}

/** A block of keys, for its documentation. */
export interface Block {
  /** `listeners[].limits`; empty for the top level. */
  readonly path: string;
  readonly description: string;
  readonly entries: readonly Entry[];
}

/** The JSON Schema of the configuration, for finding one's way by path. */
export class SchemaTree {
  readonly root: Node;

  constructor(schema: z.ZodType) {
    this.root = z.toJSONSchema(schema, { io: 'input' });
  }

  /** The names of the keys a block may have. */
  keysAt(path: Path): string[] {
    return this.nodesAt(path).flatMap((node) => Object.keys(node.properties ?? {}));
  }

  /** `string`, `number`, `boolean`, `null`, `array`, `object`: what may stand at a path. */
  kindsAt(path: Path): ReadonlySet<string> {
    const kinds = this.nodesAt(path).flatMap((node) => (node.type === 'integer' ? 'number' : (node.type ?? [])));
    return new Set(kinds);
  }

  /** The words that may stand at a path, where only some may. */
  choicesAt(path: Path): string[] {
    return this.nodesAt(path).flatMap((node) => (node.enum ?? []).filter((choice) => typeof choice === 'string'));
  }

  /** The blocks that have a key of this name. */
  homesOf(key: string): string[] {
    const homes: string[] = [];
    visit(this.root, '', true, (path, node) => {
      if (node.properties?.[key] !== undefined && path !== '') homes.push(path);
    });
    return [...new Set(homes)];
  }

  /** Everything that can be set, in the order of the schema. */
  leaves(): Leaf[] {
    const leaves: Leaf[] = [];
    visit(this.root, '', true, (path, node, required) => {
      if (forms(node).some(isPlainForm)) leaves.push({ path, node, required });
    });
    return leaves;
  }

  /** Every block, in the order of the schema. */
  blocks(): Block[] {
    const blocks: Block[] = [];
    visit(this.root, '', true, (path, node) => {
      for (const form of forms(node).filter(isBlock)) {
        const entries = Object.entries(form.properties ?? {}).flatMap(([name, child]) =>
          isNode(child) ? entry(name, child, form.required?.includes(name) ?? false) : [],
        );
        blocks.push({ path, description: node.description ?? '', entries });
      }
    });
    return blocks;
  }

  private nodesAt(path: Path): Node[] {
    let nodes = forms(this.root);
    for (const step of path) nodes = nodes.flatMap((node) => childrenAt(node, step)).flatMap(forms);
    return nodes;
  }
}

function childrenAt(node: Node, step: string | number): Node[] {
  if (typeof step === 'number') return items(node);
  return [node.properties?.[step] ?? node.additionalProperties].filter(isNode);
}

function entry(name: string, node: Node, required: boolean): Entry {
  const { description = '', default: fallback } = node;
  return {
    name,
    description,
    required,
    fallback: isPlain(fallback) ? fallback : undefined,
    kinds: [...new Set(forms(node).flatMap((form) => form.type ?? []))],
    choices: forms(node).flatMap((form) => (form.enum ?? []).map(String)),
  };
}

function isPlain(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** A node, or its alternatives. */
function forms(node: Node): Node[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(forms);
}

function items(node: Node): Node[] {
  return [node.items].flat().filter(isNode);
}

function isNode(value: Node | boolean | undefined): value is Node {
  return typeof value === 'object';
}

function isBlock(node: Node): boolean {
  return Object.keys(node.properties ?? {}).length > 0;
}

/** A list in which blocks may stand. */
function isBlockList(node: Node): boolean {
  return items(node).flatMap(forms).some(isBlock);
}

/** A value that is set as a whole: text, a number, a list of texts. */
function isPlainForm(node: Node): boolean {
  return node.type !== 'null' && !isBlock(node) && !isBlockList(node);
}

type Visitor = (path: string, node: Node, required: boolean) => void;

function visit(node: Node, path: string, required: boolean, see: Visitor): void {
  see(path, node, required);
  for (const form of forms(node)) {
    if (isBlockList(form)) for (const item of items(form)) visit(item, `${path}[]`, true, see);
    for (const [key, child] of Object.entries(form.properties ?? {})) {
      if (isNode(child)) visit(child, path === '' ? key : `${path}.${key}`, form.required?.includes(key) ?? false, see);
    }
  }
}
