import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type HeldLease, requestIdOf, workflowIdOf } from '../../model/broker.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { isErrno, syncDirectory, temporarySuffix } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';
import { FinishedMachine } from './finished-machine.ts';
import type { HostParts } from './host-parts.ts';
import { readMachineFile } from '../files/machine-file.ts';
import { EndedLeases } from '../files/ended-leases.ts';
import { change } from '../files/state.ts';
import { recoveryPlaces, runName } from '../files/places.ts';
import type { StepCall } from '../protocol.ts';
import { Recovery } from './recovery.ts';
import { holdsAgainst, type Tombstone } from '../files/tombstones.ts';

/** Under which conditions a recovery is taken in. */
export interface Admission {
	/** Of unfinished recoveries, where no lease was granted. */
	limit?: number;
	lease?: HeldLease | undefined;
	/** Throws when there is no memory for what was granted. Waits for nothing. */
	mustFit?: () => void;
}

/** All recoveries and finished machines of this host, by name. */
export class Registry {
	readonly #host: HostParts;
	readonly #directory: string;
	readonly #leases: EndedLeases;
	/** Directories that cannot be understood, and why. */
	readonly damaged = new Map<string, RouseError>();
	readonly #entries = new Map<string, Recovery | FinishedMachine>();
	/** What creates or ends an entry does so alone: two must not make the same, nor one make what another just buried. */
	#last: Promise<unknown> = Promise.resolve();

	constructor(host: HostParts) {
		this.#host = host;
		this.#directory = places.recoveries(host.installation.home);
		this.#leases = new EndedLeases(host.installation.home);
	}

	/**
	 * What is on disk; called once, before anything is asked for. One whose files cannot be understood is left alone, and
	 * whoever asks for it is told: the others must not go without a supervisor because of it.
	 */
	async load(): Promise<void> {
		await mkdir(this.#directory, { recursive: true, mode: 0o700 });
		for (const name of await readdir(this.#directory)) {
			const statePath = join(this.#directory, name, 'state.json');
			try {
				const entry = (await Recovery.load(this.#host, statePath)) ?? (await this.#loadFinished(name));
				if (entry) this.#entries.set(name, mustLieIn(name, entry));
				else await this.#removeEmpty(name);
			} catch (error) {
				this.damaged.set(name, asRouseError(error));
				this.#host.log.error({ err: error, recovery: name }, 'a recovery cannot be read, and is left as it is');
			}
		}
	}

	/** Throws `format_damaged` or `identity_conflict` for one whose files could not be understood. */
	get(name: string): Recovery | FinishedMachine | undefined {
		const damaged = this.damaged.get(name);
		if (damaged) throw damaged;
		return this.#entries.get(name);
	}

	all(): (Recovery | FinishedMachine)[] {
		return [...this.#entries.values()];
	}

	recoveries(): Recovery[] {
		return this.all().filter(entry => entry instanceof Recovery);
	}

	/** The recovery that a step speaks of, when it is here and not over. */
	find(name: string, recoveryId: string): Recovery | undefined {
		const entry = this.get(name);
		return entry instanceof Recovery && entry.recoveryId === recoveryId ? entry : undefined;
	}

	/** The recovery under this name, made when the name is free; refused with what `admission` says. */
	create(name: string, { recoveryId, generation }: StepCall, admission: Admission = {}): Promise<Recovery> {
		return this.#alone(async () => {
			const found = this.find(name, recoveryId);
			if (found) return found;
			const tombstone = await this.#host.tombstones.read(recoveryId);
			if (tombstone && holdsAgainst(tombstone, { generation })) throw overError(tombstone);
			this.#mustBeFree(name, recoveryId);
			this.#mustHaveSocketsOfItsOwn(recoveryId);
			const { lease } = admission;
			if (lease) this.#leases.mustGoOn(lease);
			this.#mustHaveRoom(admission);
			const recovery = Recovery.create(this.#host, recoveryId, name, generation);
			try {
				await this.#makeDirectory(name);
				await recovery.change(...(lease ? [change.lease(lease)] : []));
			} catch (error) {
				await this.#removeEmpty(name); // it has no state that would lead a discard there
				throw error;
			}
			this.#entries.set(name, recovery);
			return recovery;
		});
	}

	/** What was granted for a recovery that is here. A repeat changes nothing; `lease_ended` as for a new one. */
	take(recovery: Recovery, lease: HeldLease): Promise<void> {
		return this.#alone(async () => {
			const known = recovery.state.lease;
			if (known && requestIdOf(known.request) === requestIdOf(lease.request)) return;
			this.#leases.mustGoOn(lease);
			await recovery.change(change.lease(lease));
		});
	}

	/**
	 * Of these leases, those of which nothing is here: durably, none of them is taken from here on. A recovery counts as its
	 * workflow's whatever run of that has asked, since one that takes it up holds leases of which this host is not told. Its
	 * stream is over with the copy: who takes the recovery up cannot end it before it has got a stream of its own.
	 */
	leasesGone(requestIds: readonly string[]): Promise<string[]> {
		return this.#alone(async () => {
			if (this.damaged.size > 0) return []; // one of them may be whose it is
			const gone = requestIds.filter(id => !this.recoveries().some(recovery => uses(recovery, id)));
			for (const id of gone) {
				await this.#leases.end(id, this.#host.clock.date());
				await this.#host.reached('lease-ended');
			}
			return gone;
		});
	}

	/**
	 * Ends a recovery that was never here, so that a request of its past that comes late is refused. One that was made in
	 * the meantime is given back, to be ended like any other.
	 */
	buryUnknown(name: string, { recoveryId, generation }: StepCall, left: boolean): Promise<Recovery | Tombstone> {
		return this.#alone(async () => {
			const known = await this.#host.tombstones.read(recoveryId);
			if (known && holdsAgainst(known, { generation })) return known;
			const found = this.find(name, recoveryId);
			if (found) return found;
			const tombstone: Tombstone = {
				version: 1,
				recoveryId,
				name,
				repository: null,
				state: 'discarded',
				generation,
				left,
				wasHere: false,
				at: this.#host.clock.date().toISOString(),
				afterReport: 0,
				incidents: [],
			};
			await this.#host.tombstones.write(tombstone);
			return tombstone;
		});
	}

	/** False once it has ended for good: its name and its directory may be another recovery's by then. */
	holds(recovery: Recovery): boolean {
		return this.#entries.get(recovery.name) === recovery;
	}

	/** After a recovery has ended: its machine takes the name, or the name is free. */
	async settle(recovery: Recovery): Promise<void> {
		await this.#alone(async () => {
			if (this.#entries.get(recovery.name) !== recovery) return;
			const finished = await this.#loadFinished(recovery.name);
			if (finished) this.#entries.set(recovery.name, finished);
			else this.#entries.delete(recovery.name);
			// Not before: whoever looks at it until now opens its maps again.
			await recovery.close();
		});
	}

	async removeFinished(machine: FinishedMachine): Promise<void> {
		await machine.remove();
		await this.#alone(async () => {
			if (this.#entries.get(machine.name) === machine) this.#entries.delete(machine.name);
		});
	}

	async #loadFinished(name: string): Promise<FinishedMachine | undefined> {
		const file = await readMachineFile(recoveryPlaces(this.#host.installation, name, '').machine);
		if (file?.state !== 'finished') return undefined;
		const machine = new FinishedMachine(this.#host, file);
		void machine.obeyAutostart();
		return machine;
	}

	/** Who comes with a lease was let in by a broker, which counts places; memory is looked at again. */
	#mustHaveRoom({ limit = Number.POSITIVE_INFINITY, lease, mustFit }: Admission): void {
		if (lease) return mustFit?.();
		const active = this.recoveries().filter(recovery => recovery.tombstone === undefined).length;
		if (active >= limit)
			throw new RouseError('host_busy', `${active} of ${limit} recoveries are unfinished on this host`, {
				hint: 'it is tried again; finish or discard one, or raise host.recoveries in config.yaml',
				details: { active, limit },
			});
	}

	#mustBeFree(name: string, recoveryId: string): void {
		const other = this.#entries.get(name);
		if (other === undefined) return;
		const finished = other instanceof FinishedMachine;
		const removable = finished || other.state.abandoned;
		const what = finished ? 'a finished machine' : removable ? 'an abandoned recovery' : 'another recovery';
		throw new RouseError(
			'identity_conflict',
			`${name} is ${what} on this host: ${other.recoveryId}, not ${recoveryId}`,
			{
				hint: removable
					? `take another name, or: rouse host remove ${name} --confirm ${name}`
					: 'take another name, or end that one first',
			},
		);
	}

	#mustHaveSocketsOfItsOwn(recoveryId: string): void {
		const other = this.all().find(entry => runName(entry.recoveryId) === runName(recoveryId));
		if (other)
			throw new RouseError('identity_conflict', `${recoveryId} would share its sockets with ${other.recoveryId}`, {
				hint: 'one in four thousand million: start the recovery again, it gets another id',
			});
	}

	/** What an attempt left that died before its state is cleared; any other directory is not ours to fill. */
	async #makeDirectory(name: string): Promise<void> {
		const path = join(this.#directory, name);
		await mkdir(path, { recursive: true, mode: 0o700 });
		await removeTemporaries(path);
		const [file] = await readdir(path);
		if (file !== undefined)
			throw new RouseError('identity_conflict', `${path} holds ${file}, and no recovery it belongs to`, {
				hint: 'look whose it is and move it away, or take another name',
			});
		await syncDirectory(this.#directory);
	}

	/** Also of what was being written when its writer died: nobody else comes to a directory without a state. */
	async #removeEmpty(name: string): Promise<void> {
		const path = join(this.#directory, name);
		try {
			await removeTemporaries(path);
			await rmdir(path);
		} catch (error) {
			if (!['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].some(code => isErrno(error, code))) throw error;
		}
	}

	#alone<T>(work: () => Promise<T>): Promise<T> {
		const done = this.#last.then(work);
		this.#last = done.catch(() => undefined); // the caller of that one is told
		return done;
	}
}

function uses(recovery: Recovery, requestId: string): boolean {
	return isOf(recovery, requestId) && (!isOfStream(requestId) || isToCopy(recovery));
}

/** The workflow of a recovery has an id that ends with its name; a request's begins with its workflow's. */
function isOf({ name, state: { lease } }: Recovery, requestId: string): boolean {
	const workflowId = workflowIdOf(requestId);
	return workflowId === lease?.request.holder.workflowId || workflowId.endsWith(`/${name}`);
}

function isOfStream(requestId: string): boolean {
	return requestId.slice(requestId.lastIndexOf('/') + 1).startsWith('migrate');
}

/** As its mover was seen last: while nobody has seen it, it may copy, also where it is to pause. */
function isToCopy({ state: { copy, sealed }, seen: { migration } }: Recovery): boolean {
	if (!copy.wanted || sealed) return false;
	if (migration === undefined) return true;
	return copy.paused ? migration.copying : !migration.disks.every(disk => disk.complete);
}

async function removeTemporaries(directory: string): Promise<void> {
	for (const file of await readdir(directory))
		if (file.endsWith(temporarySuffix)) await rm(join(directory, file), { force: true });
}

/** What a directory that was copied or renamed tells is about another place: to act on it would be to act there. */
function mustLieIn<T extends { name: string }>(directory: string, entry: T): T {
	if (entry.name === directory) return entry;
	throw new RouseError('identity_conflict', `directory ${directory} holds what belongs to ${entry.name}`, {
		hint: 'a copy? move it out of the directory of recoveries; then start the supervisor again',
	});
}

export function overError(tombstone: Tombstone): RouseError {
	const { name, recoveryId, state, at, left, generation } = tombstone;
	if (left)
		return new RouseError('generation_stale', `recovery ${name} (${recoveryId}) has left this host at ${at}`, {
			details: { generation },
		});
	return new RouseError('generation_stale', `recovery ${name} (${recoveryId}) was ${state} on this host at ${at}`, {
		details: { ended: state },
	});
}
