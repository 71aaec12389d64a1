import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { main } from './cli/main.ts';

// With one processor, threads that collect garbage side by side only wait for each other.
if (availableParallelism() === 1) setFlagsFromString('--single-threaded-gc');

// So that `pidof`, `pkill` and `top` know it by its name and not as one more `node`.
process.title = 'sluice';

process.exitCode = await main(process.argv.slice(2));
