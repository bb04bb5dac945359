import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../../model/errors.ts';
import type { HostParts } from './parts.ts';
import { breaks, WindowsError } from './rules.ts';
import type { RunningDisk, RunningVm } from './running-vm.ts';
import { endProcess } from './vm-process.ts';

/**
 * What a guest does, as a script tells it: it has no code of its own. Its requests wait while the machine stands still. All
 * here throw `machine_failed` when there is no guest, or it ends before the request does.
 */
export class ScriptedGuest {
	readonly #host: HostParts;
	readonly #vmId: string;

	constructor(host: HostParts, vmId: string) {
		this.#host = host;
		this.#vmId = vmId;
	}

	/** Stays the same as long as one boot of the guest lasts; undefined when there is none. */
	get boot(): string | undefined {
		return this.#host.running.get(this.#vmId)?.guestBoot;
	}

	/** While the machine is saved its guest asks for nothing; a script in another process does not know of that. */
	async untilResumed(): Promise<void> {
		const isSaved = () => this.#host.state.vms.some(({ vmId, saved }) => vmId === this.#vmId && saved);
		while (this.boot === undefined && isSaved()) await delay(savedLookMs);
	}

	/** `disk`: by its place among the machine's drives. Whole sectors. */
	async read(disk: number, atBytes: number, lengthBytes: number): Promise<Buffer> {
		return await this.#request(async vm => {
			const { path, chain } = diskOf(vm, disk);
			// Also what is flushed while the read waits.
			const before = vm.unflushed;
			const bytes = Buffer.from(await chain.read(atBytes, lengthBytes));
			for (const write of [...before, ...vm.unflushed]) if (write.disk === path) lay(write, bytes, atBytes);
			return bytes;
		});
	}

	/** In the guest's memory until it is flushed. */
	async write(disk: number, atBytes: number, bytes: Buffer): Promise<void> {
		await this.#request(async vm => {
			const write = { disk: diskOf(vm, disk).path, atBytes, base64: bytes.toString('base64') };
			vm.unflushed = [...vm.unflushed, write];
		});
	}

	/** All that was written before is durable when it returns. */
	async flush(): Promise<void> {
		await this.#request(vm => vm.inTurn(() => this.#flush(vm)));
	}

	async #flush(vm: RunningVm): Promise<void> {
		for (;;) {
			const [first] = vm.unflushed;
			if (first === undefined) return;
			const bytes = Buffer.from(first.base64, 'base64');
			if (this.#host.faults.conditions.freeBytes < bytes.length) throw breaks('diskFull', 'write', first.disk);
			const { chain } = vm.disks.find(({ path }) => path === first.disk) ?? diskOf(vm, -1);
			await chain.write(first.atBytes, bytes);
			vm.unflushed = vm.unflushed.filter(one => one !== first);
		}
	}

	/** It flushes, and powers itself off. */
	async powerOff(): Promise<void> {
		await this.flush();
		await endProcess(this.#host, this.#vmId, 'guest');
	}

	/** Its memory is gone, and it boots anew: a crash that the machine's process does not see. */
	crash(): void {
		this.#host.running.get(this.#vmId)?.restartGuest();
	}

	/** Unless it goes on in time, its power is taken: https://learn.microsoft.com/powershell/module/hyper-v/set-vm */
	async #endCritical(vm: RunningVm): Promise<void> {
		const goesOn = new AbortController();
		const late = longDelay(this.#host.faults.conditions.criticalTimeoutMs, goesOn.signal);
		const isOver = await Promise.race([late, vm.until(() => vm.hasEnded || vm.state !== 'PausedCritical')]);
		goesOn.abort();
		if (isOver === true) await endProcess(this.#host, this.#vmId, 'unknown');
	}

	/** One request after another, and again when one failed and the machine went on: Hyper-V keeps it. */
	async #request<T>(work: (vm: RunningVm) => Promise<T>): Promise<T> {
		const boot = this.boot;
		if (boot === undefined) throw noGuest(this.#vmId);
		for (;;) {
			const vm = await this.#inProcess(boot);
			await vm.until(() => isGone(vm, boot) || vm.takesRequests);
			if (isGone(vm, boot) || !vm.takesRequests) continue;
			try {
				return await vm.request(() => work(vm));
			} catch (error) {
				if (isGone(vm, boot)) continue;
				if (!(error instanceof WindowsError)) throw error;
				// "Pause" as AutomaticCriticalErrorAction: https://learn.microsoft.com/powershell/module/hyper-v/set-vm
				vm.change(() => (vm.state = 'PausedCritical'));
				void this.#endCritical(vm);
			}
		}
	}

	/** Of this boot. A request that was under way when the machine was saved goes on with it. */
	async #inProcess(boot: string): Promise<RunningVm> {
		const isSaved = () =>
			this.#host.state.vms.some(({ vmId, saved }) => vmId === this.#vmId && saved?.guestBoot === boot);
		for (;;) {
			const vm = this.#host.running.get(this.#vmId);
			if (vm && !isGone(vm, boot)) return vm;
			if (!isSaved()) throw noGuest(this.#vmId);
			await delay(savedLookMs);
		}
	}
}

/** Between two looks at a machine that is saved. */
const savedLookMs = 20;

/** True once the time is over. Timers of Node hold 24 days. */
async function longDelay(ms: number, signal: AbortSignal): Promise<boolean> {
	const mostMs = 2 ** 31 - 1;
	try {
		await delay(Math.min(ms, mostMs), undefined, { signal, ref: false });
		return ms <= mostMs;
	} catch {
		return false; // aborted
	}
}

function isGone(vm: RunningVm, boot: string): boolean {
	return vm.hasEnded || vm.guestBoot !== boot;
}

function noGuest(vmId: string): RouseError {
	return new RouseError('machine_failed', `machine ${vmId} has no guest that runs`);
}

function diskOf(vm: RunningVm, disk: number): RunningDisk {
	const found = vm.disks[disk];
	if (found === undefined) throw new RouseError('input_invalid', `machine ${vm.vmId} has no disk ${disk}`);
	return found;
}

function lay(write: { atBytes: number; base64: string }, into: Buffer, atBytes: number): void {
	const bytes = Buffer.from(write.base64, 'base64');
	const start = Math.max(write.atBytes, atBytes);
	const end = Math.min(write.atBytes + bytes.length, atBytes + into.length);
	if (start < end) bytes.copy(into, start - atBytes, start - write.atBytes, end - write.atBytes);
}
