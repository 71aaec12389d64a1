/** A room of src/, and what its files may import: other rooms, and packages. Node's own modules are open to all. */
interface Floor {
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
}

const LOWER = ['core', 'policy', 'transport', 'protocol/*'];
const ALL_BUT_CLI = [...LOWER, 'server', 'upstream', 'web', 'ops', 'runtime'];

/** Who may import whom. A room may always import its own files; protocols are rooms of their own, under one line. */
const FLOORS: Readonly<Record<string, Floor>> = {
  core: { rooms: [], packages: [] },
  policy: { rooms: ['core'], packages: [] },
  transport: { rooms: ['core'], packages: [] },
  'protocol/*': { rooms: ['core'], packages: [] },
  'protocol/websocket': { rooms: ['core'], packages: ['ws'] },
  server: { rooms: LOWER, packages: [] },
  upstream: { rooms: LOWER, packages: [] },
  // A WebSocket endpoint is a handler: the router makes them, as it makes every route.
  web: { rooms: ['core', 'policy', 'protocol/websocket'], packages: [] },
  ops: { rooms: ['core', 'web'], packages: [] },
  runtime: { rooms: ALL_BUT_CLI, packages: ['zod', 'yaml'] },
  cli: { rooms: ALL_BUT_CLI, packages: ['commander'] },
  index: { rooms: ALL_BUT_CLI, packages: [] },
};

/** The room of a file: `src/protocol/http1/parse.ts` is in `protocol/http1`, `src/cli.ts` in `cli`; `null` outside. */
function roomOf(path: string): string | null {
  const [top, room = '', ...inner] = path.split('/');
  if (top !== 'src') return null;
  if (room !== 'protocol') return room.replace(/\.ts$/, '');
  return inner.length > 1 ? `protocol/${inner[0]}` : null;
}

/** The line of the table that a room is under: its own, where it has one. */
function lineOf(room: string | null): string {
  if (room === null || room in FLOORS) return room ?? '';
  return room.replace(/^protocol\/.*/, 'protocol/*');
}

/** Whether this floor lets a room in, by its own name or by that of all protocols. */
function admits(floor: Floor, room: string | null): boolean {
  return (
    room !== null && (floor.rooms.includes(room) || floor.rooms.includes(room.replace(/^protocol\/.*/, 'protocol/*')))
  );
}

/** What is wrong with what a file imports, a sentence for each; empty when nothing is. */
export function floorFaults(path: string, imports: readonly string[]): string[] {
  const room = roomOf(path);
  const floor = FLOORS[lineOf(room)];
  if (floor === undefined) return [`${path}: its room has no line in the table of floors`];
  return imports.flatMap((target) => {
    if (target.startsWith('node:')) return [];
    const isFile = target.includes('/') && target.endsWith('.ts');
    if (isFile && (roomOf(target) === room || admits(floor, roomOf(target)))) return [];
    if (!isFile && floor.packages.includes(packageName(target))) return [];
    return [`${path}: ${room} may not import ${target}`];
  });
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** A chain of imports that comes back to its beginning, as paths, or `null`. */
export function findCycle(imports: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const target of imports.get(path) ?? []) {
      const cycle = visit(target, [...trail, path]);
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of imports.keys()) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}
