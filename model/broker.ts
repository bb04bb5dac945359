import * as z from 'zod';
import { nameSchema } from './names.ts';

/** What a broker bears; why these: docs/architecture.md, "The broker". */
export const brokerLimits = {
	/** Beyond that, state that is handed to the next run would come near Temporal's 2 MiB for one payload. */
	waiters: 2_000,
	leases: 2_000,
	/** Of those that wait, such as want nothing of a host: imports, which are to keep no recovery out. */
	waitingWithoutHost: 250,
	/** Requests that are over and still recognised: a message that comes late finds them among the last ones. */
	ended: 500,
	poolHosts: 32,
	/** Told by one activity: a second or two for a server that does little else. */
	delivered: 250,
} as const;

const weight = z.int().min(1).max(1_000_000_000);
const millis = z.int().min(0);

/** `recoveries`, `memoryMiB`, `imports`, …: one thing of which a host or a repository has so much. */
const kindSchema = z.string().regex(/^[a-z][a-zA-Z0-9]{0,19}$/);

/** Who says how much there is of its resources: `host/kvm1`, `repository/main`. */
export const reporterSchema = z.string().regex(/^(host|repository)\/[a-z0-9][a-z0-9-]{0,39}$/);

/** `host/kvm1/migrations` */
export const resourceSchema = z.string().regex(/^(host|repository)\/[a-z0-9][a-z0-9-]{0,39}\/[a-z][a-zA-Z0-9]{0,19}$/);

export const holderSchema = z.strictObject({
	/** The longest are those of imports: a word, a repository's id, a machine. */
	workflowId: z.string().min(1).max(84),
	/** Of the chain: the same after continue-as-new, another when the id is used again. */
	firstRunId: z.string().min(1).max(40),
});
export type Holder = z.infer<typeof holderSchema>;

/** All of it at once, on one of `hosts`, or nothing. */
export const leaseRequestSchema = z
	.strictObject({
		holder: holderSchema,
		/** What the holder wants it for. Holder and step are the request's identity: the same words are the same request. */
		step: z.string().regex(/^[a-z][a-z0-9-]{0,19}$/),
		/** Wherever it is placed, by resource; none of a host. */
		shared: z.record(resourceSchema.startsWith('repository/'), weight),
		/** Exactly one of them is granted, an earlier one when several are equally good. */
		hosts: z.array(nameSchema).max(brokerLimits.poolHosts),
		/** By kind, on the host that is granted. */
		onHost: z.record(kindSchema, weight),
		/** Kinds of `onHost` that a machine still takes up when the lease is given back: nobody is to wait for their return. */
		lasting: z.array(kindSchema).max(6),
		/** 1 goes first, 5 last. */
		priority: z.int().min(1).max(5),
		/** Among equal priorities the earliest goes first. */
		deadlineMs: millis.nullable(),
		/** When the holder asked for the first time, also under another step or another broker: its age counts from then. */
		sinceMs: millis,
		/** How long it will be held, by the holder's estimate: order never depends on it, forecasts do. */
		expectedMs: z.int().min(1).max(31_536_000_000),
	})
	.refine(({ hosts }) => new Set(hosts).size === hosts.length, 'a host is named once')
	.refine(
		({ hosts, onHost }) => hosts.length > 0 === Object.keys(onHost).length > 0,
		'hosts, and what is asked of them',
	)
	.refine(({ shared, onHost }) => {
		const count = Object.keys(shared).length + Object.keys(onHost).length;
		return count >= 1 && count <= 8;
	}, 'one to eight resources')
	.refine(({ onHost, lasting }) => lasting.every(kind => Object.hasOwn(onHost, kind)), 'only what is asked for lasts');
export type LeaseRequest = z.infer<typeof leaseRequestSchema>;

export function requestIdOf({ holder, step }: Pick<LeaseRequest, 'holder' | 'step'>): string {
	return `${holder.workflowId}/${holder.firstRunId}/${step}`;
}

/** `run-2` comes after `run`, `run-3` after that; null of a first one. */
export function stepBefore(step: string): string | null {
	const [, kind, number = '1'] = /^(.*?)(?:-(\d+))?$/.exec(step) ?? [];
	if (Number(number) < 2) return null;
	return Number(number) === 2 ? `${kind}` : `${kind}-${Number(number) - 1}`;
}

/** Of the holder of a request, by the request's id: neither of the two last parts has a slash. */
export function workflowIdOf(requestId: string): string {
	return requestId.split('/').slice(0, -2).join('/');
}

/** `web01-r1/run`, `web01/import`: what a person calls a request; a recovery, or the machine of an import, and the step. */
export function shortIdOf(requestId: string): string {
	const [kind, ...parts] = requestId.split('/');
	const known = (kind === 'recovery' && parts.length === 3) || (kind === 'import' && parts.length === 4);
	return known ? `${parts.at(-3)}/${parts.at(-1)}` : requestId;
}

/** A lease as its host keeps it, so that a broker that has lost it learns of it again. */
export const heldLeaseSchema = z.strictObject({
	request: leaseRequestSchema,
	host: nameSchema.nullable(),
	/** Of two leases the later one has the higher token, also across brokers. */
	token: z.int().min(1),
});
export type HeldLease = z.infer<typeof heldLeaseSchema>;

/** What a holder is told, by its workflow id alone. */
export const grantSchema = z.strictObject({
	workflowId: holderSchema.shape.workflowId,
	requestId: z.string().min(1).max(160),
	host: nameSchema.nullable(),
	token: z.int().min(1),
});
export type Grant = z.infer<typeof grantSchema>;

/** How much there is, from who knows it. A later report replaces all of an earlier one. */
export const capacityReportSchema = z.strictObject({
	reporter: reporterSchema,
	/** Of a host: where it is asked what became of its leases. */
	hostId: z.uuid().optional(),
	/** Rises for good with each report; one that is not above the last is late, or a repetition. */
	number: z.int().min(1),
	resources: z.record(
		kindSchema,
		z.strictObject({
			total: z.int().min(0),
			/** What is taken of it by something that no lease covers. */
			outside: z.int().min(0),
			/** Why the total is less than is configured, at present. */
			reduced: z.string().min(1).max(200).optional(),
		}),
	),
	/** Leases that a host has accepted, and whose recovery is not over there. */
	held: z.array(heldLeaseSchema),
	/** Some of its recoveries cannot be read: what is missing in `held` may be held all the same. */
	partial: z.literal(true).optional(),
});
export type CapacityReport = z.infer<typeof capacityReportSchema>;

export const releaseSchema = z.strictObject({
	requestId: z.string().min(1).max(160),
	/** What the machine goes on taking up on its host: charged until the host reports it as outside. */
	stays: z
		.strictObject({
			onHost: z.record(kindSchema, weight),
			/** Number of the host's last report that does not have it yet. */
			afterReport: z.int().min(0),
		})
		.nullable(),
});
export type Release = z.infer<typeof releaseSchema>;
