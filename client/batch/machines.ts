import type { BatchEntry, BatchFile, BatchFileGroup, BatchSettings } from '../../model/batch-file.ts';
import { RouseError } from '../../model/errors.ts';
import { isPattern, matching } from './patterns.ts';

/** A machine of the repository that the batch is to recover, with all that the file says about it. */
export interface NamedMachine {
	machine: string;
	group: string;
	/** Of that entry alone, and of none that a pattern found. */
	entry: Pick<BatchEntry, 'name' | 'machineName' | 'memory' | 'cpus' | 'forwards' | 'platform'>;
	settings: BatchSettings;
	/** Where the file names it. */
	keys: readonly PropertyKey[];
}

/** The machines that a repository has, by its name in config.yaml; undefined is the one that is meant without a name. */
export type MachinesOf = (repository: string | undefined) => Promise<readonly string[]>;

/** Fields of one machine alone: a pattern would give them to several. */
const ofOne = ['name', 'machineName', 'forwards'] as const;

/**
 * All machines of the file, in its order. A pattern takes what no entry names and no pattern before it has taken. Errors
 * come through `refuse`, with the place.
 */
export async function namedMachines(
	file: BatchFile,
	machinesOf: MachinesOf,
	refuse: (keys: readonly PropertyKey[], error: RouseError) => RouseError,
): Promise<NamedMachine[]> {
	const entries = file.groups.flatMap((group, g) =>
		group.machines.map((written, m) => ({
			group,
			keys: ['groups', g, 'machines', m],
			entry: typeof written === 'string' ? { machine: written } : written,
		})),
	);
	const taken = new Set(entries.map(({ entry }) => entry.machine).filter(name => !isPattern(name)));
	const named: NamedMachine[] = [];
	for (const { group, keys, entry } of entries) {
		const settings = settingsOf(file.defaults, group, entry);
		const add = (machine: string) => named.push({ machine, group: group.name, entry, settings, keys });
		if (!isPattern(entry.machine)) {
			add(entry.machine);
			continue;
		}
		const one = ofOne.find(field => entry[field] !== undefined);
		if (one !== undefined)
			throw refuse([...keys, one], new RouseError('spec_invalid', `${one} is of one machine, not of a pattern`));
		const all = await machinesOf(settings.repository);
		const found = matching(entry.machine, all);
		if (found.length === 0) throw refuse(keys, nothingMatches(entry.machine, all));
		for (const machine of found.filter(name => !taken.has(name))) {
			taken.add(machine);
			add(machine);
		}
	}
	return named;
}

function nothingMatches(pattern: string, all: readonly string[]): RouseError {
	const some = all.length > 5 ? `${all.slice(0, 5).join(', ')} and ${all.length - 5} more` : all.join(', ');
	return new RouseError('machine_unknown', `no machine of the repository matches ${pattern}`, {
		hint: all.length === 0 ? 'the repository is empty' : `it holds ${some}`,
	});
}

/** What is nearest to the machine counts; networks are merged; `by` and `rto` are two words for one thing. */
function settingsOf(defaults: BatchSettings, group: BatchFileGroup, entry: BatchEntry): BatchSettings {
	const merged: BatchSettings = {};
	for (const { by, rto, networks, ...level } of [defaults, group, entry]) {
		Object.assign(merged, level);
		if (by !== undefined || rto !== undefined) Object.assign(merged, { by, rto });
		if (networks !== undefined) merged.networks = { ...merged.networks, ...networks };
	}
	return merged;
}
