import type { Repository } from '../../../repository/repository.ts';
import type { MachineSource } from '../contract.ts';

/** What the steps of an import work on; each opens it anew in its own process. */
export interface StepPlaces {
	source: MachineSource;
	repository: Repository;
	signal: AbortSignal;
}
