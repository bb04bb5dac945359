/** What a broker can be told and asked. Set before the first await: a signal may be older than the run. */
import { ApplicationFailure, log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import {
	capacityReportSchema,
	holderSchema,
	leaseRequestSchema,
	releaseSchema,
	reporterSchema,
	resourceSchema,
} from '../../model/broker.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { refusalText } from '../../model/issue-text.ts';
import {
	acquireSignal,
	brokerViewQuery,
	capacityReportSignal,
	forceReleaseUpdate,
	forgetUpdate,
	hostAwaySignal,
	prioritizeUpdate,
	releaseSignal,
	setTotalUpdate,
} from '../broker-contracts.ts';
import type { BrokerRun } from './run.ts';
import { explain } from './explain.ts';

/** Those behind them are in the state, and would make the answer larger than Temporal takes. */
const shown = 100;

const asked = { by: z.string().max(100), reason: z.string().max(500).optional() };
const requestId = releaseSchema.shape.requestId;
const { priority, deadlineMs } = leaseRequestSchema.shape;
const setTotalSchema = z.strictObject({ ...asked, resource: resourceSchema, total: z.int().min(0).nullable() });
const prioritizeSchema = z.strictObject({ ...asked, requestId, priority, deadlineMs });
const forceReleaseSchema = z.strictObject({ ...asked, reason: z.string().min(1).max(500), requestId });
const hostAwaySchema = z.object({ host: nameSchema, seenBy: holderSchema.shape.workflowId });
const forgetSchema = z.strictObject({ ...asked, reporter: reporterSchema });

export function takeOrders(run: BrokerRun): void {
	setHandler(brokerViewQuery, about => explain(run.state, Date.now(), shown, about?.workflowId));
	takeMessages(run);
	setHandler(setTotalUpdate, ({ resource, total }) => run.happens({ type: 'set', resource, total }), {
		validator: order => check(setTotalSchema, order),
	});
	setHandler(prioritizeUpdate, order => run.happens({ type: 'prioritize', ...order }), {
		validator: order => {
			check(prioritizeSchema, order);
			if (!run.state.waiters.has(order.requestId)) refuse('phase_wrong', `${order.requestId} does not wait here`);
		},
	});
	setHandler(forceReleaseUpdate, order => run.happens({ type: 'force-release', ...order }), {
		validator: order => {
			check(forceReleaseSchema, order);
			const known = run.state.waiters.has(order.requestId) || run.state.leases.has(order.requestId);
			if (!known) refuse('phase_wrong', `${order.requestId} neither waits here nor holds anything`);
		},
	});
	setHandler(forgetUpdate, ({ reporter }) => run.happens({ type: 'forget', reporter }), {
		validator: order => check(forgetSchema, order),
	});
}

function takeMessages(run: BrokerRun): void {
	setHandler(acquireSignal, message => {
		const request = read(leaseRequestSchema, message, 'a request');
		if (request) run.happens({ type: 'acquire', request });
	});
	setHandler(releaseSignal, message => {
		const release = read(releaseSchema, message, 'a release');
		if (release) run.happens({ type: 'release', release });
	});
	setHandler(hostAwaySignal, message => {
		const away = read(hostAwaySchema, message, 'a word about a host');
		if (away) run.happens({ type: 'host-away', ...away });
	});
	setHandler(capacityReportSignal, message => {
		const report = read(capacityReportSchema, message, 'a report');
		if (report) run.happens({ type: 'report', report });
	});
}

/** A signal has nobody who could be told that it was refused. */
function read<T>(schema: z.ZodType<T>, message: unknown, what: string): T | undefined {
	const parsed = schema.safeParse(message);
	if (!parsed.success) log.warn(`${what} that cannot be read was left out`, { issues: refusalText(parsed.error) });
	return parsed.data;
}

function check(schema: z.ZodType, order: unknown): void {
	const parsed = schema.safeParse(order);
	if (!parsed.success) refuse('input_invalid', refusalText(parsed.error));
}

function refuse(code: ErrorCode, message: string): never {
	throw ApplicationFailure.nonRetryable(message, code);
}
