import type { DiskSource } from '../../repository/import/disk-source.ts';
import { type ImportResult, importMachine } from '../../repository/import/import-machine.ts';
import type { ConfigOfStored, ImportOptions, ImportRequest } from '../../repository/import/import-request.ts';
import { type Configured, machineConfig, type SeenMachine } from './config.ts';

/** A machine whose disks are open, wherever it comes from. */
export interface OpenedMachine {
	configured: Configured;
	/** In their order. Not closed. */
	disks: readonly DiskSource[];
	facts: Readonly<Record<string, unknown>>;
	/** What was seen on the disks. Without it they are looked at as they were stored: then no source is asked for the same bytes twice. */
	seen?: SeenMachine | undefined;
}

/** Which import it is, and into what. */
export type MachineImport = Pick<
	ImportRequest,
	'repository' | 'time' | 'importId' | 'moment' | 'base' | 'packBytes' | 'threads'
>;

/**
 * The restore point of a machine: every import comes to this, from a platform or from what a person names. Throws what
 * {@link importMachine} throws.
 */
export async function storeMachine(
	which: MachineImport,
	{ configured, disks, facts, seen }: OpenedMachine,
	options: ImportOptions,
): Promise<ImportResult> {
	const warnings: string[] = [];
	const config: ConfigOfStored = async (stored, signal) => {
		const { config: found, unseen } = await machineConfig(configured, stored, signal);
		if (unseen !== undefined) warnings.push(unseen);
		return found;
	};
	const result = await importMachine(
		{ ...which, machine: configured.machine, sources: disks, facts, config: seen?.config ?? config },
		options,
	);
	for (const id of result.unreadablePacks)
		warnings.push(`the footer of pack ${id} cannot be read: what lies in it was stored again`);
	return { ...result, warnings: [...warnings, ...result.warnings] };
}
