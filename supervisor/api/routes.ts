import type * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { hardwareRequestSchema } from '../../model/hardware-request.ts';
import { nameSchema } from '../../model/names.ts';
import type { JsonCall, JsonHandler } from '../../system/unix-http.ts';
import type { StreamHandler } from '../../system/unix-stream.ts';
import { FinishedMachine } from '../recovery/finished-machine.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import { adoption } from './adoption.ts';
import { agentView } from './agent-view.ts';
import { runInDrilled, screenshotView } from './drilled.ts';
import { hostView } from './host-view.ts';
import {
	agentRunSchema,
	consoleKinds,
	leasesGoneSchema,
	machinePowerSchema,
	machineRemoveSchema,
	type RecoveryView,
	type StepCall,
} from '../protocol.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { Supervisor } from '../supervisor.ts';
import { recoveryView } from './recovery-view.ts';

/** What is said over the supervisor's socket: protocol.ts. Questions wait for no step. */
export function routes(supervisor: Supervisor, host: HostParts): JsonHandler {
	return async call => {
		const [kind, name, rest] = call.path;
		if (call.path.length === 1 && call.method === 'GET') {
			if (kind === 'host') return hostView(host, supervisor);
			if (kind === 'capacity') return supervisor.capacity.report();
			if (kind === 'recoveries') return { recoveries: await Promise.all(supervisor.registry.all().map(viewOf)) };
		}
		if (kind === 'hardware' && call.path.length === 1 && call.method === 'POST')
			return host.platform.chooseHardware(parsed(hardwareRequestSchema, call.body), { signal: call.signal });
		if (kind === 'leases' && name === 'gone' && call.path.length === 2 && call.method === 'POST')
			return { gone: await supervisor.registry.leasesGone(parsed(leasesGoneSchema, call.body).requestIds) };
		if (name === undefined || call.path.length > 3) throw unknownRoute(call);
		if (!nameSchema.safeParse(name).success) throw new RouseError('protocol', `${name} is not a name`);
		if (kind === 'recoveries') return recoveryRoute(supervisor, call, name, rest);
		if (kind === 'machines') return machineRoute(supervisor, call, name, rest);
		throw unknownRoute(call);
	};
}

/** `GET /consoles/NAME/KIND`: protocol.ts. */
export function consoles({ registry }: Supervisor): StreamHandler {
	return async ({ path, signal }) => {
		const [noun, name = '', wanted] = path;
		const kind = consoleKinds.find(one => one === wanted);
		if (noun !== 'consoles' || kind === undefined || path.length !== 3)
			throw new RouseError('protocol', `no stream is at /${path.join('/')}`);
		const entry = registry.get(name);
		if (entry === undefined) throw new RouseError('recovery_unknown', `no machine ${name} on this host`);
		if (entry instanceof FinishedMachine) return entry.console(kind, signal);
		return entry.equipment.machine.console(kind, { signal });
	};
}

async function recoveryRoute(supervisor: Supervisor, call: JsonCall, name: string, rest: string | undefined) {
	if (call.method === 'POST' && rest === 'agent')
		return runInDrilled(supervisor.registry.get(name), name, parsed(agentRunSchema, call.body), call.signal);
	if (call.method === 'POST' && rest !== undefined) return supervisor.step(name, rest, call.body);
	if (call.method !== 'GET') throw unknownRoute(call);
	const entry = supervisor.registry.get(name);
	if (entry === undefined) throw new RouseError('recovery_unknown', `recovery ${name} is not on this host`);
	if (rest === undefined) return viewOf(entry);
	if (rest === 'adoption') return adoption(entry);
	if (rest === 'agent') return agentView(entry, call.signal);
	if (rest === 'screenshot') return screenshotView(entry, call.signal);
	if (rest !== 'incidents') throw unknownRoute(call);
	const after = Number(call.query.get('after') ?? 0);
	if (!Number.isSafeInteger(after) || after < 0) throw new RouseError('protocol', 'after: a number from 0');
	return { incidents: entry instanceof FinishedMachine ? [] : await entry.incidents.after(after) };
}

async function machineRoute(supervisor: Supervisor, call: JsonCall, name: string, rest: string | undefined) {
	if (call.method === 'POST' && rest === 'power')
		return supervisor.power(name, parsed(machinePowerSchema, call.body).action);
	const machine = supervisor.withoutWorkflow(name);
	if (call.method !== 'DELETE' || rest !== undefined) throw unknownRoute(call);
	const { recoveryId } = parsed(machineRemoveSchema, call.body ?? {});
	if (recoveryId !== undefined && recoveryId !== machine.recoveryId)
		throw new RouseError('identity_conflict', `${name} is the machine of ${machine.recoveryId}, not of ${recoveryId}`);
	if (machine instanceof FinishedMachine) await supervisor.registry.removeFinished(machine);
	else await supervisor.step(name, 'discard', lastCall(machine));
	return {};
}

/** In the place of its workflow, which gave it up: above nothing that another one may have asked for since. */
function lastCall({ recoveryId, state: { generation } }: Recovery): StepCall {
	return { recoveryId, generation };
}

function parsed<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
	const result = schema.safeParse(body);
	if (result.success) return result.data;
	throw new RouseError('protocol', refusalText(result.error));
}

function viewOf(entry: Recovery | FinishedMachine): Promise<RecoveryView> {
	return entry instanceof FinishedMachine ? entry.view() : recoveryView(entry);
}

function unknownRoute({ method, path }: JsonCall): RouseError {
	return new RouseError('protocol', `nothing answers to ${method} /${path.join('/')}`);
}
