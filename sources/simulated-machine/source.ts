import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import { exists } from '../../system/if-there.ts';
import { type Reached, reachedFromEnvironment } from '../../system/reached.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type * as documents from '../machine/documents.ts';
import { mustBePlanned } from '../machine/planned.ts';
import { type Changed, changesIn, changesSince, forgetChanges } from './changes.ts';
import { momentLost, SimulatedDisk } from './disk.ts';
import { type FaultPlace, Faults } from './faults.ts';
import { MachineFiles, readJson, simulatedMachineSchema, type SimulatedMachine } from './files.ts';
import { MachineInDirectory } from './machine.ts';
import { markedIn } from './marks.ts';
import { findSet, keepCheckpoint, makeSet, removeSet, removeTag, type SetName, setAt, setFiles } from './sets.ts';

const checkpointSchema = z.strictObject({ set: z.uuid() });
const stateSchema = z.strictObject({
	set: z.uuid(),
	since: z.strictObject({ tag: z.uuid(), set: z.uuid() }).nullable(),
});

export interface SimulatedOptions {
	/**
	 * Called at all places of {@link FaultPlace}, and at `begun`, `kept` and `dropped`. Who dies in it leaves what was done until then;
	 * by default that is a process that was told to (system/reached.ts).
	 */
	reached?: Reached;
	now?: () => Date;
	/** A file with what opens its platform; a fault may let it slip out. */
	credential?: string | undefined;
}

/**
 * A machine source whose platform is a directory: what tests and demonstrations import from, with the faults that platforms have.
 * Its state is in files alone, so that any process goes on where another one was killed.
 */
export class SimulatedMachineSource implements MachineSource {
	readonly kind = 'simulated';
	readonly #files: MachineFiles;
	readonly #faults: Faults;
	readonly #reached: Reached;
	readonly #now: () => Date;

	constructor(
		directory: string,
		{ reached = reachedFromEnvironment(), now = () => new Date(), credential }: SimulatedOptions = {},
	) {
		this.#files = new MachineFiles(directory);
		this.#faults = new Faults(this.#files.faults, credential);
		this.#reached = reached;
		this.#now = now;
	}

	async describe(): Promise<documents.SourceMachine> {
		await this.#at('describe');
		const { identity, name, config, leftOut, disks } = await this.#machine();
		return {
			kind: this.kind,
			uri: `simulated://${encodeURI(this.#files.directory)}`,
			identity,
			name,
			ids: {},
			config,
			leftOut,
			disks: disks.map(disk => ({ ...disk, slot: null, serial: null, sectors: null })),
		};
	}

	async plan(machine: documents.SourceMachine, since: documents.Since | null): Promise<documents.SourcePlan> {
		await this.#at('plan');
		const { flavour } = await this.#machine();
		const base = nameOf(since);
		const disks: documents.SourcePlan['disks'] = [];
		for (const { key } of machine.disks) {
			const known = base && (await changesSince(this.#files, flavour, base, key));
			if (known) disks.push({ key, reads: 'changes', why: null });
			else disks.push({ key, reads: 'all', why: base ? 'what was kept of it is gone' : 'nothing is kept of it' });
		}
		return { disks, consistency: 'crash', cost: null, warnings: [] };
	}

	async begin(order: documents.BeginOrder): Promise<documents.SourceMoment> {
		await this.#at('begin');
		await this.#mustNotBeAnother(order);
		const { flavour, disks } = await this.#machine();
		if (await exists(this.#files.busy))
			throw new RouseError('source_busy', 'somebody else is reading the disks of this machine');
		const since = nameOf(order.since);
		const found = await findSet(this.#files, order);
		if (found === undefined) mustBePlanned(disks, order);
		const { tag, owner, identity } = order;
		const made =
			found ??
			(await makeSet(this.#files, {
				mark: { tag, owner, set: crypto.randomUUID() },
				disks,
				takenAt: this.#now(),
				records: flavour === 'bitmaps',
				since,
				beforeDisk: async () => void (await this.#at('begin-disk')),
			}));
		this.#reached('begun');
		return {
			tag,
			owner,
			identity,
			moment: made.set,
			takenAt: made.takenAt,
			holdUntil: null,
			together: true,
			disks: made.disks.map(disk => ({ ...disk, consistency: 'crash' })),
			checkpoint: { set: made.set },
			state: { set: made.set, since },
		};
	}

	async ready(moment: documents.SourceMoment): Promise<'pending' | 'ready'> {
		const fate = await this.#at('ready');
		const name = this.#nameIn(moment);
		if (fate === 'lose-moment') await removeSet(this.#files, name);
		if ((await setAt(this.#files, name)) === undefined) throw momentLost();
		return fate === 'pending' ? 'pending' : 'ready';
	}

	async open(
		moment: documents.SourceMoment,
		key: string,
		{ base }: { base?: StoredDisk | undefined },
	): Promise<OpenedMoment> {
		await this.#at('open');
		await this.#mustNotBeAnother(moment);
		const name = this.#nameIn(moment);
		const set = await setAt(this.#files, name);
		const disk = set?.disks.find(one => one.key === key);
		if (set === undefined || disk === undefined) throw momentLost();
		const since = stateSchema.parse(moment.state).since;
		const changed: Changed | undefined =
			base === undefined || since === null ? undefined : await changesIn(this.#files, set, since, key);
		const source = await SimulatedDisk.open({
			path: setFiles.copyOf(set.path, key),
			sizeBytes: disk.sizeBytes,
			changed,
			before: async place => {
				const what = await this.#at(place);
				if (what === 'lose-moment') await removeSet(this.#files, name);
				if (what === 'lose-checkpoint' && since !== null) await forgetChanges(this.#files, set, since);
			},
			log: { path: this.#files.reads, of: `${moment.tag} ${key}` },
		});
		if (changed !== undefined) return { source, reads: 'changes', why: null };
		return { source, reads: 'all', why: base === undefined ? null : 'what was kept of it is gone' };
	}

	async commit(claim: documents.Claim, { droppable }: { droppable: readonly string[] }): Promise<void> {
		await this.#at('commit');
		await this.#mustNotBeAnother(claim);
		await keepCheckpoint(this.#files, claim);
		this.#reached('kept');
		for (const tag of droppable) {
			await this.#at('drop');
			await removeTag(this.#files, { tag, owner: claim.owner });
			this.#reached('dropped');
		}
	}

	async abandon(claim: documents.Claim): Promise<void> {
		await this.#at('abandon');
		await this.#mustNotBeAnother(claim);
		await removeTag(this.#files, claim);
	}

	async *leftovers(owner: string | undefined): AsyncGenerator<documents.Leftover> {
		for (const [what, directory] of [
			['copies of its disks', this.#files.sets],
			['bitmaps of what is written', this.#files.bitmaps],
		] as const)
			for (const mark of await markedIn(directory)) {
				if (owner !== undefined && mark.owner !== owner) continue;
				const { tag, owner: of } = mark;
				yield { tag, owner: of, what, since: null, costText: null, canDelete: true };
			}
	}

	async close(): Promise<void> {}

	async #at(place: FaultPlace) {
		this.#reached(place);
		return this.#faults.at(place);
	}

	async #machine(): Promise<SimulatedMachine> {
		return MachineInDirectory.at(this.#files.directory).describe();
	}

	/** One that is gone is none: what it has left may still be read and removed. */
	async #mustNotBeAnother({ identity }: documents.Claim): Promise<void> {
		const machine = await readJson(this.#files.machine, simulatedMachineSchema);
		if (machine === undefined || machine.identity === identity) return;
		throw new RouseError('identity_conflict', `the machine there is ${machine.identity}, not ${identity}`);
	}

	#nameIn({ tag, owner, state }: documents.SourceMoment) {
		return { tag, owner, set: stateSchema.parse(state).set };
	}
}

/** Undefined for a checkpoint that is not of this kind, or of a version that is not known. */
function nameOf(since: documents.Since | null): SetName | null {
	const checkpoint = checkpointSchema.safeParse(since?.checkpoint);
	return since !== null && checkpoint.success ? { tag: since.tag, set: checkpoint.data.set } : null;
}
