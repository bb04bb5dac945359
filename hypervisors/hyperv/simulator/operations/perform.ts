import { type AnswerOf, type OperationName, operations, type RequestOf } from '../../driver/requests.ts';
import type { HostParts } from '../parts.ts';
import { checkCmdlets, hello, report } from './host.ts';
import { createMachine, handOver, observe, removeMachine } from './machines.ts';
import { chain, makeOverlay, merge, reparent } from './overlays.ts';
import { power, start } from './power.ts';
import { attachTarget, detachTarget, makeTarget, removeTargets } from './targets.ts';
import { connectVolume, disconnectVolume } from './volume.ts';

type Operation<Name extends OperationName> = (host: HostParts, request: RequestOf<Name>) => Promise<AnswerOf<Name>>;

const all: { [Name in OperationName]: Operation<Name> } = {
	hello,
	report,
	'check-cmdlets': checkCmdlets,
	'make-target': makeTarget,
	'attach-target': attachTarget,
	'detach-target': detachTarget,
	'remove-targets': removeTargets,
	'create-machine': createMachine,
	observe,
	chain,
	'make-overlay': makeOverlay,
	start,
	power,
	reparent,
	merge,
	'hand-over': handOver,
	'remove-machine': removeMachine,
	'connect-volume': connectVolume,
	'disconnect-volume': disconnectVolume,
};

/** Does what the driver would, with the cmdlets of this host. Throws what they throw, and a zod error for another request. */
export async function perform<Name extends OperationName>(
	host: HostParts,
	name: Name,
	request: RequestOf<Name>,
): Promise<AnswerOf<Name>> {
	operations[name].request.parse(request);
	return await all[name](host, request);
}
