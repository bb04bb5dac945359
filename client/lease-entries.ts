/** What a recovery and its broker said to each other, as an audit tells it. */
import * as z from 'zod';
import { holderSchema, requestIdOf } from '../model/broker.ts';
import {
	acquireSignal,
	leaseGrantedSignal,
	leaseRefusedSignal,
	leaseRevokedSignal,
	releaseSignal,
} from '../workflows/broker-contracts.ts';
import type { HistoryEntry } from './history.ts';
import type { AuditEntry } from './audit-entry.ts';

const requestSchema = z.object({ holder: holderSchema, step: z.string(), hosts: z.array(z.string()) });
const answerSchema = z.object({
	requestId: z.string(),
	host: z.string().nullish(),
	code: z.string().optional(),
	by: z.string().optional(),
	reason: z.string().optional(),
});

type Told = Pick<AuditEntry, 'kind' | 'text' | 'by' | 'reason'> & { requestId: string };

/**
 * Undefined for what is no word of or to a broker, in the history of either. Said again, it is the same once more: with the
 * same text.
 */
export function leaseEntry({ kind, name, content }: HistoryEntry): Told | undefined {
	if (kind !== 'told' && kind !== 'reported') return undefined;
	if (name === acquireSignal.name) return asked(content);
	const { data } = answerSchema.safeParse(content);
	if (!data) return undefined;
	const { requestId, host, code, by, reason } = data;
	const lease = `lease ${requestId.split('/').at(-1)}`;
	switch (name ?? '') {
		case releaseSignal.name:
			return { kind: 'lease', text: `${lease} given back`, requestId };
		case leaseGrantedSignal.name:
			return { kind: 'lease', text: `${lease} granted${host ? ` on ${host}` : ''}`, requestId };
		case leaseRefusedSignal.name:
			return { kind: 'lease', text: `${lease} refused: ${code}`, requestId };
		case leaseRevokedSignal.name: {
			const who = { ...(by === undefined ? {} : { by }), ...(reason === undefined ? {} : { reason }) };
			return { kind: 'order', text: `${lease} taken away`, requestId, ...who };
		}
		default:
			return undefined;
	}
}

function asked(content: unknown): Told | undefined {
	const { data } = requestSchema.safeParse(content);
	if (!data) return undefined;
	const where = data.hosts.length > 0 ? ` on ${data.hosts.join(' or ')}` : '';
	return { kind: 'lease', text: `lease ${data.step} asked for${where}`, requestId: requestIdOf(data) };
}
