import type { CallOptions } from '../contract.ts';
import { freeTargetPort } from './base.ts';
import type { MachineParts } from './parts.ts';
import { createRecord, records, targetIds } from './record.ts';
import { makeVolume } from './volume.ts';

/** See `Machine.create`. */
export async function createMachine(parts: MachineParts, options: CallOptions): Promise<void> {
	const { settings, definition, hardware, paths } = parts;
	await targetIds(definition, paths); // what is to stand on them must be able to
	if ((await records.read(definition, paths)) === undefined)
		await createRecord(definition, paths, await freeTargetPort(settings.address));
	await makeVolume(parts, await records.of(definition, paths), options);
	await settings.driver.ask(
		'create-machine',
		{
			recoveryId: definition.recoveryId,
			name: definition.machineName,
			directory: paths.windows.directory,
			generation: hardware.generation,
			memoryMiB: hardware.memoryMiB,
			processors: definition.config.cpus,
			secureBoot: hardware.secureBoot,
			nics: definition.nics.map(({ mac, target }, number) => ({
				name: `nic${number}`,
				mac,
				switchName: target === 'none' ? null : target,
			})),
			pipe: paths.windows.pipe,
		},
		options,
	);
}
