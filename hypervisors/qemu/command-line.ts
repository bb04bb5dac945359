import type { Chain } from '../../model/recovery.ts';
import type { MachineDefinition } from '../contract.ts';
import { type Acceleration, cpuModel } from './acceleration.ts';
import { tapName } from '../../system/taps.ts';
import { nodeNames, nodesOf } from './block-nodes.ts';
import { sandboxArguments } from './confinement.ts';
import type { DiskHardware, QemuHardware } from './hardware.ts';
import type { QemuHost } from './host.ts';
import { macvtapDescriptor } from './macvtap-devices.ts';
import { macvtapNetdev, outsideOf, tapNetdev } from './network-target.ts';
import type { MachinePaths } from './paths.ts';
import { forwardingNic, isUserNetwork, userNetdev } from './user-network.ts';

export interface CommandLineInput {
	definition: MachineDefinition;
	paths: MachinePaths;
	hardware: QemuHardware;
	host: Pick<QemuHost, 'quorum' | 'vnc' | 'noSandbox'>;
	acceleration: Pick<Acceleration, 'accelerator' | 'enlightenments'>;
	chain: Chain;
	/** OVMF's code, for firmware efi. */
	firmwareCode: string | undefined;
	/** QEMU ends when the guest powers itself off. */
	endsWithGuest: boolean;
	/** Stopped until `cont`: the supervisor first makes sure of the links. */
	paused: boolean;
}

/**
 * QEMU's arguments. PCI addresses are fixed, so that the guest finds the same hardware at every start: with automatic
 * ones a NIC's name could change with the number of disks.
 */
export function commandLine(input: CommandLineInput): string[] {
	return [
		...(input.host.noSandbox === undefined ? sandboxArguments : []),
		...platform(input),
		...firmwareFlash(input),
		...consoles(input),
		...devices(input),
		...agentChannel(input),
		...nics(input),
		...disks(input),
		...monitors(input.paths),
		...(input.paused ? ['-S'] : []),
	];
}

function platform({ definition, hardware, paths, acceleration, endsWithGuest }: CommandLineInput): string[] {
	const { config } = definition;
	const { base, slew } = hardware.clock;
	return [
		['-name', `rouse-${definition.machineName}`, '-uuid', definition.recoveryId],
		['-nodefaults', '-no-user-config', '-display', 'none'],
		['-machine', machineType(config.firmware), '-accel', acceleration.accelerator],
		['-cpu', cpuModel(acceleration), '-smp', String(config.cpus), '-m', String(config.memoryMiB)],
		['-rtc', `base=${base}${slew ? ',driftfix=slew' : ''}`],
		['-pidfile', paths.pid],
		// Until it is handed over QEMU must outlive a guest that powers itself off: the migration goes on under it, and one
		// that has died is to be told from it.
		['-action', endsWithGuest ? 'shutdown=poweroff' : 'shutdown=pause'],
	].flat();
}

function machineType(firmware: 'bios' | 'efi'): string {
	return firmware === 'efi' ? 'q35,pflash0=firmware-code,pflash1=firmware-vars' : 'q35';
}

function firmwareFlash({ definition, paths, firmwareCode }: CommandLineInput): string[] {
	if (definition.config.firmware === 'bios' || firmwareCode === undefined) return [];
	const flash = (name: string, filename: string, readOnly: boolean) =>
		blockdev({ driver: 'raw', 'node-name': name, 'read-only': readOnly, file: { driver: 'file', filename } });
	return [flash('firmware-code', firmwareCode, true), flash('firmware-vars', paths.vars, false)].flat();
}

function consoles({ paths, host }: CommandLineInput): string[] {
	return [
		['-chardev', `socket,id=console,path=${escaped(paths.sockets.console)},server=on,wait=off`],
		['-device', 'isa-serial,chardev=console'],
		host.vnc ? ['-vnc', `unix:${escaped(paths.sockets.vnc)}`] : [],
	].flat();
}

function devices({ hardware }: CommandLineInput): string[] {
	return [
		['-device', 'VGA,addr=0x1'],
		hardware.tablet ? ['-device', 'qemu-xhci,id=usb,addr=0x3', '-device', 'usb-tablet,bus=usb.0'] : [],
		hardware.diskBus === 'virtio'
			? ['-object', 'rng-builtin,id=rng0', '-device', 'virtio-rng-pci,rng=rng0,addr=0x2']
			: [],
	].flat();
}

/** Where agents look for it: https://qemu-project.gitlab.io/qemu/interop/qemu-ga.html */
const agentPort = 'org.qemu.guest_agent.0';

function agentChannel({ hardware, paths }: CommandLineInput): string[] {
	if (!hardware.agent) return [];
	return [
		['-chardev', `socket,id=agent,path=${escaped(paths.sockets.agent)},server=on,wait=off`],
		['-device', 'virtio-serial-pci,id=serial,addr=0x4'],
		['-device', `virtserialport,bus=serial.0,chardev=agent,name=${agentPort}`],
	].flat();
}

const firstNicSlot = 0x8;
const firstDiskSlot = 0x10;

function nics({ definition, hardware }: CommandLineInput): string[] {
	const model = hardware.nicModel === 'virtio' ? 'virtio-net-pci' : 'e1000e';
	const forwarding = forwardingNic(definition.nics);
	return definition.nics.flatMap((nic, index) => {
		// No boot from the network: the ROM is a package of its own, and nothing good waits there.
		const device = `${model},id=net${index},mac=${nic.mac},addr=${hex(firstNicSlot + index)},romfile=`;
		const forwards = index === forwarding ? hardware.forwards : [];
		const netdev = (id: string, options: string) => ['-netdev', options, '-device', `${device},netdev=${id}`];
		const outside = outsideOf(nic.target);
		const tap = `net${index}-tap`;
		if (outside?.kind === 'bridge') return netdev(tap, tapNetdev(tap, tapName(definition.recoveryId, index)));
		if (outside) return netdev(tap, macvtapNetdev(tap, macvtapDescriptor(definition.nics, index)));
		// With target `none` nothing is behind the NIC, and launch.ts takes its link down as well.
		if (!isUserNetwork(nic.target)) return ['-device', device];
		return netdev(`net${index}-user`, userNetdev(`net${index}-user`, forwards));
	});
}

function disks({ definition, hardware, paths, host, chain }: CommandLineInput): string[] {
	const order = [...definition.disks.entries()].flatMap(([index, disk]) => {
		const shown = hardware.disks[index];
		return shown ? [{ index, disk, shown }] : [];
	});
	// A controller before the disks on it, and the first function of a PCI slot before the others.
	order.sort((a, b) => a.shown.slot - b.shown.slot);
	return order.flatMap(({ index, disk, shown }) => {
		const place = {
			index,
			disk,
			targetPath: paths.target(disk),
			overlayPath: paths.overlay(disk),
			nbdSocket: definition.nbdSocket,
			quorum: host.quorum,
		};
		const { nodes, root } = nodesOf(chain, place);
		const { device: id } = nodeNames(index);
		// `stop` pauses the guest at a failed request instead of handing it the error, and `cont` tries it again.
		const common = `id=${id},drive=${root},bootindex=${shown.slot},rerror=stop,werror=stop${properties(shown)}`;
		const device = hardware.diskBus === 'virtio' ? virtioDisk(shown.slot, common) : sataDisk(shown.slot, common);
		return [...nodes.flatMap(blockdev), ...device];
	});
}

function properties({ serial, logicalSectorBytes, physicalSectorBytes }: DiskHardware): string {
	const sectors = `,logical_block_size=${logicalSectorBytes},physical_block_size=${physicalSectorBytes}`;
	return serial ? `${sectors},serial=${escaped(serial)}` : sectors;
}

/**
 * Eight disks a PCI slot. No iothread: in QEMU 7.2 reopening and committing a node that lives in another thread is the
 * less trodden way, and the switch stands on both.
 */
function virtioDisk(slot: number, common: string): string[] {
	const address = `${hex(firstDiskSlot + Math.floor(slot / 8))}.${hex(slot % 8)}`;
	return ['-device', `virtio-blk-pci,${common},addr=${address}${slot % 8 === 0 ? ',multifunction=on' : ''}`];
}

/** Six ports are on the board (q35's own controller, buses ide.0 to ide.5), six on each further controller. */
function sataDisk(slot: number, common: string): string[] {
	const controller = Math.floor(slot / 6);
	if (controller === 0) return ['-device', `ide-hd,${common},bus=ide.${slot}`];
	const id = `sata${controller}`;
	return [
		slot % 6 === 0 ? ['-device', `ahci,id=${id},addr=${hex(firstDiskSlot + controller)}`] : [],
		['-device', `ide-hd,${common},bus=${id}.${slot % 6}`],
	].flat();
}

function monitors(paths: MachinePaths): string[] {
	const monitor = (id: string, path: string) => [
		'-chardev',
		`socket,id=${id},path=${escaped(path)},server=on,wait=off`,
		'-mon',
		`chardev=${id},mode=control`,
	];
	return [...monitor('supervisor-monitor', paths.supervisorMonitor), ...monitor('user-monitor', paths.sockets.qmp)];
}

/** As JSON, where a path needs no escape. */
function blockdev(node: Record<string, unknown>): string[] {
	return ['-blockdev', JSON.stringify(node)];
}

/** In `key=value,…` options a comma is written twice. */
function escaped(value: string): string {
	return value.replaceAll(',', ',,');
}

function hex(value: number): string {
	return `0x${value.toString(16)}`;
}
