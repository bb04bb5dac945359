import { asRouseError } from '../../model/errors.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import type { ImportResult } from '../../repository/import/import-machine.ts';
import type { Repository } from '../../repository/repository.ts';
import { checkConfigured, machineConfig, unknownOf } from '../machine/config.ts';
import { machineProgress } from '../machine/machine-progress.ts';
import { storeMachine } from '../machine/store-machine.ts';
import { afterInterruption, importAttempt } from './attempt.ts';
import { doubtsOf } from './doubts.ts';
import type { GivenDisks, GivenLook } from './given-disks.ts';
import { openGiven } from './open-given.ts';

export interface GivenImport extends GivenDisks {
	/** When the disks were like this; undefined: now. */
	at: string | undefined;
	now: string;
}

export interface GivenTold extends GivenLook {
	/** That the tables of all are looked at, and no more is told of that. */
	onOpened: () => void;
	/** That an import is gone on with which a process has begun that is gone. */
	onGoingOn: (begunAt: string) => void;
	/** Often. */
	onProgress: (progress: { machine: string; doneBytes: number; totalBytes: number; newBytes: number }) => void;
}

/**
 * Imports what a person names, in this process. Nothing is begun anywhere but in the repository, and the next import of the same
 * disks goes on with what one that was interrupted has left there. Throws what {@link openGiven} and {@link storeMachine} throw.
 */
export async function importGiven(repository: Repository, given: GivenImport, told: GivenTold): Promise<ImportResult> {
	const { signal, onDoubt, onGoingOn, onProgress } = told;
	const opened = await openGiven(given, told);
	const { configured, disks } = opened;
	const { machine } = configured;
	try {
		told.onOpened();
		for (const doubt of await doubtsOf(opened, signal)) onDoubt(doubt);
		checkConfigured(configured);
		// Before anything is read: what is doubted is said before hours of that, and a look takes as much memory as an import.
		const seen = await machineConfig(configured, disks, signal);
		if (seen.unseen !== undefined) onDoubt(seen.unseen);
		const { at, now } = given;
		const attempt = await importAttempt(repository, { machine, at, now, disks }, signal);
		if (attempt.begunAt !== undefined) onGoingOn(attempt.begunAt);
		await proveZstdHandles();
		const result = await storeMachine(
			{ repository, ...attempt },
			{ configured, disks, facts: { unknown: unknownOf(configured) }, seen },
			{
				signal,
				progress: progress => onProgress({ machine, ...machineProgress(disks, progress), newBytes: progress.newBytes }),
			},
		).catch((error: unknown) => {
			throw afterInterruption(error, { ...attempt, disks }, signal);
		});
		for (const disk of disks)
			await disk.forgetKept?.().catch((error: unknown) => {
				onDoubt(`what was kept of the archive is still there: ${asRouseError(error).message}`);
			});
		return result;
	} finally {
		await Promise.all(disks.map(disk => disk.close()));
	}
}
