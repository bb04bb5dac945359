import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importMachine } from '../../../repository/import/import-machine.ts';
import { openRepository } from '../../../repository/repository.ts';
import { decideConfig, readMachineSpec } from '../../../sources/machine-spec.ts';
import { openSource } from '../../../sources/open-source.ts';

/** At the rate of the site's file some seconds of copying. */
const diskBytes = 16 * 1024 * 1024;

interface Where {
	repository: string;
	spec: string;
	scratch: string;
	signal: AbortSignal;
}

/** Backups of machines whose disks are noise, in this process: a command for each takes longer than all of them. */
export async function importNoise(machines: readonly string[], { repository, spec, scratch, signal }: Where) {
	const machineSpec = await readMachineSpec(spec);
	const into = await openRepository(repository);
	const image = join(scratch, 'noise.raw');
	try {
		for (const machine of machines) {
			await writeFile(image, randomBytes(diskBytes));
			const disk = await openSource(image, { signal });
			try {
				const config = decideConfig(machineSpec, machine, [{ facts: disk.facts, table: undefined }]);
				const time = new Date().toISOString();
				await importMachine({ repository: into, machine, time, sources: [disk], config }, { signal });
			} finally {
				await disk.close();
			}
		}
	} finally {
		await into.store.close();
		await rm(image, { force: true });
	}
	return machines.length * diskBytes;
}
