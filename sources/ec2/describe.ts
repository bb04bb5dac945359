import { RouseError } from '../../model/errors.ts';
import { maxCpus, maxNics, memoryLimitsMiB, macSchema, type StatedSpec } from '../../model/machine.ts';
import { printableText } from '../../model/printable-text.ts';
import type { SourceMachine } from '../machine/documents.ts';
import { type Ec2Address, ec2Uri } from './address.ts';
import type { Ec2Cloud, Ec2Instance, Ec2InstanceType, Ec2Volume } from './cloud.ts';

/** What EC2 tells of an instance; of its volumes those that are attached, whatever else is in the account. */
export interface Described {
	instance: Ec2Instance;
	type: Ec2InstanceType | undefined;
	/** The root device first, then by device name. */
	volumes: readonly (Ec2Volume & { device: string })[];
}

/** From these on nothing of it can be read any more, and its id is never used again. */
const gone = new Set(['terminated', 'shutting-down']);

/** Throws `machine_unknown`, and what the cloud throws. */
export async function lookAt(cloud: Ec2Cloud, instanceId: string, signal: AbortSignal): Promise<Described> {
	const instance = await cloud.instance(instanceId, signal);
	if (instance === undefined || gone.has(instance.state))
		throw new RouseError('machine_unknown', `there is no instance ${instanceId} in ${cloud.region}`, {
			hint: 'see that the region is right, and that the credentials are those of its account',
		});
	const ids = instance.volumes.map(({ volumeId }) => volumeId);
	const [type, found] = await Promise.all([
		cloud.instanceType(instance.type, signal),
		ids.length === 0 ? Promise.resolve<Ec2Volume[]>([]) : cloud.volumes(ids, signal),
	]);
	const volumes = inOrder(instance).flatMap(({ device, volumeId }) => {
		const volume = found.find(one => one.volumeId === volumeId);
		return volume === undefined ? [] : [{ ...volume, device }];
	});
	return { instance, type, volumes };
}

/** The firmware tries the root device first. `/dev/sdb` comes before `/dev/sdaa`, as the guest would count them. */
function inOrder({ volumes, rootDevice }: Ec2Instance): Ec2Instance['volumes'] {
	const rank = ({ device }: { device: string }) => (device === rootDevice ? 0 : 1);
	return volumes.toSorted(
		(a, b) =>
			rank(a) - rank(b) ||
			a.device.length - b.device.length ||
			(a.device < b.device ? -1 : Number(a.device > b.device)),
	);
}

/** Throws `source_invalid` when no disk of it can be read. */
export function sourceMachine(address: Ec2Address, described: Described): SourceMachine {
	const { instance, type, volumes } = described;
	if (volumes.length === 0)
		throw new RouseError('source_invalid', `${address.instanceId} has no EBS volume: nothing of it can be read`, {
			hint: 'disks that are in its host are read from within it, by ssh://',
		});
	return {
		kind: 'ec2',
		uri: ec2Uri(address),
		identity: address.instanceId,
		name: printableText(instance.name ?? '', 200) || address.instanceId,
		ids: idsOf(address, instance),
		config: configOf(described),
		disks: volumes.map(({ volumeId, sizeBytes, device }) => ({
			key: volumeId,
			sizeBytes,
			slot: printableText(device, 80) || null,
			// Which the NVMe controllers of Nitro tell the guest: "Identify the EBS device", Amazon EBS User Guide.
			serial: isNitro(type) ? volumeId.replace('-', '').slice(0, 40) : null,
			sectors: null,
		})),
		leftOut:
			type === undefined || type.instanceStoreGB === 0
				? []
				: [
						{
							what: `instance store, ${type.instanceStoreGB} GB`,
							why: 'it is in the host, no snapshot has it, and it is empty after each stop',
						},
					],
	};
}

function idsOf({ region, instanceId }: Ec2Address, { account, zone, image, type, architecture }: Ec2Instance) {
	const known = { region, instance: instanceId, account, zone, image, type, architecture };
	return Object.fromEntries(
		Object.entries(known).flatMap(([name, value]) =>
			value === null || value === '' ? [] : [[name, printableText(value, 200)]],
		),
	);
}

function configOf({ instance, type }: Described): StatedSpec {
	const cpus = instance.cpus ?? type?.cpus ?? null;
	const memoryMiB = type?.memoryMiB ?? null;
	const config: StatedSpec = {};
	if (cpus !== null && cpus >= 1) config.cpus = Math.min(cpus, maxCpus);
	if (memoryMiB !== null && memoryMiB >= memoryLimitsMiB.least)
		config.memoryMiB = Math.min(memoryMiB, memoryLimitsMiB.most);
	if (instance.bootMode !== null) config.firmware = instance.bootMode === 'uefi' ? 'efi' : 'bios';
	if (instance.hasTpm) config.vtpm = true;
	if (instance.isWindows) config.os = 'windows';
	config.nics = nicsOf(instance);
	// What it runs on it has drivers for; one that is stopped may have been given another type since.
	if (instance.state === 'running') config.drivers = isNitro(type) ? ['nvme'] : driversOf(type);
	return config;
}

/** Bare metal has the same cards as Nitro. */
function isNitro(type: Ec2InstanceType | undefined): boolean {
	return type !== undefined && (type.hypervisor === null || type.hypervisor === 'nitro');
}

function driversOf(type: Ec2InstanceType | undefined): string[] {
	return type?.hypervisor === 'xen' ? ['xen'] : [];
}

function nicsOf({ nics }: Ec2Instance): NonNullable<StatedSpec['nics']> {
	return nics
		.toSorted((a, b) => a.card - b.card || a.index - b.index)
		.slice(0, maxNics)
		.map(({ mac, subnet }) => {
			const network = printableText(subnet ?? '', 80) || 'default';
			const known = macSchema.safeParse(mac);
			return known.success ? { mac: known.data, network } : { network };
		});
}

/** What keeps a machine from starting where it is recovered, as far as EC2 tells it. */
export function doubts({ instance, type, volumes }: Described): string[] {
	const found: string[] = [];
	if (instance.architecture !== null && !['x86_64', 'i386', 'x86_64_mac'].includes(instance.architecture))
		found.push(`it is made for ${printableText(instance.architecture, 200)}: no x86-64 host can start it`);
	if (type === undefined)
		found.push(`AWS tells nothing of its type ${printableText(instance.type, 200)}: memory is not known`);
	if (instance.nics.length > maxNics) found.push(`it has ${instance.nics.length} NICs, of which ${maxNics} are noted`);
	if (volumes.length < instance.volumes.length)
		found.push(`of ${instance.volumes.length} volumes that are attached ${volumes.length} are there`);
	return found;
}
