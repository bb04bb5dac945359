/** The file that `rouse batch start` reads; docs/batch.schema.json is made of this, for editors. */
import * as z from 'zod';
import { batchLimits, onFailureSchema } from './batch.ts';
import { brokerLimits, leaseRequestSchema } from './broker.ts';
import type { DrillTest } from './drill.ts';
import { machineConfigSchema } from './machine.ts';
import { nameSchema } from './names.ts';
import { defaultReadyMs, type Readiness, readinessSchema } from './readiness.ts';
import { allocateSchema, finishSchema, forwardSchema, networkTargetSchema, switchWhenSchema } from './recovery.ts';
import { writtenBytesSchema, writtenDurationSchema, writtenMemorySchema, writtenTimeSchema } from './written-values.ts';

/** A map without other fields, whose error says which there are. */
export function map<S extends z.core.$ZodLooseShape>(shape: S) {
	const known = Object.keys(shape).join(', ');
	return z.strictObject(shape, {
		error: ({ code }) => (code === 'unrecognized_keys' ? `no such field is known here: there are ${known}` : undefined),
	});
}

/** `web*`, `db0?`: a name of a machine, in which `*` stands for any number of characters and `?` for one. */
export const patternSchema = z
	.string()
	.regex(/^[a-z0-9*?][a-z0-9*?-]{0,39}$/, 'a name of a machine, or a pattern as web* or db0?')
	.meta({ description: 'A machine of the repository, or a pattern: * stands for any characters, ? for one.' });

const pointForms = 'latest, latest before 2026-11-20T03:00Z, or the beginning of a time, as 2026-11-20T03:00Z';
const pointSchema = z
	.string()
	.regex(/^(latest|latest before \d{4}-\d{2}-\d{2}T\d{2}:\d{2}[\d:.]*(Z|[+-]\d{2}:\d{2})|\d[\d:.TZ-]*)$/, pointForms)
	.meta({ description: `The restore point: ${pointForms}. Default: latest.` });

const address = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'an address or a host name');
const readyMap = map({
	agent: writtenDurationSchema.optional().meta({ description: 'The guest agent answers, within this time.' }),
	ping: address.optional().meta({ description: 'This address answers to ping.' }),
	tcp: z
		.string()
		.regex(/^[A-Za-z0-9[][A-Za-z0-9.:[\]-]*:\d{1,5}$/, 'ADDRESS:PORT')
		.optional()
		.meta({ description: 'ADDRESS:PORT, which takes a connection.' }),
	command: nameSchema.optional().meta({ description: 'The program checks/NAME of the host ends with 0.' }),
	args: z.array(z.string().max(200)).max(16).optional().meta({ description: 'Arguments of the command.' }),
	within: writtenDurationSchema.optional().meta({ description: 'Time limit of ping, tcp and command: 10m.' }),
}).transform((written, context): Readiness => {
	const ready = readinessOf(written);
	const parsed = readinessSchema.safeParse(ready);
	if (parsed.success) return parsed.data;
	const message =
		'one of {agent: 5m}, {ping: ADDRESS}, {tcp: ADDRESS:PORT}, {command: NAME}; within: 10m is its time limit';
	context.addIssue({ code: 'custom', message });
	return z.NEVER;
});

interface WrittenReady {
	agent?: number | undefined;
	ping?: string | undefined;
	tcp?: string | undefined;
	command?: string | undefined;
	args?: string[] | undefined;
	within?: number | undefined;
}

function readinessOf({ agent, ping, tcp, command, args, within }: WrittenReady): unknown {
	if ([agent, ping, tcp, command].filter(way => way !== undefined).length !== 1) return undefined;
	if (args !== undefined && command === undefined) return undefined;
	if (agent !== undefined) return within === undefined ? { check: { by: 'agent' }, timeoutMs: agent } : undefined;
	const timeoutMs = within ?? defaultReadyMs;
	if (ping !== undefined) return { check: { by: 'ping', address: ping }, timeoutMs };
	if (command !== undefined) return { check: { by: 'command', name: command, args: args ?? [] }, timeoutMs };
	const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(tcp ?? '') ?? [];
	return { check: { by: 'tcp', address: host, port: Number(port) }, timeoutMs };
}

/** `power`: ready when it is powered on, which takes back what a level above says. */
const readySchema = z
	.union(
		[z.literal('power'), readyMap],
		'power, or one of {agent: 5m}, {ping: ADDRESS}, {tcp: ADDRESS:PORT}, {command: NAME}',
	)
	.meta({ description: 'When a machine that was powered on counts as ready. Default: power, at once.' });

/** What is said for all machines, for a group, or for one; what is nearest to a machine counts. */
export const batchSettings = {
	repository: nameSchema.optional().meta({ description: 'Its name in config.yaml.' }),
	hosts: z
		.array(nameSchema)
		.min(1)
		.max(brokerLimits.poolHosts)
		.refine(hosts => new Set(hosts).size === hosts.length, 'a host is named once')
		.optional()
		.meta({ description: 'Each machine runs on one of them. Default: the host of this installation.' }),
	point: pointSchema.optional(),
	finish: finishSchema.optional().meta({ description: 'Copy to the host by itself, or when told. Default: manual.' }),
	switch: switchWhenSchema.optional().meta({ description: 'To its own disks by itself, or when told. Default: auto.' }),
	allocate: allocateSchema.optional().meta({ description: 'Space at the start, or as it fills. Default: start.' }),
	networks: z
		.record(z.string(), networkTargetSchema)
		.optional()
		.meta({ description: 'Network of the original: network of the host, or none. Levels are merged.' }),
	newMac: z.boolean().optional().meta({ description: 'New MAC addresses.' }),
	power: z.enum(['on', 'off']).optional().meta({ description: 'Default: on.' }),
	maxRate: writtenBytesSchema.optional().meta({ description: 'Bytes a second of each copy, as 20MiB; 0 is none.' }),
	priority: leaseRequestSchema.shape.priority.optional().meta({ description: '1 goes first, 5 last. Default: 3.' }),
	by: writtenTimeSchema.optional().meta({ description: 'When it should run: among equals the earliest goes first.' }),
	rto: writtenDurationSchema.optional().meta({ description: 'The same, from the start of the batch on, as 4h.' }),
	ready: readySchema.optional(),
};

const settingsSchema = map(batchSettings);
/** `tests`: of a drill's file. */
export type BatchSettings = z.output<typeof settingsSchema> & { tests?: DrillTest[] | undefined };

/** Of one machine alone. */
export const entryFields = {
	machineName: nameSchema.optional().meta({ description: 'Of the machine on its host. Default: as the recovery.' }),
	memory: writtenMemorySchema.optional().meta({ description: 'As 2048 (MiB) or 2GiB. Default: what it had.' }),
	cpus: machineConfigSchema.shape.cpus.optional().meta({ description: 'Default: what it had.' }),
	forwards: z
		.array(forwardSchema.extend({ address: forwardSchema.shape.address.default('127.0.0.1') }))
		.max(64)
		.optional()
		.meta({ description: "Ports of the host that lead to the guest's, on the network user." }),
	platform: z
		.record(z.string().min(1).max(40), z.union([z.string(), z.number(), z.boolean()]))
		.optional()
		.meta({ description: "Wishes to the host's platform about the machine's devices." }),
};

const entrySchema = map({
	machine: patternSchema,
	...batchSettings,
	name: nameSchema.optional().meta({ description: 'Of the recovery. Default: MACHINE-r1.' }),
	...entryFields,
});
export type BatchEntry = z.output<typeof entrySchema>;

export const groupFields = {
	name: nameSchema,
	after: z
		.array(nameSchema)
		.max(batchLimits.groups)
		.optional()
		.meta({ description: 'It starts when all machines of these groups are ready.' }),
};

const groupSchema = map({
	...groupFields,
	machines: z
		.array(z.union([patternSchema, entrySchema], 'a machine or a pattern, or a map with machine'))
		.min(1)
		.max(batchLimits.items),
	...batchSettings,
});
export type BatchFileGroup = z.output<typeof groupSchema>;

/** How many may be on their way at once, where nobody says. */
export const defaultWindow = 20;

export const batchFileSchema = map({
	name: nameSchema.meta({ description: 'Of the batch.' }),
	reason: z.string().max(500).optional().meta({ description: 'Why; it is kept in the history of each recovery.' }),
	window: z
		.int()
		.min(1)
		.max(batchLimits.items)
		.default(defaultWindow)
		.meta({ description: 'How many may be on their way at once: started, and neither ready nor parked nor over.' }),
	onFailure: onFailureSchema
		.default('continue')
		.meta({ description: 'What becomes of the others when a machine fails.' }),
	defaults: settingsSchema.default({}),
	groups: z.array(groupSchema).min(1).max(batchLimits.groups),
});
export type BatchFile = z.output<typeof batchFileSchema>;
