/** `node tools/write-performance.ts`: docs/performance.md anew, of what was measured and what was written by hand (bench/peers/kept). */
import { writePage } from '../bench/peers/keep.ts';

await writePage();
