import { basename } from 'node:path/posix';
import * as z from 'zod';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type * as documents from '../machine/documents.ts';
import { type GceAddress, type GsAddress, gsUri } from './address.ts';
import { configurationOf, doubtsOf, idsOf, leftOutOf, slotOf } from './configuration.ts';
import { costOf } from './cost.ts';
import type { GoogleApi } from './google/api.ts';
import { findInstance, type GceDescribed } from './instance.ts';
import {
	findGeneration,
	findObject,
	type FoundObject,
	generationName,
	type PinnedObject,
	shortName,
} from './object.ts';
import { openObjectArchive } from './object-archive.ts';
import type { Spool } from './spool.ts';

/** Of each disk, what names its bytes; where they are is the source's own address, which is its identity. */
const stateSchema = z.strictObject({
	objects: z.array(
		z.strictObject({
			generation: z.string().regex(/^\d{1,19}$/),
			sizeBytes: z.int().min(1),
			crc32c: z.int().min(0).max(0xffff_ffff),
		}),
	),
});

export interface GceArchives {
	/** Of each disk, in the order of the machine. */
	archives: readonly GsAddress[];
	/** Whose configuration it is; null: nobody tells. */
	instance: GceAddress | null;
	/** Where they are kept as they are fetched. */
	spool?: Spool | undefined;
}

/**
 * A machine of which Cloud Storage has an archive of each disk. A generation of an object never changes and keeps itself, so a moment
 * needs nothing of ours there; what is left over, here, is what a spool keeps. No archive tells what has changed since another.
 */
export class GceArchiveSource implements MachineSource {
	readonly kind = 'gce';
	readonly #archives: readonly GsAddress[];
	readonly #instance: GceAddress | null;
	readonly #identity: string;
	readonly #spool: Spool | undefined;
	readonly #api: GoogleApi;

	constructor({ archives, instance, spool }: GceArchives, api: GoogleApi) {
		this.#archives = archives;
		this.#instance = instance;
		this.#identity = shortName(archives.map(gsUri).join(' '));
		this.#spool = spool;
		this.#api = api;
	}

	async describe(signal: AbortSignal): Promise<documents.SourceMachine> {
		const [first] = this.#archives;
		if (first === undefined) throw new RouseError('internal', 'a machine without disks');
		const described = await this.#describeInstance(signal);
		const disks: documents.SourceMachine['disks'] = [];
		for (const [number, object] of (await this.#objects(signal)).entries()) {
			const sizeBytes = await this.#diskSize(object, signal);
			const slot = described && slotOf(described, number, sizeBytes);
			disks.push({ key: generationName(object), sizeBytes, slot: slot ?? null, serial: null, sectors: null });
		}
		return {
			kind: this.kind,
			uri: gsUri(first),
			identity: this.#identity,
			name: described?.instance.name ?? nameIn(first),
			ids: { bucket: first.bucket, ...(described && idsOf(described)) },
			config: described ? configurationOf(described) : {},
			disks,
			leftOut: described ? leftOutOf(described, disks.length) : [],
		};
	}

	async plan(
		{ disks }: documents.SourceMachine,
		_since: documents.Since | null,
		signal: AbortSignal,
	): Promise<documents.SourcePlan> {
		const described = await this.#describeInstance(signal);
		const objects = await this.#objects(signal);
		return {
			disks: disks.map(({ key }, number) => ({ key, reads: 'all', why, expectedBytes: objects[number]?.sizeBytes })),
			consistency: disks.length > 1 ? 'none' : 'crash',
			cost: costOf(objects),
			spool: (await this.#spool?.outlook(objects)) ?? noSpool,
			warnings: [
				...(disks.length > 1
					? ['nobody knows whether its archives are of one time: the machine may find disks that do not fit together']
					: []),
				...(described ? doubtsOf(described, disks) : []),
			],
		};
	}

	async begin(order: documents.BeginOrder, signal: AbortSignal): Promise<documents.SourceMoment> {
		this.#mustBeIt(order);
		const { tag, owner, identity, described } = order;
		const keys = described.disks.map(({ key }) => key);
		const objects = await this.#planned(keys, signal);
		await this.#spool?.mustHaveRoom(order, objects);
		return {
			tag,
			owner,
			identity,
			moment: shortName(keys.join(' ')),
			takenAt: objects.map(({ createdAt }) => createdAt).reduce((a, b) => (a > b ? a : b)),
			holdUntil: null,
			together: objects.length === 1,
			...(this.#spool === undefined ? { readAnew: true as const } : {}),
			disks: described.disks.map(({ key, sizeBytes }) => ({ key, sizeBytes, consistency: 'crash' })),
			checkpoint: null,
			state: { objects: objects.map(({ generation, sizeBytes, crc32c }) => ({ generation, sizeBytes, crc32c })) },
		};
	}

	async ready(moment: documents.SourceMoment, signal: AbortSignal): Promise<'ready'> {
		for (const pinned of this.#pinned(moment)) await findGeneration(this.#api, pinned, signal);
		return 'ready';
	}

	async open(moment: documents.SourceMoment, key: string, _known: object, signal: AbortSignal): Promise<OpenedMoment> {
		const pinned = this.#pinned(moment)[moment.disks.findIndex(disk => disk.key === key)];
		if (pinned === undefined) throw new RouseError('moment_lost', `the moment has no disk ${key}`);
		const kept = await this.#spool?.open(moment, pinned);
		return { source: await openObjectArchive(this.#api, pinned, signal, kept), reads: 'all', why };
	}

	/** Nothing is kept there, and so nothing can be another's: also of what is at another address by now. */
	async commit({ tag, owner }: documents.Claim, { droppable }: { droppable: readonly string[] }): Promise<void> {
		for (const each of [tag, ...droppable]) await this.#spool?.remove(each, owner);
	}

	async abandon({ tag, owner }: documents.Claim): Promise<void> {
		await this.#spool?.remove(tag, owner);
	}

	async *leftovers(owner: string | undefined): AsyncGenerator<documents.Leftover> {
		if (this.#spool !== undefined) yield* this.#spool.leftovers(owner);
	}

	async close(): Promise<void> {
		this.#api.close();
	}

	async #objects(signal: AbortSignal): Promise<FoundObject[]> {
		const objects: FoundObject[] = [];
		for (const address of this.#archives) objects.push(await findObject(this.#api, address, signal));
		return objects;
	}

	/** The generations that keys name, so that every begin of an order is of the same. Where one is gone it is planned anew. */
	async #planned(keys: readonly string[], signal: AbortSignal): Promise<FoundObject[]> {
		const objects: FoundObject[] = [];
		for (const [number, address] of this.#archives.entries()) {
			const key = keys[number] ?? '';
			const pinned = { address, generation: key.split('#').at(-1) ?? '' };
			if (keys.length !== this.#archives.length || key !== generationName(pinned)) throw changed(address);
			const found = await findGeneration(this.#api, pinned, signal).catch((error: unknown) => {
				throw asRouseError(error).code === 'moment_lost' ? changed(address) : error;
			});
			objects.push(found);
		}
		return objects;
	}

	async #describeInstance(signal: AbortSignal): Promise<GceDescribed | undefined> {
		return this.#instance === null ? undefined : findInstance(this.#api, this.#instance, signal);
	}

	/** It stands at the beginning of the archive. */
	async #diskSize(object: PinnedObject, signal: AbortSignal): Promise<number> {
		const disk = await openObjectArchive(this.#api, object, signal);
		await disk.close();
		return disk.sizeBytes;
	}

	#pinned(moment: documents.SourceMoment): PinnedObject[] {
		this.#mustBeIt(moment);
		const { objects } = stateSchema.parse(moment.state);
		return this.#archives.flatMap((address, number) => {
			const object = objects[number];
			return object === undefined ? [] : [{ address, ...object }];
		});
	}

	#mustBeIt({ identity }: documents.Claim): void {
		if (identity === this.#identity) return;
		throw new RouseError('identity_conflict', `the machine there is ${this.#identity}, not ${identity}`);
	}
}

const noSpool = 'none: an attempt that follows another has all of it sent anew, and six may read some of it';
const why = 'an archive does not tell what has changed since another';

function changed(address: GsAddress): RouseError {
	return new RouseError('source_changed', `${gsUri(address)} was written anew since it was planned`, {
		hint: 'begin anew',
	});
}

/** Without what archives are called by. */
function nameIn({ object }: GsAddress): string {
	const name = basename(object).replace(/\.(tar\.gz|tgz|tar)$/i, '');
	return Array.from(name).slice(0, 200).join('') || 'a machine';
}
