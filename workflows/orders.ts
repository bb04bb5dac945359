/** What a recovery can be told and asked while it runs. Set before the first await: a signal may be older than the run. */
import { log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import { shortMessage } from '../model/incidents.ts';
import { refusalText } from '../model/issue-text.ts';
import {
	type Blocked,
	blockedSchema,
	incidentSchema,
	type Phase,
	policySchema,
	powerActionSchema,
	powerSchema,
	type RecoveryStatus,
	terminalPhases,
} from '../model/recovery.ts';
import { mustBeGone } from './abandon.ts';
import {
	type Asked,
	abandonUpdate,
	discardUpdate,
	type HostReport,
	hostReportSignal,
	migrateUpdate,
	powerUpdate,
	retryUpdate,
	setPolicyUpdate,
	statusQuery,
	switchUpdate,
} from './contracts.ts';
import { failureOf } from './failures.ts';
import { HostOrders } from './host-orders.ts';
import type { Run } from './run.ts';
import { addIncidents, mayAskHost } from './state.ts';

const askedSchema = z.object({ by: z.string().max(100), reason: z.string().max(500).optional() });
const powerOrderSchema = askedSchema.extend({ action: powerActionSchema });
const policyOrderSchema = askedSchema.extend({ policy: policySchema.partial() });
const confirmedSchema = askedSchema.extend({ confirm: z.string() });

export function takeOrders(run: Run): void {
	setHandler(statusQuery, () => run.status());
	setHandler(hostReportSignal, report => takeReport(run, report));
	const hostOrders = new HostOrders(run);
	takeCourseOrders(run, hostOrders);
	takeHostOrders(run, hostOrders);
	hostOrders.goOn();
}

/** Orders that change the course: they are looked at when the recovery gets there, or end what is under way. */
function takeCourseOrders(run: Run, hostOrders: HostOrders): void {
	const { wanted } = run.state;
	const noted = (change: () => void): RecoveryStatus => {
		change();
		run.publish();
		run.reconsider();
		return run.status();
	};
	setHandler(migrateUpdate, () => noted(() => (wanted.migrate = true)), {
		validator: asked => check(run, 'migrate', askedSchema, asked, beforeSwitching),
	});
	setHandler(switchUpdate, () => noted(() => (wanted.switch = true)), {
		validator: asked => check(run, 'switch', askedSchema, asked, ['migrating', 'migrated', 'switching']),
	});
	setHandler(setPolicyUpdate, ({ policy }) => noted(() => Object.assign(run.state.policy, policy)), {
		validator: asked => check(run, 'policy', policyOrderSchema, asked, beforeSwitching),
	});
	const discard = ({ by, reason }: Asked) => {
		wanted.discard = reason ? { by, reason } : { by };
		hostOrders.takeBack();
	};
	const abandon = async (asked: Asked & { confirm: string }) => {
		await mustBeGone(run);
		checkAbandon(run, asked); // it may have come to its end meanwhile
		const { by, reason } = asked;
		return noted(() => {
			wanted.abandon = reason ? { by, reason } : { by };
			hostOrders.takeBack();
		});
	};
	setHandler(abandonUpdate, abandon, { validator: asked => checkAbandon(run, asked) });
	setHandler(discardUpdate, asked => noted(() => discard(asked)), { validator: asked => checkDiscard(run, asked) });
}

/** Orders that the host carries out, while a person waits for the answer. */
function takeHostOrders(run: Run, orders: HostOrders): void {
	setHandler(
		powerUpdate,
		async ({ action }) => {
			await orders.power(action);
			return run.status();
		},
		{ validator: asked => check(run, 'power', powerOrderSchema, asked, withPower) },
	);
	setHandler(
		retryUpdate,
		async () => {
			if (run.state.parked) {
				run.state.parked = null; // what is parked waits for this
				run.state.retryOnHost = mayAskHost(run.state);
				run.publish();
				run.reconsider();
			} else await orders.retry();
			return run.status();
		},
		{ validator: asked => checkRetry(run, asked) },
	);
}

const withPower: readonly Phase[] = ['running', 'migrating', 'migrated', 'switching'];
const beforeSwitching: readonly Phase[] = ['planned', 'waiting', 'starting', 'running', 'migrating', 'migrated'];

/** Validators are synchronous and throw nothing but ApplicationFailure: anything else fails the task for ever. */
function check(run: Run, order: string, schema: z.ZodType, asked: Asked, phases: readonly Phase[]): void {
	checkShape(order, schema, asked);
	const { phase, wanted } = run.state;
	if (run.request.drill && order !== 'power') throw wrongPhase(run, order, "it is a drill's, which throws it away");
	if (phases.includes(phase) && !wanted.discard) return;
	throw wrongPhase(run, order, wanted.discard ? 'discard was ordered' : `possible while ${phases.join(', ')}`);
}

function checkDiscard(run: Run, asked: Asked & { confirm: string }): void {
	checkConfirmed(run, 'discard', asked);
	if (run.isDone('switchToTarget'))
		throw wrongPhase(run, 'discard', 'the machine stands on its own disks: it is its host that removes it');
	if (run.state.failure) throw wrongPhase(run, 'discard', 'it has failed and leaves nothing behind');
	if (run.state.wanted.abandon) throw wrongPhase(run, 'discard', 'its host is given up');
}

function checkAbandon(run: Run, asked: Asked & { confirm: string }): void {
	checkConfirmed(run, 'abandon', asked);
	if (terminalPhases.includes(run.state.phase) || run.isDone('finalize') || run.isDone('discard'))
		throw wrongPhase(run, 'abandon', 'its host has done its part, and nothing waits for it');
}

function checkConfirmed(run: Run, order: string, asked: Asked & { confirm: string }): void {
	checkShape(order, confirmedSchema, asked);
	const { name } = run.request;
	if (asked.confirm !== name)
		throw failureOf({ code: 'usage', message: `confirmed as "${asked.confirm}", but the recovery is "${name}"` });
}

function checkRetry(run: Run, asked: Asked): void {
	checkShape('retry', askedSchema, asked);
	// A host that is blocked may not have come through with it: while it has a machine of this recovery it is asked.
	if (!run.state.parked && !run.state.blocked && !mayAskHost(run.state))
		throw wrongPhase(run, 'retry', 'it is not parked');
}

function checkShape(order: string, schema: z.ZodType, asked: unknown): void {
	const result = schema.safeParse(asked);
	if (!result.success)
		throw failureOf({ code: 'usage', message: `${order} is not taken as it was given: ${refusalText(result.error)}` });
}

function wrongPhase(run: Run, order: string, why: string): Error {
	const { name: recovery } = run.request;
	const { phase } = run.state;
	const message = `${order}: recovery ${recovery} is ${phase}; ${why}`;
	return failureOf({ code: 'phase_wrong', message, details: { recovery, phase, order } });
}

const hostReportSchema: z.ZodType<HostReport> = z.object({
	recoveryId: z.uuid(),
	hostId: z.uuid().optional(),
	power: powerSchema,
	blocked: blockedSchema.nullable(),
	powerOrder: z.int().min(0).optional(),
	copying: z.boolean().optional(),
	incidents: z.array(incidentSchema),
	restoredBytes: z.int().min(0).optional(),
}) as z.ZodType<HostReport>; // zod's optional also admits undefined, which JSON cannot carry

/** Temporal takes 2 MiB of a memo, and a workflow that publishes more goes no further. */
function bounded(blocked: Blocked): Blocked {
	const { first } = blocked.next;
	const next = { ...blocked.next, ...(first === undefined ? {} : { first: shortMessage(first) }) };
	return { ...blocked, reason: shortMessage(blocked.reason), next };
}

/** A report that is not for this recovery, or not understood, changes nothing: a signal cannot be refused. */
function takeReport(run: Run, sent: unknown): void {
	const parsed = hostReportSchema.safeParse(sent);
	if (!parsed.success) log.warn('a report of the host is not understood', { why: refusalText(parsed.error) });
	if (!parsed.success || parsed.data.recoveryId !== run.state.recoveryId) return;
	const { hostId, power, blocked, powerOrder = 0, copying = false, incidents, restoredBytes } = parsed.data;
	const { state } = run;
	// A host of the pool that had reserved, and whose worker was away too long: what it has of the recovery is not where it runs.
	if (hostId !== undefined && hostId !== state.place?.hostId) return;
	const since = state.blocked?.code === blocked?.code ? state.blocked?.since : undefined;
	state.power = power;
	state.orders.given = Math.max(state.orders.given, powerOrder); // its clock may be ahead of ours
	// What is thrown away or given up needs nobody's help to go on.
	const leaving = state.phase === 'discarding' || state.phase === 'abandoning';
	state.blocked = leaving || !blocked ? null : { ...bounded(blocked), since: since ?? new Date().toISOString() };
	state.copiesOn = copying;
	addIncidents(
		state,
		incidents.map(incident => ({ ...incident, message: shortMessage(incident.message) })),
	);
	if (restoredBytes !== undefined) state.restoredBytes = restoredBytes;
	run.publish();
	run.reconsider();
}
