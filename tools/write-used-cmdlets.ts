/**
 * `node tools/write-used-cmdlets.ts`: writes down which cmdlets and parameters the driver uses, for the self test, which asks a
 * host for them. A unit test compares the file with the driver.
 */
import { writeFile } from 'node:fs/promises';
import { usedByDriver } from './lint-driver.ts';

const path = new URL('../hypervisors/hyperv/selftest/used-cmdlets.json', import.meta.url);
await writeFile(path, `${JSON.stringify(await usedByDriver(), undefined, '\t')}\n`);
