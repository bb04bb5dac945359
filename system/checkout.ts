import { fileURLToPath } from 'node:url';

/** The checkout this program runs from: its other programs are started from there, too. */
export const checkoutDirectory = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
