import type { NewPin, RepositoryAccess } from '../../../repository/access/calls.ts';
import { directAccess } from '../../../repository/access/direct.ts';
import type { PinList } from '../../../repository/pins.ts';
import { RouseError } from '../../../model/errors.ts';

/** Repositories whose pins and manifests cannot be got at for a while: away, full or read-only. */
export class SeededRepositories implements RepositoryAccess {
	/** How every call fails; undefined when the repositories are there. */
	failing: 'store_unreachable' | 'repository_missing' | 'space_short' | 'io_failed' | undefined;

	async readPoint(repository: string, machine: string, restorePoint: string) {
		// Who cannot write can read.
		if (this.failing !== 'space_short' && this.failing !== 'io_failed') this.#look();
		return directAccess.readPoint(repository, machine, restorePoint);
	}

	async listPins(repository: string): Promise<PinList> {
		if (this.failing !== 'space_short' && this.failing !== 'io_failed') this.#look();
		return directAccess.listPins(repository);
	}

	async pin(repository: string, pin: NewPin): Promise<void> {
		this.#look();
		await directAccess.pin(repository, pin);
	}

	async unpin(repository: string, recoveryId: string): Promise<void> {
		this.#look();
		await directAccess.unpin(repository, recoveryId);
	}

	#look(): void {
		if (this.failing !== undefined) throw new RouseError(this.failing, 'the repository is away');
	}
}

export async function isPinned(repository: string, recoveryId: string): Promise<boolean> {
	const { pins, unreadable } = await directAccess.listPins(repository);
	return [...pins, ...unreadable].some(pin => pin.recoveryId === recoveryId);
}
