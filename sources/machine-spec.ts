import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { type MachineConfig, machineConfigSchema, machineSpecSchema } from '../model/machine.ts';
import { parseYaml } from '../system/installation.ts';

export type MachineSpec = z.output<typeof machineSpecSchema>;

/** What holds without `--spec`. */
export const defaultSpec: MachineSpec = machineSpecSchema.parse({});

/** Reads a `--spec` file. Throws `spec_invalid`, with line and column of what is not accepted. */
export async function readMachineSpec(path: string): Promise<MachineSpec> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		throw new RouseError('spec_invalid', `${path}: ${error instanceof Error ? error.message : String(error)}`, {
			cause: error,
		});
	}
	return parseYaml(text, path, machineSpecSchema, 'spec_invalid');
}

/** Every decision that a spec leaves open. `firmware` is what the disks say; the spec's own wins. */
export function decideConfig(spec: MachineSpec, machine: string, firmware: 'bios' | 'efi'): MachineConfig {
	// Only Windows comes without virtio drivers, and a disk or NIC it has no driver for is one it does not have.
	const virtio = spec.os !== 'windows' || spec.drivers === 'virtio';
	return machineConfigSchema.parse({
		cpus: spec.cpus,
		memoryMiB: spec.memoryMiB,
		firmware: spec.firmware ?? firmware,
		nics: decideNics(spec, machine),
		diskBus: spec.diskBus ?? (virtio ? 'virtio' : 'sata'),
		nicModel: virtio ? 'virtio' : 'e1000e',
		os: spec.os,
	} satisfies MachineConfig);
}

function decideNics({ nics }: MachineSpec, machine: string): MachineConfig['nics'] {
	const taken = new Set<string>();
	for (const [index, { mac }] of nics.entries()) {
		if (mac === undefined) continue;
		if (Number.parseInt(mac.slice(0, 2), 16) & 1)
			throw new RouseError('spec_invalid', `nics.${index}.mac: ${mac} is a multicast address, which no NIC has`);
		if (taken.has(mac)) throw new RouseError('spec_invalid', `nics.${index}.mac: ${mac} is there twice`);
		taken.add(mac);
	}
	return nics.map(({ mac, network }, index) => {
		const decided = mac ?? freeMac(machine, index, taken);
		taken.add(decided);
		return { mac: decided, network };
	});
}

/**
 * The same at every import of the machine: a guest that knows its NIC by the address must not see a new one after each
 * backup. 52:54:00 is the locally administered prefix that QEMU uses.
 */
function freeMac(machine: string, index: number, taken: ReadonlySet<string>): string {
	for (let attempt = 0; ; attempt++) {
		const digest = createHash('sha256').update(`rouse nic ${machine} ${index} ${attempt}`).digest();
		const mac = `52:54:00:${[...digest.subarray(0, 3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`;
		if (!taken.has(mac)) return mac;
	}
}
