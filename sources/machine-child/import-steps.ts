import type { ImportProgress } from '../../model/import-view.ts';
import type { CopyResult } from '../machine/copy-result.ts';
import type { Leftover, SourceMoment } from '../machine/documents.ts';
import type { ImportOrder } from '../machine/order.ts';
import type { Swept } from '../machine/steps/sweep.ts';
import type { ImportPlaces } from './calls.ts';

export interface CopyHow {
	signal: AbortSignal;
	onProgress: (progress: ImportProgress) => void;
}

/**
 * The steps of an import (sources/machine/steps), each by itself: who takes one knows no more than what the ones before have
 * said. They throw what those throw; `config_invalid` for a source or repository that config.yaml does not name any more,
 * `identity_conflict` for another repository in its directory.
 */
export interface ImportSteps {
	plan(places: ImportPlaces, wish: { importId: string; machine: string }, signal: AbortSignal): Promise<ImportOrder>;
	sweep(places: ImportPlaces, order: ImportOrder, signal: AbortSignal): Promise<Swept>;
	begin(places: ImportPlaces, order: ImportOrder, signal: AbortSignal): Promise<SourceMoment>;
	/** Resolves when the moment can be read; `source_busy` while that takes longer than some seconds: ask again later. */
	ready(places: ImportPlaces, moment: SourceMoment, signal: AbortSignal): Promise<void>;
	copy(
		places: ImportPlaces,
		copy: { order: ImportOrder; moment: SourceMoment; maxRateBytes: number | null },
		how: CopyHow,
	): Promise<CopyResult>;
	commit(places: ImportPlaces, order: ImportOrder, signal: AbortSignal): Promise<void>;
	giveUp(places: ImportPlaces, order: ImportOrder, signal: AbortSignal): Promise<'given-up' | 'published'>;
	/** For who has not looked into the repository: whichever it is. */
	leftovers(
		places: Omit<ImportPlaces, 'repositoryId'>,
		machine: string,
		signal: AbortSignal,
	): Promise<{ repositoryId: string; leftovers: Leftover[] }>;
}
