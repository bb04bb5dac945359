import { RouseError } from '../../model/errors.ts';
import { latestAmong, listMachines, listPoints, resolvePoint } from '../../repository/points.ts';
import { readChosenPoint } from '../../repository/read-points.ts';
import { openRepository, type Repository } from '../../repository/repository.ts';
import type { FoundPoint } from '../requests.ts';

/** The restore points of repositories, each of which is opened once: a site names hundreds of machines of it. */
export class Catalogue {
	readonly #opened = new Map<string, Promise<Repository>>();

	/** Names of all machines, sorted. `directory`: absolute. */
	async machines(directory: string): Promise<string[]> {
		return listMachines(await this.#open(directory));
	}

	/** `point`: as a batch file has it. Throws `machine_unknown`, `point_unknown`, `point_ambiguous`, `format_damaged`. */
	async point(directory: string, machine: string, point: string): Promise<FoundPoint> {
		const repository = await this.#open(directory);
		const before = beforeOf(point);
		const time =
			before === undefined
				? await resolvePoint(repository, machine, point)
				: await latestBefore(repository, machine, before);
		return this.#read(repository, machine, time);
	}

	/** `time`: in full. */
	async pointAt(directory: string, machine: string, time: string): Promise<FoundPoint> {
		return this.#read(await this.#open(directory), machine, time);
	}

	async close(): Promise<void> {
		const opened = await Promise.allSettled(this.#opened.values());
		this.#opened.clear();
		for (const one of opened) if (one.status === 'fulfilled') await one.value.store.close();
	}

	async #read(repository: Repository, machine: string, time: string): Promise<FoundPoint> {
		const { manifestDigest, manifest } = await readChosenPoint(repository, machine, time);
		const { config, facts, disks } = manifest;
		return { machine, time, manifestDigest, config, facts, disks };
	}

	#open(directory: string): Promise<Repository> {
		const known = this.#opened.get(directory);
		if (known) return known;
		const opening = openRepository(directory);
		this.#opened.set(directory, opening);
		return opening;
	}
}

function beforeOf(point: string): string | undefined {
	return /^latest before (.*)$/.exec(point)?.[1];
}

async function latestBefore(repository: Repository, machine: string, written: string): Promise<string> {
	const before = new Date(written).toISOString();
	const latest = await resolvePoint(repository, machine, 'latest'); // for its error when there is none
	if (latest < before) return latest;
	const times = await listPoints(repository, machine);
	const earlier = times.filter(time => time < before);
	const found = await latestAmong(repository, machine, earlier);
	if (found !== undefined) return found;
	throw new RouseError('point_unknown', `${machine} has no restore point before ${before}`, {
		hint: `its first is ${times[0]}`,
	});
}
