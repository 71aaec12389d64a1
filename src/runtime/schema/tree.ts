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
      if (forms(node).every((form) => !isBlock(form) && itemBlocks(form).length === 0))
        leaves.push({ path, node, required });
    });
    return leaves;
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

function itemBlocks(node: Node): Node[] {
  return items(node).flatMap(forms).filter(isBlock);
}

type Visitor = (path: string, node: Node, required: boolean) => void;

function visit(node: Node, path: string, required: boolean, see: Visitor): void {
  see(path, node, required);
  for (const form of forms(node)) {
    for (const block of itemBlocks(form)) visit(block, `${path}[]`, true, see);
    for (const [key, child] of Object.entries(form.properties ?? {})) {
      if (isNode(child)) visit(child, path === '' ? key : `${path}.${key}`, form.required?.includes(key) ?? false, see);
    }
  }
}
