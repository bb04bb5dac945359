import type { Hardware } from '../../model/hardware.ts';
import type { MachineConfig, SourceDisk } from '../../model/machine.ts';

/** A small machine with one disk and nothing special about it. */
export const sampleConfig: MachineConfig = {
	cpus: 1,
	memoryMiB: 64,
	firmware: 'bios',
	secureBoot: null,
	vtpm: null,
	efiVariables: null,
	nics: [],
	disks: sampleDisks(1),
	clock: 'utc',
	os: 'linux',
	drivers: [],
	boot: null,
	origin: { kind: 'image', detail: 'raw sample.raw' },
};

/** What some platform chose: nobody but that one reads more of it. */
export const sampleHardware: Hardware = { platform: 'pretend', data: {}, choices: [], warnings: [] };

export function sampleDisks(count: number): SourceDisk[] {
	return Array.from({ length: count }, (_, position) => ({
		position,
		serial: null,
		logicalSectorBytes: 512,
		physicalSectorBytes: 512,
	}));
}
