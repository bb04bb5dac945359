import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { isolatedNetwork, leadsNowhere, mustLeadNowhere } from '../../model/isolated-network.ts';
import type { Hardware, PlatformData } from '../../model/hardware.ts';
import { refuseTooLarge, sizeChoices } from '../../model/machine-size.ts';
import type { HardwareRequest } from '../contract.ts';
import type { HostSettings } from './parts.ts';

/** What a simulated machine is made with, and what may be wished for. */
const hardwareDataSchema = z.strictObject({ controller: z.enum(['fast', 'plain']) });
const optionsSchema = hardwareDataSchema.partial();

/** Throws `config_invalid` for what another platform has chosen. */
export function parseHardware(data: PlatformData): z.infer<typeof hardwareDataSchema> {
	return parse(hardwareDataSchema, data, 'hardware');
}

/** See `Platform.chooseHardware`. */
export function chooseHardware(
	{ networks, memoryMiB, manner }: HostSettings,
	{ config, had, nics, options, forwards = [], isolated = false }: HardwareRequest,
): Hardware {
	const wished = parse(optionsSchema, options, 'platform options');
	if (isolated) mustLeadNowhere(nics);
	for (const { target } of nics)
		if (!leadsNowhere(target) && !networks.includes(target))
			throw new RouseError('config_invalid', `no network ${target} on this host`, {
				hint: `it has: ${['none', isolatedNetwork, ...networks].join(', ')}`,
			});
	if (forwards.length > 0) throw new RouseError('config_invalid', 'a simulated host forwards no ports');
	refuseTooLarge(config, 'the host', { totalMiB: memoryMiB });
	const controller = wished.controller ?? 'fast';
	const name = manner.staysWhenOff ? 'a process' : 'a service';
	return {
		platform: 'simulated',
		data: { controller },
		agent: true,
		choices: [
			...sizeChoices(config, had),
			{ what: 'controller', chosen: controller, why: wished.controller ? 'it was asked for' : 'nothing forbids it' },
			{ what: 'manner', chosen: name, why: 'the host is simulated like that' },
		],
		warnings: ['nothing is run: the host is simulated'],
	};
}

function parse<S extends z.ZodType>(schema: S, data: PlatformData, what: string): z.output<S> {
	const result = schema.safeParse(data);
	if (result.success) return result.data;
	throw new RouseError('config_invalid', `${what}: ${refusalText(result.error)}`, {
		hint: 'a simulated host knows controller: fast or plain',
	});
}
