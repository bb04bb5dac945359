export { buildConsole as build } from '../recover/console.ts';
