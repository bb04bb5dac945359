import { lstat } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import { type Reached, reachedFromEnvironment } from '../../system/reached.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type * as documents from '../machine/documents.ts';
import { mustBePlanned } from '../machine/planned.ts';
import { parseQemuAddress, type QemuAddress } from './address.ts';
import { agentAt } from './agent.ts';
import { takeMoment } from './begin.ts';
import { ourBitmaps } from './bitmaps.ts';
import { momentLost } from './disk.ts';
import { hasSupervisor, lookAtDisks, mustBe } from './look.ts';
import { type LookedDisk, lookAtMachine } from './machine.ts';
import { directoriesInUse, endMoment, isStanding } from './moment.ts';
import { hasEnded, type Monitor, MonitorPlace } from './monitor.ts';
import { bitmapName, type Owned } from './names.ts';
import { directoriesOf, directoryFor, planOf, warningsOf } from './plan.ts';
import { keepCheckpoint, removeAll } from './remove.ts';
import { rootsOwn, Scratch, type Taken } from './scratch.ts';
import { mustKeepRoom } from './room.ts';
import { openTaken, type StandingMoment } from './taken-disk.ts';
import { mustOutliveReaders } from './threads.ts';

const momentText = 'a moment of its disks, and what the guest has overwritten since';
const bitmapsText = 'bitmaps that record what is written';

const stateSchema = z.strictObject({ set: z.uuid() });

export interface QemuSourceOptions {
	/** Called between the parts of `begin`, and at `kept` and `dropped`; who dies in it leaves what was done until then. */
	reached?: Reached;
	now?: () => Date;
	greetingMs?: number;
}

/** A running QEMU, by its monitor. All that it needs to know is in QEMU, and in files beside the machine's images. */
export class QemuMachineSource implements MachineSource {
	readonly kind = 'qemu';
	readonly #address: QemuAddress;
	readonly #place: MonitorPlace;
	readonly #reached: Reached;
	readonly #now: () => Date;

	constructor(uri: string, options: QemuSourceOptions = {}) {
		const { reached = reachedFromEnvironment(), now = () => new Date(), greetingMs } = options;
		this.#address = parseQemuAddress(uri);
		this.#place = new MonitorPlace(this.#address.monitor, { greetingMs });
		this.#reached = reached;
		this.#now = now;
	}

	async describe(signal: AbortSignal): Promise<documents.SourceMachine> {
		const { identity, name, config, disks, leftOut } = await this.#place.with(signal, lookAtMachine);
		return {
			kind: this.kind,
			uri: this.#address.uri,
			identity,
			name,
			ids: {},
			config,
			disks: disks.map(({ described }) => described),
			leftOut,
		};
	}

	async plan(
		machine: documents.SourceMachine,
		since: documents.Since | null,
		signal: AbortSignal,
	): Promise<documents.SourcePlan> {
		const looked = await this.#place.with(signal, async monitor => {
			await mustOutliveReaders(monitor);
			return lookAtMachine(monitor);
		});
		const disks = machine.disks.map(({ key }) => planOf(looked.disks, key, since));
		const agent = this.#agent();
		const answers = (await agent?.answers(signal)) ?? false;
		const warnings = await warningsOf(this.#address, looked.disks);
		if (agent !== undefined && !answers)
			warnings.push("the guest's agent does not answer: the point will be as after a loss of power");
		return { disks, consistency: answers ? 'file-system' : 'crash', cost: null, warnings };
	}

	async begin(order: documents.BeginOrder, signal: AbortSignal): Promise<documents.SourceMoment> {
		const taken = await this.#place.with(signal, async monitor => {
			await mustBe(monitor, order.identity);
			await mustOutliveReaders(monitor);
			const places = await this.#places(monitor, order);
			const found = await findTaken(monitor, order, places.scratches);
			if (found !== undefined) return found;
			await removeAll(monitor, order, places);
			const { disks } = await lookAtMachine(monitor);
			mustBePlanned(
				disks.map(({ described }) => described),
				order,
			);
			mustBeFree(disks, await hasSupervisor(monitor));
			const directory = await directoryFor(this.#address, disks);
			const user = await lstat(this.#address.monitor);
			const { agent } = places;
			const [reached, now, scratch] = [this.#reached, this.#now, Scratch.of(directory, order)];
			return takeMoment(monitor, { order, disks, directory, scratch, user, agent, reached, now, signal });
		});
		this.#reached('begun');
		const { tag, owner, identity } = order;
		const { set, takenAt, consistency } = taken;
		return {
			tag,
			owner,
			identity,
			moment: set,
			takenAt,
			holdUntil: null,
			together: true,
			disks: taken.disks.map(({ key, sizeBytes }) => ({ key, sizeBytes, consistency })),
			checkpoint: { set },
			state: { set },
		};
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
		const { tag, owner } = moment;
		const { set } = found.taken;
		const place = {
			owned: moment,
			bitmapOf: (of: string) => bitmapName({ tag, owner, set, role: 'copy', key: of }),
			find: (until: AbortSignal) => this.#standing(moment, until),
			end: (until: AbortSignal) => this.#place.with(until, monitor => endMoment(monitor, moment, [found.scratch])),
		};
		return openTaken(found, { key, base }, place, signal);
	}

	async commit(
		claim: documents.Claim,
		{ droppable }: { droppable: readonly string[] },
		signal: AbortSignal,
	): Promise<void> {
		await this.#place.with(signal, async monitor => {
			await mustBe(monitor, claim.identity);
			await keepCheckpoint(monitor, claim, await this.#places(monitor, claim));
			this.#reached('kept');
			for (const tag of droppable) {
				const dropped = { tag, owner: claim.owner };
				await removeAll(monitor, dropped, await this.#places(monitor, dropped));
				this.#reached('dropped');
			}
		});
	}

	async abandon(claim: documents.Claim, signal: AbortSignal): Promise<void> {
		await this.#place.with(signal, async monitor => {
			await mustBe(monitor, claim.identity);
			await removeAll(monitor, claim, await this.#places(monitor, claim));
		});
	}

	async *leftovers(owner: string | undefined, signal: AbortSignal): AsyncGenerator<documents.Leftover> {
		const { bitmaps, scratches } = await this.#place.with(signal, async monitor => {
			const directories = await rootsOwn(directoriesOf(this.#address, await lookAtDisks(monitor)));
			const marks = await Promise.all(directories.map(directory => Scratch.in(directory)));
			return { bitmaps: await ourBitmaps(monitor), scratches: marks.flat() };
		});
		const found = [
			...scratches.map(mark => ({ ...mark, what: momentText, canDelete: true })),
			...bitmaps.map(({ readOnly, ...mark }) => ({ ...mark, what: bitmapsText, canDelete: !readOnly })),
		];
		const told = new Set<string>();
		for (const { tag, owner: of, what, canDelete } of found) {
			const line = `${what} ${tag} ${of} ${canDelete}`;
			if ((owner !== undefined && of !== owner) || told.has(line)) continue;
			told.add(line);
			yield { tag, owner: of, what, since: null, costText: null, canDelete };
		}
	}

	async close(): Promise<void> {}

	/** `moment_lost` when it is not there any more. */
	async #standing(moment: documents.SourceMoment, signal: AbortSignal): Promise<StandingMoment> {
		try {
			return await this.#place.with(signal, async monitor => {
				await mustBe(monitor, moment.identity);
				const { set } = stateSchema.parse(moment.state);
				const { scratches } = await this.#places(monitor, moment);
				for (const scratch of scratches) {
					const taken = await scratch.taken();
					if (taken?.set === set && (await isStanding(monitor, moment, taken))) return { scratch, taken };
				}
				throw momentLost();
			});
		} catch (error) {
			throw hasEnded(error) ? momentLost(error) : error;
		}
	}

	async #places(monitor: Monitor, owned: Owned) {
		const here = directoriesOf(this.#address, await lookAtDisks(monitor));
		const directories = await rootsOwn([...new Set([...here, ...(await directoriesInUse(monitor, owned))])]);
		return { scratches: directories.map(directory => Scratch.of(directory, owned)), agent: this.#agent() };
	}

	#agent() {
		const { agent } = this.#address;
		return agent === undefined ? undefined : agentAt(agent);
	}
}

async function findTaken(monitor: Monitor, owned: Owned, scratches: readonly Scratch[]): Promise<Taken | undefined> {
	for (const scratch of scratches) {
		const taken = await scratch.taken();
		if (taken !== undefined && (await isStanding(monitor, owned, taken))) return taken;
	}
	return undefined;
}

function mustBeFree(disks: readonly LookedDisk[], isOurs: boolean): void {
	const read = disks.find(({ attached }) => attached.isCopied);
	if (read !== undefined)
		throw new RouseError('source_busy', `${read.described.key} is being read, by another import or by somebody else`, {
			hint: 'wait until it has ended',
		});
	// A machine that Rouse is recovering: what is put on its disks now would be in the way of the switch to its own.
	// Anybody may call nodes so, and a machine of ours has them until it reads its own disk alone.
	if (!isOurs || !disks.some(({ attached: { key, node } }) => /^vd\d+$/.test(key) && node === key.replace('vd', 'top')))
		return;
	throw new RouseError('source_busy', 'this machine is being recovered: its disks are not its own yet', {
		hint: 'import it when its recovery has finished',
	});
}
