/** What a test tells a simulated host in another process, beside what the driver is asked. */
import * as z from 'zod';
import { asRouseError } from '../../../model/errors.ts';
import { conditionsSchema, faultActionSchema } from './faults.ts';
import type { ScriptedGuest } from './guest.ts';
import type { AnswerLine } from './json-lines.ts';
import type { WindowsHost } from './windows-host.ts';

const recoveryId = z.string();
const disk = z.int().min(0);
const bytes = z.int().min(0);

const controlSchema = z.discriminatedUnion('do', [
	z.strictObject({ do: z.literal('guest-boot'), recoveryId }),
	z.strictObject({ do: z.literal('guest-read'), recoveryId, disk, atBytes: bytes, lengthBytes: bytes }),
	z.strictObject({ do: z.literal('guest-write'), recoveryId, disk, atBytes: bytes, base64: z.string() }),
	z.strictObject({ do: z.literal('guest-flush'), recoveryId }),
	z.strictObject({ do: z.literal('guest-power-off'), recoveryId }),
	z.strictObject({ do: z.literal('guest-crash'), recoveryId }),
	z.strictObject({ do: z.literal('kill-machine'), recoveryId }),
	z.strictObject({ do: z.literal('freeze'), recoveryId, isFrozen: z.boolean() }),
	z.strictObject({ do: z.literal('add-checkpoint'), recoveryId }),
	z.strictObject({ do: z.literal('reboot-appliance') }),
	z.strictObject({
		do: z.literal('fault'),
		point: z.string(),
		action: faultActionSchema,
		times: z.int().min(1).default(1),
	}),
	z.strictObject({ do: z.literal('release'), point: z.string() }),
	z.strictObject({ do: z.literal('conditions'), change: conditionsSchema.partial() }),
	z.strictObject({ do: z.literal('mend') }),
]);
export type ControlRequest = z.input<typeof controlSchema>;
type Control = z.output<typeof controlSchema>;

export const controlAnswerSchema = z.union([
	z.object({ ok: z.literal(true), result: z.string().nullable() }),
	z.object({ ok: z.literal(false), message: z.string() }),
]);

/** The result is a text: a boot's id, or what was read as base64. */
export function answerControl(host: WindowsHost): AnswerLine {
	return async (document): Promise<z.output<typeof controlAnswerSchema>> => {
		try {
			return { ok: true, result: (await obey(host, controlSchema.parse(document))) ?? null };
		} catch (error) {
			return { ok: false, message: asRouseError(error).message };
		}
	};
}

async function obey(host: WindowsHost, control: Control): Promise<string | undefined> {
	if (control.do === 'guest-boot') return host.guest(control.recoveryId).boot;
	if (control.do === 'guest-read') {
		const { disk: number, atBytes, lengthBytes } = control;
		const guest = await awakeGuest(host, control.recoveryId);
		return (await guest.read(number, atBytes, lengthBytes)).toString('base64');
	}
	await act(host, control);
	return undefined;
}

async function awakeGuest(host: WindowsHost, of: string): Promise<ScriptedGuest> {
	const guest = host.guest(of);
	await guest.untilResumed();
	return guest;
}

async function act(host: WindowsHost, control: Exclude<Control, { do: 'guest-boot' | 'guest-read' }>): Promise<void> {
	switch (control.do) {
		case 'guest-write': {
			const content = Buffer.from(control.base64, 'base64');
			const guest = await awakeGuest(host, control.recoveryId);
			return await guest.write(control.disk, control.atBytes, content);
		}
		case 'guest-flush':
			return await (await awakeGuest(host, control.recoveryId)).flush();
		case 'guest-power-off':
			return await host.guest(control.recoveryId).powerOff();
		case 'guest-crash':
			return host.guest(control.recoveryId).crash();
		case 'reboot-appliance':
			return await host.rebootAppliance();
		case 'kill-machine':
			return await host.killMachine(control.recoveryId);
		case 'freeze':
			return host.freeze(control.recoveryId, control.isFrozen);
		case 'add-checkpoint':
			return await host.addCheckpoint(control.recoveryId);
		case 'fault':
			return host.faults.at(control.point, control.action, { times: control.times });
		case 'release':
			return host.faults.release(control.point);
		case 'conditions':
			return host.faults.change(conditionsSchema.parse({ ...host.faults.conditions, ...control.change }));
		case 'mend':
			return host.faults.mend();
	}
}
