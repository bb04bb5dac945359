import { setTimeout as delay } from 'node:timers/promises';
import { type BatchDocument, readBatch } from '../../../client/batch/documents.ts';
import { serviceFiles } from '../../../keeper/services.ts';
import type { WaitingView } from '../../../model/broker-view.ts';
import { RouseError } from '../../../model/errors.ts';
import { recoveryWorkflowId } from '../../../workflows/contracts.ts';
import { waitingText } from '../../broker/waiting-text.ts';
import { viewText } from '../../broker/view-text.ts';
import type { Session } from '../../recover/session.ts';
import { formatDuration } from '../../terminal/format.ts';
import { killAndReplace } from '../kills.ts';
import type { DemoHosts } from './hosts.ts';
import type { BatchDemoReport } from './report.ts';
import { hostNames, urgentMachine } from './site.ts';
import type { SiteTable } from './site-table.ts';

const lookEveryMs = 500;
/** Of a site that takes a minute on a quiet machine. */
const patienceMs = 600_000;

interface Watched {
	hosts: DemoHosts;
	table: SiteTable;
	signal: AbortSignal;
}

type Seen = Pick<BatchDemoReport, 'waited' | 'kill'> & { document: BatchDocument };

/**
 * Watches the site until all is ready. Once somebody of the second group waits for the broker, that is asked why, and the host
 * worker of the simulated machines is killed. Throws `machine_failed` when the batch ends otherwise.
 */
export async function untilReady(session: Session, { hosts, table, signal }: Watched): Promise<Seen> {
	const deadline = performance.now() + patienceMs;
	let middle: Omit<Seen, 'document'> | undefined;
	for (;;) {
		const document = await readBatch(session, 'site');
		if (document.phase === 'over') {
			table.end(document);
			return { ...(middle ?? nobodyWaited()), document: allReady(document) };
		}
		table.draw(document);
		middle ??= await inTheMiddle(document, { session, hosts, table, signal });
		if (performance.now() > deadline) throw new RouseError('timeout', `the site is not ready after ${patienceMs} ms`);
		await delay(lookEveryMs, undefined, { signal });
	}
}

/** Nothing yet, as long as nobody of the second group waits for others. */
async function inTheMiddle(
	{ items }: BatchDocument,
	{ session, hosts, table, signal }: Watched & { session: Session },
): Promise<Omit<Seen, 'document'> | undefined> {
	if (!items.some(({ lease, group }) => lease !== null && group === 'applications')) return undefined;
	const view = await session.broker.view();
	const [first] = view.waiting;
	const held = first?.lacks.some(({ why }) => why === 'held' || why === 'reserved');
	if (first === undefined || !held) return undefined;
	table.say('some have to wait; rouse broker show:');
	for (const line of viewText(view).split('\n')) table.say(`  ${line}`);
	const itemOf = ({ holder }: WaitingView) => items.find(({ name }) => holder.workflowId === recoveryWorkflowId(name));
	const queue = view.waiting.map(one => itemOf(one)?.machine ?? '');
	const [machine = ''] = queue;
	if (queue.indexOf(urgentMachine) > 0)
		throw new RouseError('machine_failed', `${urgentMachine} has the highest priority, and ${machine} goes before it`);

	const { lockPath } = serviceFiles(hosts.simulated.home, 'host-worker');
	const kill = await killAndReplace({ name: 'host-worker', lockPath }, signal);
	const back = `back as pid ${kill.newPid} after ${formatDuration(kill.backAfterMs)}`;
	table.say(`the host worker of ${hostNames.simulated} is killed (pid ${kill.pid}); ${back}`);
	return { waited: { machine, for: waitingText(first, view) }, kill };
}

function nobodyWaited(): never {
	throw new RouseError('machine_failed', 'the site came back, and nobody had to wait for a place');
}

function allReady(document: BatchDocument): BatchDocument {
	const open = document.items.filter(({ readyAt }) => readyAt === null);
	if (open.length === 0) return document;
	const told = open.map(({ name, state, reason }) => `${name} is ${state}${reason === null ? '' : ` (${reason})`}`);
	throw new RouseError('machine_failed', `the batch is over, and not all is ready: ${told.join('; ')}`);
}
