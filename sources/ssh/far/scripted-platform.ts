import { asRouseError, type ErrorCode, RouseError } from '../../../model/errors.ts';
import { AgentRanges } from '../agent/agent-ranges.ts';
import { DdRanges } from '../dd-ranges.ts';
import { type FarFacts, parseFarFacts } from '../facts/facts.ts';
import { parseVolumes, type ReportedVolume } from '../facts/lvm-reports.ts';
import { factsScript } from '../facts/script.ts';
import type { FarPlatform, SnapshotKept, SnapshotOrder, VolumeName } from '../platform.ts';
import type { Ranges } from '../ranges.ts';
import type { FarSide } from './far-side.ts';
import {
	addTagsScript,
	busyExit,
	changedExit,
	keptScript,
	refusedExit,
	removeScript,
	snapshotScript,
	volumesAtRestScript,
	volumesScript,
} from './scripts.ts';
import { snapshotRefused } from './snapshot-refused.ts';

/** A machine by the programs that it has: those of its system, LVM, and Python or dd. */
export class ScriptedPlatform implements FarPlatform {
	readonly #far: FarSide;

	constructor(far: FarSide) {
		this.#far = far;
	}

	get name(): string {
		return this.#far.name;
	}

	async facts(signal: AbortSignal): Promise<FarFacts> {
		return parseFarFacts(await this.#done(factsScript, [], signal));
	}

	async volumes(signal: AbortSignal): Promise<ReportedVolume[]> {
		return this.#volumesBy(volumesScript, signal);
	}

	async volumesAtRest(signal: AbortSignal): Promise<ReportedVolume[]> {
		return this.#volumesBy(volumesAtRestScript, signal);
	}

	async #volumesBy(script: string, signal: AbortSignal): Promise<ReportedVolume[]> {
		const text = await this.#done(script, [], signal);
		try {
			return parseVolumes(text);
		} catch (cause) {
			throw new RouseError('source_invalid', `what lvs tells on ${this.name} is not understood`, { cause });
		}
	}

	async sync(signal: AbortSignal): Promise<void> {
		await this.#done('sync', [], signal);
	}

	async snapshot(order: SnapshotOrder, signal: AbortSignal): Promise<SnapshotKept[]> {
		const said = await this.#done(
			snapshotScript,
			[
				order.tags.join(','),
				...order.groups.flatMap(({ name, seqno }) => [name, String(seqno)]),
				'-',
				...order.snapshots.flatMap(({ group, origin, name, extents }) => [group, origin, name, String(extents)]),
			],
			signal,
		);
		return keptBy(order.snapshots, said);
	}

	async kept(snapshots: readonly VolumeName[], signal: AbortSignal): Promise<SnapshotKept[]> {
		return keptBy(snapshots, await this.#done(keptScript, snapshots.map(title), signal));
	}

	async addTags(volume: VolumeName, tags: readonly string[], signal: AbortSignal): Promise<void> {
		await this.#done(addTagsScript, [title(volume), ...tags], signal);
	}

	async remove(volumes: readonly VolumeName[], signal: AbortSignal): Promise<void> {
		if (volumes.length === 0) return;
		await this.#done(removeScript, volumes.map(title), signal);
	}

	async ranges(signal: AbortSignal): Promise<Ranges> {
		try {
			return await AgentRanges.start(this.#far, signal);
		} catch (error) {
			if (asRouseError(error).code === 'tool_missing') return new DdRanges(this.#far);
			throw error;
		}
	}

	async #done(script: string, args: readonly string[], signal: AbortSignal): Promise<string> {
		const { code, stdout, said } = await this.#far.run(script, args, signal);
		if (code === 0) return stdout.toString('utf8');
		if (code === refusedExit) throw snapshotRefused(this.name, stdout.toString('utf8'));
		const { errorCode, what } = failures.get(code) ?? {
			errorCode: 'tool_failed',
			what: `a command ended with ${code}`,
		};
		throw new RouseError(errorCode, `on ${this.name} ${what}: ${said.slice(-1000) || 'it said nothing'}`);
	}
}

const failures = new Map<number, { errorCode: ErrorCode; what: string }>([
	[busyExit, { errorCode: 'source_busy', what: 'volumes are in use, or somebody is at work on them' }],
	[changedExit, { errorCode: 'source_changed', what: 'volumes of LVM were changed meanwhile' }],
]);

function title({ group, name }: VolumeName): string {
	return `${group}/${name}`;
}

function keptBy(snapshots: readonly VolumeName[], said: string): SnapshotKept[] {
	const lines = said.split('\n');
	return snapshots.map(one => ({
		name: one.name,
		...keptIn(lines.find(line => line.startsWith(`${title(one)} `)) ?? ''),
	}));
}

const sectorBytes = 512;

/**
 * Of a snapshot's table, `0 SECTORS snapshot ORIGIN STORE P CHUNK`, and its status behind that, `0 SECTORS snapshot USED/ROOM TABLES`, all in
 * sectors: https://docs.kernel.org/admin-guide/device-mapper/snapshot.html. Whatever is said otherwise counts as very much.
 */
export function keptIn(line: string): { chunkBytes: number; chunks: number } {
	const found = / snapshot \S+ \S+ \S+ (\d+)(?: .*)? snapshot (\d+)\/\d+ (\d+)$/.exec(line.trimEnd());
	if (found === null) return { chunkBytes: sectorBytes, chunks: Number.POSITIVE_INFINITY };
	const [chunk, used, tables] = found.slice(1).map(Number);
	return { chunkBytes: (chunk ?? 0) * sectorBytes, chunks: ((used ?? 0) - (tables ?? 0)) / Math.max(1, chunk ?? 1) };
}
