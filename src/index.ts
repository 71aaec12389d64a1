export { HeaderFields } from './core/headers.ts';
