import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { phaseOnHost } from '../model/adoption.ts';
import { asRouseError, type ErrorDocument, RouseError } from '../model/errors.ts';
import type { Phase, Policy } from '../model/recovery.ts';
import type { SupervisorClient } from '../supervisor/client.ts';
import type { RecoveryView } from '../supervisor/protocol.ts';
import { adoptedRequest } from './adopted-request.ts';
import type { Why } from './orders.ts';
import { endedByForce } from './phases.ts';
import type { Recoveries } from './recoveries.ts';
import type { RecoverySummary } from './summaries.ts';

/** What became of one recovery of the host. */
export interface AdoptionAnswer {
	name: string;
	recoveryId: string;
	/** `open`: its workflow runs. `closed`: its workflow came to an end of its own, and a person must say that it is meant. */
	outcome: 'adopted' | 'open' | 'closed' | 'failed';
	/** Where it goes on. */
	phase: Phase | null;
	/** What nobody knows any more. */
	lost: string[];
	failure: ErrorDocument | null;
}

export interface AdoptOptions extends Why {
	/** What is to happen by itself from here on; default: as it was requested. */
	policy?: Partial<Policy> | undefined;
}

interface Parties {
	recoveries: Pick<Recoveries, 'find' | 'goOn' | 'peek'>;
	supervisor: Pick<SupervisorClient, 'adoption' | 'host' | 'recoveries'>;
}

/**
 * Builds a workflow out of what the host knows, which goes on from there. `phase_wrong` while a workflow of this name is
 * open, and when the recovery has ended on the host; `recovery_unknown` when the host does not have it.
 */
export async function adopt(
	{ recoveries, supervisor }: Parties,
	name: string,
	{ policy, ...why }: AdoptOptions,
): Promise<AdoptionAnswer> {
	const existing = await recoveries.find(name);
	if (existing && isOpen(existing)) throw stillOpen(existing);
	const [found, host] = await Promise.all([supervisor.adoption(name), supervisor.host()]);
	const { request, lost } = adoptedRequest(name, found, host);
	const { request: _kept, ...known } = found;
	const { recoveryId } = found;
	// The host may not have been told yet.
	const abandoned = found.abandoned || (existing?.phase === 'abandoned' && existing.recoveryId === recoveryId);
	const phase = phaseOnHost(found);
	try {
		await recoveries.goOn(
			request,
			{ recoveryId, phase },
			{ ...why, host: { ...known, abandoned }, ...(policy ? { policy } : {}) },
		);
	} catch (error) {
		if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
		throw stillOpen(await recoveries.peek(name)); // somebody was faster
	}
	return { name, recoveryId, outcome: 'adopted', phase, lost, failure: null };
}

/** Every recovery that the host has not ended and that no workflow drives any more; one that fails holds up no other. */
export async function adoptAll(parties: Parties, options: AdoptOptions): Promise<AdoptionAnswer[]> {
	const answers: AdoptionAnswer[] = [];
	for (const view of await parties.supervisor.recoveries())
		if (view.state === 'active') answers.push(await adoptUnlessOpen(parties, view, options));
	return answers;
}

async function adoptUnlessOpen(
	parties: Parties,
	{ name, recoveryId }: RecoveryView,
	options: AdoptOptions,
): Promise<AdoptionAnswer> {
	const answer = { name, recoveryId, phase: null, lost: [], failure: null };
	try {
		const existing = await parties.recoveries.find(name);
		if (existing && isOpen(existing)) return { ...answer, outcome: 'open' };
		const endedItself = existing && existing.recoveryId === recoveryId && !endedByForce(existing.workflow);
		if (endedItself) return { ...answer, outcome: 'closed' };
		await mustBeHere(parties.supervisor, name);
		return await adopt(parties, name, options);
	} catch (error) {
		return { ...answer, outcome: 'failed', failure: asRouseError(error).toDocument() };
	}
}

/** A recovery over a pool may have left this host before power-on, for one that runs it: a person says that none does. */
async function mustBeHere(supervisor: Pick<SupervisorClient, 'adoption'>, name: string): Promise<void> {
	const { request, powerOnScheduled } = await supervisor.adoption(name);
	if (request?.pool === undefined || powerOnScheduled) return;
	throw new RouseError(
		'phase_wrong',
		`recovery ${name} was not powered on here, and another host of its pool may have it`,
		{ hint: 'see that none has; then adopt it by its name', details: { recovery: name } },
	);
}

function isOpen({ workflow }: RecoverySummary): boolean {
	return workflow === 'RUNNING' || workflow === 'PAUSED';
}

function stillOpen({ name, phase, workflow }: RecoverySummary): RouseError {
	return new RouseError('phase_wrong', `recovery ${name} has a workflow that is open (${phase})`, {
		details: { recovery: name, phase, workflow, order: 'adopt' },
	});
}
