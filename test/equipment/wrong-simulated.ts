/** Simulated platforms with a fault that the conformance suite is there to catch. */
import { rm, writeFile } from 'node:fs/promises';
import type { Machine, MachineDefinition, Platform, SwitchCalls } from '../../hypervisors/contract.ts';
import { emptyJournal } from '../../hypervisors/simulated/block-journal.ts';
import { records } from '../../hypervisors/simulated/record.ts';
import { RouseError } from '../../model/errors.ts';
import type { SimulatedHost } from '../../hypervisors/simulated/host.ts';
import { machinePaths } from '../../hypervisors/simulated/paths.ts';

type Wrong = (platform: Platform, host: SimulatedHost) => Platform;

/** Puts some methods of one's own before a machine's. */
function wrongly(
	change: (machine: Machine, definition: MachineDefinition, host: SimulatedHost) => Partial<Machine>,
): Wrong {
	return (platform, host) => ({
		...platform,
		machine: (definition, gate) => {
			const machine = platform.machine(definition, gate);
			const wrong = change(machine, definition, host);
			return new Proxy(machine, {
				get(right, name) {
					const value: unknown = Reflect.get(name in wrong ? wrong : right, name);
					return typeof value === 'function' ? value.bind(right) : value;
				},
			});
		},
	});
}

/** The switch with some of its calls changed, or something done at a place of it. */
function wrongSwitch(
	change: (
		calls: SwitchCalls,
		definition: MachineDefinition,
	) => Partial<Pick<SwitchCalls, 'rememberResume' | 'reached'>> & {
		resume?: () => boolean | undefined;
	},
): Wrong {
	return wrongly((machine, definition) => ({
		switchToTarget: (calls, options) => {
			const changed = change(calls, definition);
			return machine.switchToTarget(
				{
					get chain() {
						return calls.chain;
					},
					get resume() {
						return changed.resume ? changed.resume() : calls.resume;
					},
					mark: chain => calls.mark(chain),
					stopMountMover: () => calls.stopMountMover(),
					rememberResume: changed.rememberResume ?? (resume => calls.rememberResume(resume)),
					reached: changed.reached ?? (place => calls.reached(place)),
				},
				options,
			);
		},
	}));
}

async function removeOverlays(definition: MachineDefinition): Promise<void> {
	for (const disk of definition.disks) await rm(machinePaths(definition).overlay(disk), { force: true });
}

/** The mark says `target` while the guest still writes to its overlay. */
export const marksTargetBeforeThePause = wrongSwitch(calls => ({
	reached: async place => {
		if (place === 'switch.mover-stopped' && calls.chain !== 'target') await calls.mark('target');
		await calls.reached(place);
	},
}));

/** A snapshot that is there is thrown away and made anew. */
export const recreatesTheSnapshot = wrongly((machine, definition) => ({
	snapshot: async () => {
		if ((await machine.observe()).power === 'off') {
			await removeOverlays(definition);
			await rm(machinePaths(definition).record, { force: true });
			await machine.create();
		}
		await machine.snapshot();
	},
}));

/** Whether the guest ran before the pause is known to this attempt only. */
export const forgetsWhetherTheGuestRan = wrongSwitch(() => {
	let resume: boolean | undefined;
	return { rememberResume: async value => void (resume = value), resume: () => resume };
});

/** The overlay is removed before the mark says that the target is the truth. */
export const removesTheOverlayTooEarly = wrongSwitch((calls, definition) => ({
	reached: async place => {
		await calls.reached(place);
		if (place === 'switch.ready' || place === 'switch.saved') await removeOverlays(definition);
	},
}));

/** A target is called by the path that leads to it, which is another one after every boot of the host. */
export const losesIdentityAfterReboot = wrongly(machine => ({
	openTargets: async options =>
		(await machine.openTargets(options)).map(target => ({ ...target, identity: target.path.slice(-64) })),
}));

/** The movers are sent to the beginning of the target's file, though the disk does not begin there. */
export const writesAtTheWrongOffset = wrongly(machine => ({
	openTargets: async options => (await machine.openTargets(options)).map(target => ({ ...target, offsetBytes: 0 })),
}));

/** What the platform is still to merge by itself is forgotten once the mark says `target`. */
export const forgetsToMerge = wrongly((machine, definition) => ({
	powerOn: async (chain, options) => {
		if (chain === 'target' && (await machine.observe()).power === 'off')
			for (const disk of definition.disks)
				await writeFile(machinePaths(definition).overlay(disk), emptyJournal(disk.sizeBytes));
		await machine.powerOn(chain, options);
	},
}));

/** A guest that the switch has paused goes on when the switch fails, whatever it failed with. */
export const letsTheGuestGoOnAnyway = wrongly((machine, definition, host) => ({
	switchToTarget: async (calls, options) => {
		try {
			return await machine.switchToTarget(calls, options);
		} finally {
			host.partsOf(definition).running.alone((run, save) => {
				if (run?.guest === 'paused') save({ ...run, guest: 'running' });
			});
		}
	},
}));

/** A machine that stands on its targets is handed no identities of them any more. */
export const forgetsTargetsInTheSwitch = wrongly((machine, definition, host) => ({
	openTargets: async options => {
		const record = await records.read(definition, host.partsOf(definition).paths);
		if (record?.parents.includes('target')) throw new RouseError('phase_wrong', 'the targets are in use');
		return machine.openTargets(options);
	},
}));
