import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { Choice, Hardware, PlatformData } from '../../model/hardware.ts';
import { refusalText } from '../../model/issue-text.ts';
import { refuseTooLarge, sizeChoices, sizeWarnings } from '../../model/machine-size.ts';
import type { MachineConfig, SourceDisk } from '../../model/machine.ts';
import type { HardwareRequest } from '../contract.ts';
import type { AnswerOf, Slot } from './driver/requests.ts';
import type { HypervHardware, Overlay } from './hardware.ts';
import { guestWarnings } from './guest-warnings.ts';
import type { PlannedOverlay } from './overlay-of-host.ts';

const optionsSchema = z.strictObject({
	generation: z.union([z.literal(1), z.literal(2)]).optional(),
	secureBoot: z.boolean().optional(),
	targets: z.enum(['dynamic', 'fixed']).optional(),
});
type HypervOptions = z.infer<typeof optionsSchema>;

/** What a disk of a host writes and reads in a second, for a sentence about how long a pause is. */
const assumedBytesASecond = 200e6;

/** See `Platform.chooseHardware`; `report`: what the host has. */
export function chooseHardware(
	request: HardwareRequest,
	report: AnswerOf<'report'>,
	ofHost: PlannedOverlay = { overlay: 'child' },
): Hardware {
	const { config, had, nics, forwards = [], isolated = false } = request;
	const options = readOptions(request.options);
	if (isolated) mustHaveNone(nics);
	checkNetworks(nics, report);
	if (forwards.length > 0)
		throw new RouseError('config_invalid', 'Hyper-V forwards no ports to a machine', {
			hint: 'put it on a virtual switch of the host instead',
		});
	const memoryMiB = Math.ceil(config.memoryMiB / 2) * 2;
	refuseTooLarge({ memoryMiB }, 'the host', { totalMiB: report.memoryTotalMiB });
	const generation = chooseGeneration(config, options);
	const secureBoot = chooseSecureBoot(config, options, generation.chosen);
	const wholeTargets = options.targets === 'fixed';
	// A fixed disk has no small placeholder.
	const { overlay, warning }: PlannedOverlay = wholeTargets ? { overlay: 'child' } : ofHost;
	const data: HypervHardware = {
		generation: generation.chosen,
		secureBoot: secureBoot.chosen,
		memoryMiB,
		wholeTargets,
		overlay,
		disks: disksOf(config, generation.chosen),
	};
	const room = { freeMiB: report.memoryFreeMiB, cpus: report.processors };
	return {
		platform: 'hyperv',
		data,
		agent: true,
		choices: [
			...sizeChoices(config, had),
			{ what: 'generation', chosen: String(generation.chosen), why: generation.why },
			...(generation.chosen === 2 ? [{ what: 'Secure Boot', chosen: secureBoot.chosen, why: secureBoot.why }] : []),
			{ what: 'disks', chosen: disksText(data), why: slotsWhy[generation.chosen] },
			switchChoice(memoryMiB, overlay),
		],
		warnings: [
			...sizeWarnings(config, room),
			...guestWarnings(config, data),
			...(warning === undefined ? [] : [warning]),
		],
	};
}

/** Throws `config_invalid`, naming what there is. */
function readOptions(options: PlatformData): HypervOptions {
	const parsed = optionsSchema.safeParse(options);
	if (parsed.success) return parsed.data;
	throw new RouseError('config_invalid', `options for Hyper-V: ${refusalText(parsed.error)}`, {
		hint: 'there are generation (1, 2), secureBoot (true, false), targets (dynamic, fixed)',
		cause: parsed.error,
	});
}

function checkNetworks(nics: HardwareRequest['nics'], { switches }: AnswerOf<'report'>): void {
	for (const { mac, target } of nics) {
		if (target === 'none' || switches.some(({ name }) => name === target)) continue;
		const names = ['none', ...switches.map(({ name }) => name)];
		throw new RouseError('config_invalid', `NIC ${mac}: the host has no virtual switch "${target}"`, {
			hint: `there are ${names.join(', ')}`,
		});
	}
}

/** A switch that is called so, or is private today, may be anybody's tomorrow: Rouse makes none, and takes none for it. */
function mustHaveNone(nics: HardwareRequest['nics']): void {
	const connected = nics.find(({ target }) => target !== 'none');
	if (connected === undefined) return;
	throw new RouseError(
		'config_invalid',
		`NIC ${connected.mac}: on Hyper-V there is no network for the machine of a drill`,
		{
			hint: `it can be tried without: networks: {${JSON.stringify(connected.network)}: none} in the file of the drill`,
		},
	);
}

const askedFor = 'asked for';

/** https://learn.microsoft.com/windows-server/virtualization/hyper-v/plan/should-i-create-a-generation-1-or-2-virtual-machine-in-hyper-v */
function chooseGeneration({ firmware }: MachineConfig, options: HypervOptions): { chosen: 1 | 2; why: string } {
	if (options.generation !== undefined) return { chosen: options.generation, why: askedFor };
	if (firmware === 'efi') return { chosen: 2, why: 'it started by UEFI, which generation 2 has' };
	return { chosen: 1, why: 'it started by a BIOS, which generation 1 has' };
}

type SecureBoot = HypervHardware['secureBoot'];

/** The template says whose boot loaders are taken: Windows' own, or what Microsoft has signed for others. */
function chooseSecureBoot(
	{ os, secureBoot }: MachineConfig,
	options: HypervOptions,
	generation: 1 | 2,
): { chosen: SecureBoot; why: string } {
	if (generation === 1) return { chosen: 'Off', why: 'generation 1 has none' };
	const wanted = options.secureBoot ?? secureBoot;
	if (wanted !== true)
		return { chosen: 'Off', why: options.secureBoot === false ? askedFor : 'it is not known that it had it' };
	const chosen = os === 'windows' ? 'MicrosoftWindows' : 'MicrosoftUEFICertificateAuthority';
	return { chosen, why: options.secureBoot === true ? askedFor : 'it had it' };
}

/** A machine of generation 1 has two IDE controllers with two places each, and starts from nothing else. */
const ideSlots: readonly Slot[] = [0, 1].flatMap(number =>
	[0, 1].map(location => ({ controller: 'IDE' as const, number, location })),
);
const placesOfController = 64;

/** By position, and in their own order where two have the same: the firmware tries the first place first. */
function disksOf({ disks }: MachineConfig, generation: 1 | 2): HypervHardware['disks'] {
	const order = [...disks.keys()].toSorted((a, b) => (disks[a]?.position ?? 0) - (disks[b]?.position ?? 0));
	return disks.map((disk, index) => ({ slot: slotAt(order.indexOf(index), generation), ...sectorsOf(disk) }));
}

function slotAt(place: number, generation: 1 | 2): Slot {
	const ide = generation === 1 ? ideSlots : [];
	const onScsi = place - ide.length;
	return (
		ide[place] ?? {
			controller: 'SCSI',
			number: Math.floor(onScsi / placesOfController),
			location: onScsi % placesOfController,
		}
	);
}

/** 512 and 4096 for all that had sectors of 512: a guest aligns to the second, and loses nothing where it need not. */
function sectorsOf({ logicalSectorBytes }: SourceDisk): Omit<HypervHardware['disks'][number], 'slot'> {
	return { logicalSectorBytes, physicalSectorBytes: 4096 };
}

const slotsWhy = {
	1: 'generation 1 starts from IDE alone, which has four places',
	2: 'generation 2 has nothing else',
} as const;

function disksText({ disks }: HypervHardware): string {
	const kinds = [...new Set(disks.map(({ slot }) => slot.controller))];
	return kinds.map(kind => `${disks.filter(({ slot }) => slot.controller === kind).length} on ${kind}`).join(', ');
}

const afterwards = {
	child: 'each disk is in two files until the machine is off and started again',
	checkpoint: 'each disk becomes one file while the machine runs, and no chain stays',
} as const;

function switchChoice(memoryMiB: number, overlay: Overlay): Choice {
	const seconds = Math.max(1, Math.round((2 * memoryMiB * 2 ** 20) / assumedBytesASecond));
	return {
		what: 'switch',
		chosen: `a pause of about ${seconds} s`,
		why: `Hyper-V saves the memory to its disk and reads it again, at 200 MB a second each; afterwards ${afterwards[overlay]}`,
	};
}
