/** What the workflow bundle is made of. */
export { recovery } from './recovery.ts';
