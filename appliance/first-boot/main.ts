/** `rouse-first-boot.service`: what the seed disk says, if there is one. What it did is in `outcome.json` until the next boot. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asRouseError } from '../../model/errors.ts';
import { homeDirectory } from '../../system/installation.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';
import { runTool } from '../../system/run-tool.ts';
import { type Outcome, outcomePath } from '../report/outcome.ts';
import { configure, readRecord } from './configure.ts';
import { mustBeAppliance } from './mark.ts';
import { readSeedDisk } from './seed-disk.ts';

setPrivateUmask();
// Whoever tries it by hand is told, and nothing is written.
await mustBeAppliance().catch((error: unknown) => {
	const { code, message } = asRouseError(error);
	console.error(`${code}: ${message}`);
	process.exit(1);
});
const home = homeDirectory();

async function perform(): Promise<Outcome> {
	await chmod(home, 0o700); // as mkfs.xfs made it, everybody may look into it
	const seed = await readSeedDisk();
	if (seed === undefined) return { name: (await readRecord(home))?.name ?? null, seed: 'none' };
	const { name } = await configure(seed, { home, etc: '/etc' });
	// Until the next boot the kernel has the name that it read before.
	const said = await runTool('hostname', [name], { hint: 'apt-get install hostname', wholeMs: 20_000 });
	if (said.code !== 0) console.error(`hostname ${name}: ${said.tail.join(' ')}`);
	return { name, seed: 'taken' };
}

async function refused(thrown: unknown): Promise<Outcome> {
	const { code, message } = asRouseError(thrown);
	console.error(`${code}: ${message}`);
	const name = await readRecord(home).then(
		record => record?.name ?? null,
		() => null,
	);
	return { name, seed: 'refused', problem: `${code}: ${message}` };
}

// What is configured goes on with what it has when a seed is refused, so this ends well all the same.
const outcome = await perform().catch(refused);
await mkdir(dirname(outcomePath), { recursive: true, mode: 0o755 });
await writeFile(outcomePath, `${JSON.stringify(outcome)}\n`);
console.log(`seed disk: ${outcome.seed}; configured as ${outcome.name ?? 'nothing'}; kernel ${await kernel()}`);

async function kernel(): Promise<string> {
	return (await readFile('/proc/sys/kernel/osrelease', 'latin1')).trim();
}
