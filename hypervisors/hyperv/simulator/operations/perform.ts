import * as z from 'zod';
import { type AnswerOf, type OperationName, operations } from '../../driver/requests.ts';
import type { HostParts } from '../parts.ts';
import { checkCmdlets, hello, report } from './host.ts';
import { makeCheckpoint, putTarget, removeCheckpoint } from './checkpoints.ts';
import { createMachine, handOver, observe, removeMachine, stopIfThere } from './machines.ts';
import { chain, makeOverlay, merge, reparent } from './overlays.ts';
import { power, start } from './power.ts';
import { attachTarget, detachTarget, makeTarget, removeTargets } from './targets.ts';
import {
	createAppliance,
	expectFile,
	removeAppliance,
	removeSeed,
	startAppliance,
	stopAppliance,
	takeFile,
} from './setup-appliance.ts';
import { makeNetwork, removeNetwork, setInitiator, survey } from './setup-host.ts';
import { putKey, removeKey } from './setup-key.ts';
import { connectVolume, disconnectVolume } from './volume.ts';

type Operation<Name extends OperationName> = (host: HostParts, request: unknown) => Promise<AnswerOf<Name>>;

/** What is no such request is refused with zod's error. */
function operation<Request extends z.ZodType, Answer>(
	schema: Request,
	work: (host: HostParts, request: z.output<Request>) => Promise<Answer>,
): (host: HostParts, request: unknown) => Promise<Answer> {
	return async (host, request) => await work(host, schema.parse(request));
}

const all: { [Name in OperationName]: Operation<Name> } = {
	hello: operation(operations.hello.request, hello),
	report: operation(operations.report.request, report),
	'check-cmdlets': operation(operations['check-cmdlets'].request, checkCmdlets),
	'make-target': operation(operations['make-target'].request, makeTarget),
	'attach-target': operation(operations['attach-target'].request, attachTarget),
	'detach-target': operation(operations['detach-target'].request, detachTarget),
	'remove-targets': operation(operations['remove-targets'].request, removeTargets),
	'put-target': operation(operations['put-target'].request, putTarget),
	'create-machine': operation(operations['create-machine'].request, createMachine),
	observe: operation(operations.observe.request, observe),
	chain: operation(operations.chain.request, chain),
	'make-overlay': operation(operations['make-overlay'].request, makeOverlay),
	'make-checkpoint': operation(operations['make-checkpoint'].request, makeCheckpoint),
	'remove-checkpoint': operation(operations['remove-checkpoint'].request, removeCheckpoint),
	start: operation(operations.start.request, start),
	power: operation(operations.power.request, power),
	reparent: operation(operations.reparent.request, reparent),
	merge: operation(operations.merge.request, merge),
	'hand-over': operation(operations['hand-over'].request, handOver),
	'remove-machine': operation(operations['remove-machine'].request, removeMachine),
	'connect-volume': operation(operations['connect-volume'].request, connectVolume),
	'disconnect-volume': operation(operations['disconnect-volume'].request, disconnectVolume),
	survey: operation(operations.survey.request, survey),
	'make-network': operation(operations['make-network'].request, makeNetwork),
	'remove-network': operation(operations['remove-network'].request, removeNetwork),
	'set-initiator': operation(operations['set-initiator'].request, setInitiator),
	'put-key': operation(operations['put-key'].request, putKey),
	'remove-key': operation(operations['remove-key'].request, removeKey),
	'expect-file': operation(operations['expect-file'].request, expectFile),
	'take-file': operation(operations['take-file'].request, takeFile),
	'create-appliance': operation(operations['create-appliance'].request, createAppliance),
	'start-appliance': operation(operations['start-appliance'].request, startAppliance),
	'stop-appliance': operation(operations['stop-appliance'].request, stopAppliance),
	'remove-seed': operation(operations['remove-seed'].request, removeSeed),
	'remove-appliance': operation(operations['remove-appliance'].request, removeAppliance),
};

/** Those that take no lock: they change nothing, and wait for nobody. */
const without: readonly OperationName[] = [
	'hello',
	'report',
	'check-cmdlets',
	'observe',
	'chain',
	'survey',
	'expect-file',
];
const lockedSchema = z.looseObject({
	recoveryId: z.string().optional(),
	setupId: z.string().optional(),
	action: z.string().optional(),
});

/** Does what the driver would, with the cmdlets of this host. Throws what they throw, and a zod error for another request. */
export async function perform<Name extends OperationName>(
	host: HostParts,
	name: Name,
	request: unknown,
): Promise<AnswerOf<Name>> {
	if (without.includes(name)) return await all[name](host, request);
	const { setupId, recoveryId = setupId ?? '', action } = lockedSchema.parse(request);
	const starting = `start-${recoveryId}`;
	if (name === 'power' && action === 'turn-off') {
		// A machine that hangs is stopped whoever is at work on it, and again when nobody is who was to start it.
		await all[name](host, request);
		return await host.locks.hold(starting, () => all[name](host, request));
	}
	if (name === 'remove-machine') await stopIfThere(host, recoveryId);
	const locked = () => host.locks.hold(recoveryId, () => all[name](host, request));
	const starts = name === 'start' || (name === 'power' && ['reset', 'resume'].includes(action ?? ''));
	return starts ? await host.locks.hold(starting, locked) : await locked();
}
