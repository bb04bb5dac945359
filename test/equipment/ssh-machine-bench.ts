import { RouseError } from '../../model/errors.ts';
import { SshMachineSource } from '../../sources/ssh/source.ts';
import type { SourceBench } from './machine-sources/bench.ts';
import { PretendedMachine, PretendedPlatform } from './pretended-lvm/machine.ts';

/** A machine whose LVM is pretended; what a source makes of it is not. */
export async function makeSshMachineBench(): Promise<SourceBench> {
	const machine = new PretendedMachine();
	let ms = Date.parse('2026-11-20T03:00:00.000Z');
	return {
		open: ({ diesAt } = {}) => {
			let isDead = false;
			const reached = (place: string) => {
				if (place !== diesAt) return;
				isDead = true;
				throw new RouseError('interrupted', 'this process is dead');
			};
			return new SshMachineSource({
				uri: 'ssh://root@pretended/',
				platform: new PretendedPlatform(machine, () => isDead),
				reached,
				now: () => new Date((ms += 1000)),
			});
		},
		places: ['prepared', 'snapshots', 'begun'],
		secrets: [machine.machineId],
		keepsNoCheckpoint: true,
		guest: {
			write: async (key, offsetBytes, bytes) => machine.group.write(machine.disk(key), offsetBytes, bytes),
			content: async key => Buffer.from(machine.content(key)),
		},
		owner: {
			addDisk: async () => void machine.more.push(Buffer.alloc(65_536)),
			replaceMachine: async () => void (machine.machineId = 'b'.repeat(32)),
			beBusy: async () => void (machine.isBusy = true),
		},
		fate: {
			loseMoments: async () => {
				for (const one of machine.group.snapshots) one.isFull = true;
				machine.isBroken = true;
			},
		},
		dispose: async () => {},
	};
}
