import type { DiskSource } from '../../repository/import/disk-source.ts';
import { type ImportResult, importMachine } from '../../repository/import/import-machine.ts';
import type { ImportOptions, ImportRequest } from '../../repository/import/import-request.ts';
import { type Configured, machineConfig } from './config.ts';

/** A machine whose disks are open, wherever it comes from. */
export interface OpenedMachine {
	configured: Configured;
	/** In their order. Not closed. */
	disks: readonly DiskSource[];
	facts: Readonly<Record<string, unknown>>;
}

/** Which import it is, and into what. */
export type MachineImport = Pick<
	ImportRequest,
	'repository' | 'time' | 'importId' | 'moment' | 'base' | 'packBytes' | 'threads'
>;

/**
 * The restore point of a machine: every import comes to this, from a platform or from what a person names. How the machine boots is
 * looked for in what was stored, so no source is asked for the same bytes twice. Throws what {@link importMachine} throws.
 */
export async function storeMachine(
	which: MachineImport,
	{ configured, disks, facts }: OpenedMachine,
	options: ImportOptions,
): Promise<ImportResult> {
	const warnings: string[] = [];
	const result = await importMachine(
		{
			...which,
			machine: configured.machine,
			sources: disks,
			facts,
			config: async (stored, signal) => {
				const { config, unseen } = await machineConfig(configured, stored, signal);
				if (unseen !== undefined) warnings.push(unseen);
				return config;
			},
		},
		options,
	);
	for (const id of result.unreadablePacks)
		warnings.push(`the footer of pack ${id} cannot be read: what lies in it was stored again`);
	return { ...result, warnings: [...warnings, ...result.warnings] };
}
