import type { Chain } from '../../model/recovery.ts';
import type { MachineDefinition } from '../contract.ts';
import { type Acceleration, cpuModel } from './acceleration.ts';
import { nodeNames, nodesOf } from './block-nodes.ts';
import type { QemuHost } from './host.ts';
import type { MachinePaths } from './paths.ts';

export interface CommandLineInput {
	definition: MachineDefinition;
	paths: MachinePaths;
	host: Pick<QemuHost, 'quorum' | 'vnc'>;
	acceleration: Pick<Acceleration, 'accelerator' | 'enlightenments'>;
	chain: Chain;
	/** OVMF's code, for firmware efi. */
	firmwareCode: string | undefined;
	/** Stopped until `cont`: the supervisor first makes sure of the links. */
	paused: boolean;
}

/**
 * QEMU's arguments. PCI addresses are fixed, so that the guest finds the same hardware at every start: with automatic
 * ones a NIC's name could change with the number of disks.
 */
export function commandLine(input: CommandLineInput): string[] {
	return [
		...platform(input),
		...firmwareFlash(input),
		...consoles(input),
		...devices(input),
		...nics(input.definition),
		...disks(input),
		...monitors(input.paths),
		...(input.paused ? ['-S'] : []),
	];
}

function platform({ definition, paths, acceleration, chain }: CommandLineInput): string[] {
	const { config } = definition;
	return [
		['-name', `rouse-${definition.machineName}`, '-uuid', definition.recoveryId],
		['-nodefaults', '-no-user-config', '-display', 'none'],
		['-machine', machineType(config.firmware), '-accel', acceleration.accelerator],
		['-cpu', cpuModel(acceleration), '-smp', String(config.cpus), '-m', String(config.memoryMiB)],
		['-rtc', config.os === 'windows' ? 'base=localtime,driftfix=slew' : 'base=utc'],
		['-pidfile', paths.pid],
		// Until the switch is done QEMU must outlive a guest that powers itself off: the migration goes on under it.
		['-action', chain === 'target' ? 'shutdown=poweroff' : 'shutdown=pause'],
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

function devices({ definition: { config } }: CommandLineInput): string[] {
	const windows = config.os === 'windows';
	return [
		['-device', 'VGA,addr=0x1'],
		// VNC gives absolute positions; the PS/2 mouse that Windows would fall back to takes relative ones.
		windows ? ['-device', 'qemu-xhci,id=usb,addr=0x3', '-device', 'usb-tablet,bus=usb.0'] : [],
		config.diskBus === 'virtio'
			? ['-object', 'rng-builtin,id=rng0', '-device', 'virtio-rng-pci,rng=rng0,addr=0x2']
			: [],
	].flat();
}

const firstNicSlot = 0x8;
const firstDiskSlot = 0x10;

function nics({ config, nics: planned }: MachineDefinition): string[] {
	const model = config.nicModel === 'virtio' ? 'virtio-net-pci' : 'e1000e';
	return planned.flatMap((nic, index) => {
		// No boot from the network: the ROM is a package of its own, and nothing good waits there.
		const device = `${model},id=net${index},mac=${nic.mac},addr=${hex(firstNicSlot + index)},romfile=`;
		// With target `none` nothing is behind the NIC, and launch.ts takes its link down as well.
		return nic.target === 'user'
			? ['-netdev', `user,id=net${index}-user`, '-device', `${device},netdev=net${index}-user`]
			: ['-device', device];
	});
}

function disks({ definition, paths, host, chain }: CommandLineInput): string[] {
	return definition.disks.flatMap((disk, index) => {
		const place = {
			index,
			disk,
			overlayPath: paths.overlay(disk),
			nbdSocket: definition.nbdSocket,
			quorum: host.quorum,
		};
		const { nodes, root } = nodesOf(chain, place);
		const { device: id } = nodeNames(index);
		// `stop` pauses the guest at a failed request instead of handing it the error, and `cont` tries it again.
		const common = `id=${id},drive=${root},bootindex=${index},rerror=stop,werror=stop`;
		const device = definition.config.diskBus === 'virtio' ? virtioDisk(index, common) : sataDisk(index, common);
		return [...nodes.flatMap(blockdev), ...device];
	});
}

/**
 * Eight disks a PCI slot. No iothread: in QEMU 7.2 reopening and committing a node that lives in another thread is the
 * less trodden way, and the switch stands on both.
 */
function virtioDisk(index: number, common: string): string[] {
	const slot = `${hex(firstDiskSlot + Math.floor(index / 8))}.${hex(index % 8)}`;
	return ['-device', `virtio-blk-pci,${common},addr=${slot}${index % 8 === 0 ? ',multifunction=on' : ''}`];
}

/** Six ports are on the board (q35's own controller, buses ide.0 to ide.5), six on each further controller. */
function sataDisk(index: number, common: string): string[] {
	const controller = Math.floor(index / 6);
	if (controller === 0) return ['-device', `ide-hd,${common},bus=ide.${index}`];
	const id = `sata${controller}`;
	return [
		index % 6 === 0 ? ['-device', `ahci,id=${id},addr=${hex(firstDiskSlot + controller)}`] : [],
		['-device', `ide-hd,${common},bus=${id}.${index % 6}`],
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
