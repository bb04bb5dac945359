import { lstat } from 'node:fs/promises';
import * as z from 'zod';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import { type Reached, reachedFromEnvironment } from '../../system/reached.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type * as documents from '../machine/documents.ts';
import { mustBePlanned } from '../machine/planned.ts';
import { momentLost } from '../qemu/disk.ts';
import { diskName, type Owned } from '../qemu/names.ts';
import { directoriesOf, directoryFor, roomWarning } from '../qemu/plan.ts';
import { mustKeepRoom } from '../qemu/room.ts';
import { rootsOwn, Scratch, type Taken } from '../qemu/scratch.ts';
import { openTaken } from '../qemu/taken-disk.ts';
import { mustOutliveReaders } from '../qemu/threads.ts';
import { parseLibvirtAddress, type LibvirtAddress } from './address.ts';
import { agentOf } from './agent.ts';
import { takeMoment } from './begin.ts';
import { ourCheckpoints, recordedSince } from './checkpoints.ts';
import type { Domain } from './domain.ts';
import { type BackupJob, backupJob, directoryOfJob, endJob, isJobOf, mustBeFree } from './job.ts';
import { describedDisk, lookAtDomain, mustBe, mustRun, sizedDisks } from './look.ts';
import { keepCheckpoint, type Places, removeAll } from './remove.ts';
import { isOff, type Virsh, virshAt } from './virsh.ts';

const momentText = 'a moment of its disks, and what the guest has overwritten since';
const checkpointText = 'a checkpoint, with bitmaps that record what is written';

const stateSchema = z.strictObject({ set: z.uuid() });
const answerSchema = z.object({ return: z.unknown() });

export interface LibvirtSourceOptions {
	/** Called between the parts of `begin`, and at `kept` and `dropped`; who dies in it leaves what was done until then. */
	reached?: Reached;
	now?: () => Date;
	virsh?: Virsh;
}

/** A domain of libvirt's. All that it needs to know is there, and in files beside the domain's images. */
export class LibvirtMachineSource implements MachineSource {
	readonly kind = 'libvirt';
	readonly #address: LibvirtAddress;
	readonly #virsh: Virsh;
	readonly #reached: Reached;
	readonly #now: () => Date;

	constructor(uri: string, options: LibvirtSourceOptions = {}) {
		this.#address = parseLibvirtAddress(uri);
		this.#virsh = options.virsh ?? virshAt(this.#address.connect);
		this.#reached = options.reached ?? reachedFromEnvironment();
		this.#now = options.now ?? (() => new Date());
	}

	async describe(signal: AbortSignal): Promise<documents.SourceMachine> {
		const domain = await this.#look(signal);
		mustRun(domain);
		const { disks, leftOut } = await sizedDisks(this.#virsh, domain, signal);
		const { uuid: identity, name, config } = domain;
		const { uri } = this.#address;
		return { kind: this.kind, uri, identity, name, ids: {}, config, disks: disks.map(describedDisk), leftOut };
	}

	async plan(
		machine: documents.SourceMachine,
		since: documents.Since | null,
		signal: AbortSignal,
	): Promise<documents.SourcePlan> {
		const domain = await this.#look(signal);
		mustRun(domain);
		await this.#mustOutliveReaders(domain, signal);
		const recorded = await recordedSince(this.#virsh, domain, since, signal);
		const disks = machine.disks.map(({ key }): documents.SourcePlan['disks'][number] => {
			const found = recorded.get(key) ?? { why: 'it is not attached any more' };
			if ('why' in found) return { key, reads: 'all', why: found.why };
			return { key, reads: 'changes', why: null, expectedBytes: found.bytes };
		});
		const placed = domain.disks.map(attached => ({ attached }));
		const warnings = [
			...domain.disks.flatMap(({ key, keepsBitmaps }) =>
				keepsBitmaps ? [] : `${key} is no qcow2 image: libvirt records nothing of it, and each import reads all of it`,
			),
			...(await roomWarning(
				await directoryFor(this.#address, placed),
				machine.disks.map(described => ({ described })),
			)),
		];
		const isStill = (await this.#agent(domain)?.answers(signal)) ?? false;
		return {
			disks,
			consistency: isStill ? 'file-system' : 'crash',
			cost: null,
			warnings: warnings.map(warning => warning.slice(0, 300)).slice(0, 32),
		};
	}

	async begin(order: documents.BeginOrder, signal: AbortSignal): Promise<documents.SourceMoment> {
		const taken = await this.#taken(order, signal);
		this.#reached('begun');
		const { tag, owner, identity } = order;
		const { set, takenAt, consistency } = taken;
		const disks = taken.disks.map(({ key, sizeBytes }) => ({ key, sizeBytes, consistency }));
		const of = { tag, owner, identity, moment: set, takenAt, holdUntil: null, together: true };
		return { ...of, disks, checkpoint: { set }, state: { set } };
	}

	async #taken(order: documents.BeginOrder, signal: AbortSignal): Promise<Taken> {
		const domain = await this.#look(signal);
		mustBe(domain, order.identity);
		mustRun(domain);
		await this.#mustOutliveReaders(domain, signal);
		const places = await this.#places(domain, order, signal);
		const found = await standing(places);
		if (found !== undefined) return found.taken;
		await removeAll(places);
		const { disks } = await sizedDisks(this.#virsh, domain, signal);
		mustBePlanned(disks, order);
		await mustBeFree(this.#virsh, domain.uuid, signal);
		const directory = await directoryFor(
			this.#address,
			disks.map(attached => ({ attached })),
		);
		const user = domain.user ?? (await this.#libvirtUser());
		const [reached, now, scratch, agent] = [this.#reached, this.#now, Scratch.of(directory, order), places.agent];
		const remove = () => removeAll({ ...places, scratches: [...places.scratches, scratch] });
		const beginning = { order, domain, disks, directory, scratch, user, agent, reached, now, signal, remove };
		return takeMoment(this.#virsh, beginning);
	}

	async ready(moment: documents.SourceMoment, signal: AbortSignal): Promise<'pending' | 'ready'> {
		const { scratch, taken } = await this.#standing(moment, signal);
		const sizes = taken.disks.map(({ sizeBytes }) => sizeBytes);
		await mustKeepRoom(scratch, sizes);
		return 'ready';
	}

	async open(
		moment: documents.SourceMoment,
		key: string,
		{ base }: { base?: StoredDisk | undefined },
		signal: AbortSignal,
	): Promise<OpenedMoment> {
		const found = await this.#standing(moment, signal);
		const place = {
			owned: moment,
			bitmapOf: (_key: string, number: number) => diskName(moment, number),
			find: (until: AbortSignal) => this.#standing(moment, until),
			end: (until: AbortSignal) => endJob(this.#virsh, found.uuid, moment, until),
		};
		return openTaken(found, { key, base }, place, signal);
	}

	async commit(
		claim: documents.Claim,
		{ droppable }: { droppable: readonly string[] },
		signal: AbortSignal,
	): Promise<void> {
		const domain = await this.#look(signal);
		mustBe(domain, claim.identity);
		await keepCheckpoint(await this.#places(domain, claim, signal));
		this.#reached('kept');
		for (const tag of droppable) {
			await removeAll(await this.#places(domain, { tag, owner: claim.owner }, signal));
			this.#reached('dropped');
		}
	}

	async abandon(claim: documents.Claim, signal: AbortSignal): Promise<void> {
		const domain = await this.#look(signal);
		mustBe(domain, claim.identity);
		await removeAll(await this.#places(domain, claim, signal));
	}

	async *leftovers(owner: string | undefined, signal: AbortSignal): AsyncGenerator<documents.Leftover> {
		const domain = await this.#look(signal);
		const { uuid, isRunning } = domain;
		const job = isRunning ? await backupJob(this.#virsh, uuid, signal) : undefined;
		const directories = await this.#directories(domain, job);
		const scratches = await Promise.all(directories.map(directory => Scratch.in(directory)));
		const checkpoints = await ourCheckpoints(this.#virsh, uuid, signal);
		const found = [
			...scratches.flat().map(mark => ({ ...mark, what: momentText })),
			...checkpoints.map(mark => ({ ...mark, what: checkpointText })),
		];
		for (const { tag, owner: of, what } of found)
			if (owner === undefined || of === owner)
				yield { tag, owner: of, what, since: null, costText: null, canDelete: isRunning };
	}

	async close(): Promise<void> {}

	#look(signal: AbortSignal): Promise<Domain> {
		return lookAtDomain(this.#virsh, this.#address, signal);
	}

	/** `moment_lost` when it is not there any more. */
	async #standing(moment: documents.SourceMoment, signal: AbortSignal) {
		const domain = await this.#look(signal);
		mustBe(domain, moment.identity);
		if (!domain.isRunning) throw momentLost();
		const { set } = stateSchema.parse(moment.state);
		try {
			const found = await standing(await this.#places(domain, moment, signal));
			if (found?.taken.set === set) return { ...found, uuid: domain.uuid };
		} catch (error) {
			throw isOff(error) ? momentLost(error) : error;
		}
		throw momentLost();
	}

	async #places(domain: Domain, owned: Owned, signal: AbortSignal): Promise<Places> {
		const { uuid, isRunning } = domain;
		const job = isRunning ? await backupJob(this.#virsh, uuid, signal) : undefined;
		const directories = await this.#directories(domain, job);
		const scratches = directories.map(directory => Scratch.of(directory, owned));
		return { virsh: this.#virsh, uuid, domain, owned, scratches, agent: this.#agent(domain), signal };
	}

	/** Wherever a scratch may be: also where the job has it, which was begun when the address said something else. */
	async #directories({ disks }: Domain, job: BackupJob | undefined): Promise<string[]> {
		const ofJob = directoryOfJob(job);
		return rootsOwn([...new Set([...directoriesOf(this.#address, disks), ...(ofJob === undefined ? [] : [ofJob])])]);
	}

	#agent(domain: Domain) {
		return this.#address.freezes ? agentOf(this.#virsh, domain) : undefined;
	}

	/** Where libvirt sets no user for QEMU it is a session's, of whose owner the socket is; or ours. */
	async #libvirtUser(): Promise<{ uid: number; gid: number }> {
		const [, socket] = this.#address.connect.split('?socket=');
		if (socket !== undefined) return lstat(socket);
		return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
	}

	/** Asked of QEMU itself, and only where it matters: libvirt marks a domain of which anything is so asked as `tainted`. */
	async #mustOutliveReaders({ uuid, hasIoThreads }: Domain, signal: AbortSignal): Promise<void> {
		if (!hasIoThreads) return;
		await mustOutliveReaders({
			ask: async (execute, schema) => {
				const options = ['--domain', uuid, '--cmd', JSON.stringify({ execute })];
				const answer = JSON.parse(await this.#virsh('qemu-monitor-command', options, { signal }));
				return schema.parse(answerSchema.parse(answer).return);
			},
		});
	}
}

/** The moment of an import, when its job is there, and with it all that belongs to it. */
async function standing(places: Places): Promise<{ scratch: Scratch; taken: Taken } | undefined> {
	const { virsh, uuid, owned, scratches, signal } = places;
	const job = await backupJob(virsh, uuid, signal);
	if (!isJobOf(owned, job)) return undefined;
	for (const scratch of scratches) {
		const taken = scratch.socket === job?.socket ? await scratch.taken() : undefined;
		if (taken !== undefined) return { scratch, taken };
	}
	return undefined;
}
