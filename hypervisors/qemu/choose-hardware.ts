/** From what a machine was to what it becomes on QEMU: rules, and why. */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { mustLeadNowhere } from '../../model/isolated-network.ts';
import type { Choice, PlatformData } from '../../model/hardware.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { bootWarnings } from '../boot-warnings.ts';
import type { HardwareRequest } from '../contract.ts';
import { securityWarnings } from '../security-warnings.ts';
import { guestNeeds } from './guest-needs.ts';
import {
	acceleratorSchema,
	type DiskHardware,
	diskBusSchema,
	maxSerialLength,
	nicModelSchema,
	type QemuHardware,
} from './hardware.ts';
import { type Networks, userAlone } from './host-networks.ts';
import { mostMacvtaps } from './macvtap-devices.ts';
import { outsideOf } from './network-target.ts';
import { checkForwards } from './user-network.ts';

const optionsSchema = z.strictObject({
	accelerator: acceleratorSchema.optional(),
	disks: diskBusSchema.optional(),
	nics: nicModelSchema.optional(),
});
export type QemuPlatformOptions = z.infer<typeof optionsSchema>;

/** Throws `config_invalid`, naming what there is. */
export function readOptions(options: PlatformData): QemuPlatformOptions {
	const parsed = optionsSchema.safeParse(options);
	if (parsed.success) return parsed.data;
	const words = [
		`accelerator (${acceleratorSchema.options.join(', ')})`,
		`disks (${diskBusSchema.options.join(', ')})`,
		`nics (${nicModelSchema.options.join(', ')})`,
	];
	throw new RouseError('config_invalid', `options for QEMU: ${refusalText(parsed.error)}`, {
		hint: `there are ${words.join(', ')}`,
		cause: parsed.error,
	});
}

export interface ChosenDevices {
	data: QemuHardware;
	choices: Choice[];
	warnings: string[];
}

/** Everything but how its instructions are run. */
export function chooseDevices(
	{ config, nics, forwards = [], isolated = false }: HardwareRequest,
	options: QemuPlatformOptions,
	networks: Networks = userAlone,
): ChosenDevices {
	if (isolated) mustLeadNowhere(nics);
	for (const { mac, target } of nics) checkNetwork(mac, target, networks);
	checkMacvtaps(nics);
	checkForwards(forwards, nics);
	const diskBus = options.disks ?? (fitsVirtio(config) ? 'virtio' : 'sata');
	const nicModel = options.nics ?? (fitsVirtio(config) ? 'virtio' : 'e1000e');
	const windows = config.os === 'windows';
	const why = whyVirtio(config);
	return {
		data: {
			diskBus,
			disks: disksOf(config, diskBus),
			nicModel,
			forwards: [...forwards],
			// Who has no drivers for virtio would find a device that it does not know.
			agent: diskBus === 'virtio',
			tablet: config.os !== 'linux',
			clock: { base: config.clock, slew: windows },
			accelerator: options.accelerator ?? null,
		},
		choices: [
			{ what: 'disks', chosen: diskBus, why: options.disks ? askedFor : why },
			...(nics.length > 0 ? [{ what: 'network cards', chosen: nicModel, why: options.nics ? askedFor : why }] : []),
		],
		warnings: [
			...warnBus(diskBus),
			...bootWarnings(config, guestNeeds({ diskBus, nicModel })),
			...securityWarnings(config, { withSecureBoot: false }),
			...warnSerials(config),
			...warnMacvtaps(nics),
		],
	};
}

const askedFor = 'asked for';

/** A disk or NIC that a guest has no driver for is one that it does not have; for SATA and e1000e every system has one. */
function fitsVirtio({ os, drivers }: MachineConfig): boolean {
	return os === 'linux' || drivers.some(({ name }) => name === 'virtio');
}

function whyVirtio({ os, drivers }: MachineConfig): string {
	const known = drivers.find(({ name }) => name === 'virtio');
	if (known) return `virtio drivers are in the guest (${learntFrom[known.learntFrom]})`;
	if (os === 'linux') return 'Linux comes with virtio drivers';
	return os === 'windows' ? 'Windows without known virtio drivers' : 'a guest without known virtio drivers';
}

const learntFrom = {
	spec: 'said when it was backed up',
	source: 'as the source described it',
	disks: 'seen on its disks',
} as const;

/** By position, and in their own order where two have the same. */
function disksOf({ disks }: MachineConfig, diskBus: QemuHardware['diskBus']): DiskHardware[] {
	const order = [...disks.keys()].toSorted((a, b) => (disks[a]?.position ?? 0) - (disks[b]?.position ?? 0));
	return disks.map(({ serial, logicalSectorBytes, physicalSectorBytes }, index) => {
		// "logical_block_size must be 512 for IDE": hw/ide/qdev.c of QEMU 7.2
		if (diskBus === 'sata' && logicalSectorBytes !== 512)
			throw new RouseError(
				'precheck_failed',
				`disk${index} has sectors of ${logicalSectorBytes} bytes: QEMU's SATA disks have 512`,
				{ hint: 'if the guest has virtio drivers, give QEMU the option disks: virtio' },
			);
		return {
			slot: order.indexOf(index),
			serial: serial && shownSerial(serial),
			logicalSectorBytes,
			physicalSectorBytes: logicalSectorBytes === 4096 ? 4096 : physicalSectorBytes,
		};
	});
}

function shownSerial(serial: string): string {
	return serial.replaceAll(/[^\x20-\x7e]/g, '').slice(0, maxSerialLength);
}

function warnSerials({ disks }: MachineConfig): string[] {
	return disks.flatMap(({ serial }, index) => {
		const shown = serial && shownSerial(serial);
		return shown === serial ? [] : [`disk${index}: of its serial ${JSON.stringify(serial)} the guest sees "${shown}"`];
	});
}

function warnBus(diskBus: QemuHardware['diskBus']): string[] {
	if (diskBus !== 'sata') return [];
	return [
		"SATA disks: while the repository is away the guest's driver gives up waiting after about 30 s and resets the disk; " +
			'with virtio drivers a guest waits for as long as it takes',
	];
}

function checkNetwork(mac: string, target: string, { offered, missing, instead }: Networks): void {
	if (target === 'none' || offered.some(({ name }) => name === target)) return;
	const why = missing === undefined ? '' : `; ${missing}`;
	const known = Object.hasOwn(instead, target) ? `${instead[target]}; ` : '';
	throw new RouseError('config_invalid', `NIC ${mac}: QEMU on this host has no network "${target}"`, {
		hint: `${known}there are ${['none', ...offered.map(({ name }) => name)].join(', ')}${why}`,
	});
}

function warnMacvtaps(nics: HardwareRequest['nics']): string[] {
	const shared = nics.map(({ target }) => outsideOf(target)).filter(outside => outside?.kind === 'macvtap');
	return [...new Set(shared.map(outside => outside?.on))].map(
		on => `behind ${on} by macvtap: this host itself does not reach the machine, nor the machine this host`,
	);
}

function checkMacvtaps(nics: HardwareRequest['nics']): void {
	const count = nics.filter(({ target }) => outsideOf(target)?.kind === 'macvtap').length;
	if (count <= mostMacvtaps) return;
	throw new RouseError(
		'config_invalid',
		`${count} NICs are to be on macvtap: a machine can have ${mostMacvtaps} there`,
		{
			hint: 'put some of them on a bridge, or on none',
		},
	);
}
