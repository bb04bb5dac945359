/** The file that `rouse drill start` reads; docs/drill.schema.json is made of this, for editors. */
import * as z from 'zod';
import { batchLimits } from './batch.ts';
import { batchSettings, defaultWindow, entryFields, groupFields, map, patternSchema } from './batch-file.ts';
import { type DrillCheck, drillCheckSchema, drillLimits, type DrillTest } from './drill.ts';
import { nameSchema } from './names.ts';
import { writtenDurationSchema } from './written-values.ts';

const defaultTestMs = 60_000;

const forms =
	'one of {agent: [PROGRAM, …]}, {command: NAME}, {ssh: USER@ADDRESS:PORT, run: COMMAND}, {serial: TEXT, expect: TEXT}, {tcp: ADDRESS:PORT}, {ping: ADDRESS}; name and within: 1m go with each';

const text = z.string().max(1_000);

const testSchema = map({
	name: z.string().min(1).max(80).optional().meta({ description: 'In the report. Default: what it does.' }),
	agent: z.array(text).min(1).max(32).optional().meta({ description: 'A program of the guest, run by its agent.' }),
	command: nameSchema.optional().meta({ description: 'The program checks/NAME of the host ends with 0.' }),
	args: z.array(z.string().max(200)).max(16).optional().meta({ description: 'Arguments of the command.' }),
	ssh: text.optional().meta({ description: 'USER@ADDRESS:PORT, with checks/ssh-key of the host as the key.' }),
	run: text.optional().meta({ description: 'The command that ssh runs.' }),
	serial: text.optional().meta({ description: 'Typed on the serial console; \\n is the key Enter.' }),
	expect: text.optional().meta({ description: 'What has to come on the serial console then.' }),
	tcp: text.optional().meta({ description: 'ADDRESS:PORT, which takes a connection.' }),
	ping: text.optional().meta({ description: 'This address answers to ping.' }),
	within: writtenDurationSchema.optional().meta({ description: 'Its time limit. Default: 1m.' }),
}).transform((written, context): DrillTest => {
	const check = drillCheckSchema.safeParse(checkOf(written));
	if (check.success) {
		const { name = check.data.by, within = defaultTestMs } = written;
		return { name, check: check.data, timeoutMs: within };
	}
	context.addIssue({ code: 'custom', message: forms });
	return z.NEVER;
});

type Written = Partial<Record<'command' | 'ssh' | 'run' | 'serial' | 'expect' | 'tcp' | 'ping', string | undefined>> &
	Partial<Record<'agent' | 'args', string[] | undefined>>;

/** Undefined for what is not one of the forms. */
function checkOf({ agent, command, args, ssh, run, serial, expect, tcp, ping }: Written): unknown {
	const said = { agent, command, ssh, serial, tcp, ping };
	const [by, ...more] = Object.entries(said).filter(([, value]) => value !== undefined);
	if (by === undefined || more.length > 0) return undefined;
	const extra = { args: 'command', run: 'ssh', expect: 'serial' };
	for (const [field, of] of Object.entries(extra))
		if ({ args, run, expect }[field as keyof typeof extra] !== undefined && by[0] !== of) return undefined;
	switch (by[0] as keyof typeof said) {
		case 'agent':
			return { by: 'agent', command: agent };
		case 'command':
			return { by: 'command', name: command, args: args ?? [] };
		case 'ssh':
			return sshOf(ssh ?? '', run);
		case 'serial':
			return { by: 'serial', send: serial, expect };
		case 'tcp':
			return tcpOf(tcp ?? '');
		case 'ping':
			return { by: 'ping', address: ping };
		default:
			return undefined;
	}
}

function tcpOf(written: string): Partial<DrillCheck> {
	const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(written) ?? [];
	return { by: 'tcp', ...(address === undefined ? {} : { address, port: Number(port) }) };
}

function sshOf(written: string, command: string | undefined): unknown {
	const [, user, address, port = '22'] = /^([^@]+)@\[?([^@]*?)\]?(?::(\d+))?$/.exec(written) ?? [];
	return { by: 'ssh', user, address, port: Number(port), command };
}

/** Of a batch's, what is for machines that stay is left out: nobody keeps these, and they are on no network of yours. */
const {
	finish: _finish,
	switch: _switch,
	maxRate: _rate,
	newMac: _mac,
	power: _power,
	networks: _networks,
	...kept
} = batchSettings;

const settings = {
	...kept,
	networks: z
		.record(
			z.string(),
			z.literal('none', "a drill's machines are on the network isolated by themselves; else there is none"),
		)
		.optional()
		.meta({ description: 'Network of the original: none. All others are isolated.' }),
	tests: z
		.array(testSchema)
		.max(drillLimits.tests)
		.optional()
		.meta({ description: 'What is tried when it is ready, in this order. What is nearest to a machine counts.' }),
};

const entrySchema = map({
	machine: patternSchema,
	...settings,
	name: nameSchema.optional().meta({ description: 'Of the recovery. Default: MACHINE-drill.' }),
	...entryFields,
});

const groupSchema = map({
	...groupFields,
	machines: z
		.array(z.union([patternSchema, entrySchema], 'a machine or a pattern, or a map with machine'))
		.min(1)
		.max(batchLimits.items),
	...settings,
});

const defaultWithinMs = 6 * 3_600_000;

export const drillFileSchema = map({
	name: nameSchema.meta({ description: 'Of the drill: its reports are compared with those that it had before.' }),
	reason: z.string().max(500).optional().meta({ description: 'Why; it is in the report.' }),
	window: z
		.int()
		.min(1)
		.max(batchLimits.items)
		.default(defaultWindow)
		.meta({ description: 'How many may be on their way at once: started, and neither ready nor parked nor over.' }),
	within: writtenDurationSchema
		.default(defaultWithinMs)
		.meta({ description: 'It is cancelled when it takes longer. Default: 6h.' }),
	keep: z.int().min(1).max(drillLimits.kept).default(30).meta({ description: 'How many reports are kept.' }),
	defaults: map(settings).default({}),
	groups: z.array(groupSchema).min(1).max(batchLimits.groups),
});
export type DrillFile = z.output<typeof drillFileSchema>;
