import type { Grant, LeaseRequest } from '../../model/broker.ts';

/** The newest run of a workflow id. */
export interface FoundWorkflow {
	isOpen: boolean;
	/** Of the chain of runs: another when the id was used again. */
	firstRunId: string;
	memo: Record<string, unknown>;
}

/** What a control worker can see and say of the workflows of its site. */
export interface SiteWorkflows {
	/** Asks the broker, and starts it where there is none. */
	askBroker: (request: LeaseRequest) => Promise<void>;
	/** Ids of recoveries and imports that are open, or were a moment ago: lists lag. */
	openHolders: () => Promise<string[]>;
	/** In the same order whether somebody of that name was open. */
	tellGrants: (grants: readonly Grant[], signal: AbortSignal) => Promise<boolean[]>;
	/** In the same order, as it is at the call; undefined for what Temporal does not know. */
	find: (workflowIds: readonly string[], signal: AbortSignal) => Promise<(FoundWorkflow | undefined)[]>;
}
