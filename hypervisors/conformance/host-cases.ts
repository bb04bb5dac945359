import assert from 'node:assert/strict';
import { asRouseError } from '../../model/errors.ts';
import { anew, type Bench, type ConformanceCase } from './bench.ts';
import { startedGuest } from './started-guest.ts';

/** What a platform says of its host, and chooses for a machine. */
export const hostCases: readonly ConformanceCase[] = [
	{
		name: '`report` tells of a host that can run machines',
		async run({ platform }) {
			const report = await platform.report();
			assert.equal(report.unusable, undefined);
			assert.ok(report.freeBytes > 0 && report.memory.totalMiB > 0 && report.firmwares.length > 0);
			assert.ok(
				report.networks.every(({ name }) => name !== 'none'),
				"`none` is everybody's",
			);
			assert.equal(await platform.bootId(), await platform.bootId());
		},
	},
	{
		name: '`chooseHardware` answers the same twice, says why, and its answer makes a machine',
		async run(bench) {
			const request = requestOf(bench);
			const hardware = await bench.platform.chooseHardware(request);
			assert.equal(hardware.platform, bench.platform.kind);
			assert.ok(hardware.choices.length > 0 && hardware.choices.every(({ why }) => why !== ''));
			assert.deepEqual(await bench.platform.chooseHardware(request), hardware);
			await startedGuest({ ...bench, definition: { ...bench.definition, hardware: hardware.data } });
		},
	},
	{
		name: '`chooseHardware` refuses an option and a network that the platform does not have',
		async run(bench) {
			const request = requestOf(bench);
			const nic = { mac: '52:54:00:00:00:02', network: 'lan', target: 'nowhere known' };
			for (const wrong of [
				{ ...request, options: { 'no-such-option': true } },
				{ ...request, nics: [nic] },
			])
				await assert.rejects(
					bench.platform.chooseHardware(wrong),
					(thrown: unknown) => asRouseError(thrown).code === 'config_invalid',
				);
		},
	},
	{
		name: '`chooseHardware` refuses a machine that is larger than the host, and tells of another size than it had',
		async run(bench) {
			const { memory } = await bench.platform.report();
			const request = requestOf(bench);
			const size = (memoryMiB: number) => ({ ...request, config: { ...request.config, memoryMiB } });
			await assert.rejects(
				bench.platform.chooseHardware(size(memory.totalMiB + 1)),
				(thrown: unknown) => asRouseError(thrown).code === 'precheck_failed',
			);
			const had = { memoryMiB: memory.totalMiB + 1, cpus: 255 };
			const { choices } = await bench.platform.chooseHardware({ ...request, had });
			for (const [what, before] of [
				['memory', `${had.memoryMiB} MiB`],
				['CPUs', `${had.cpus}`],
			])
				assert.match(
					choices.find(choice => choice.what === what)?.why ?? '',
					new RegExp(`asked for; it had ${before}`),
				);
		},
	},
	{
		name: '`resources` tells of the same host as `report`, and `takenMiB` says nothing is taken by a machine that is off',
		async run(bench) {
			const { memory, cpus } = await bench.platform.resources.look();
			const { memory: reported } = await bench.platform.report();
			assert.equal(memory.totalMiB, reported.totalMiB);
			assert.ok(memory.freeMiB <= memory.totalMiB && cpus >= 1);
			const taken = () => anew(bench, async machine => machine.takenMiB?.());
			assert.ok(((await taken()) ?? 0) === 0);
			await startedGuest(bench);
			const running = await taken();
			assert.ok(running === undefined || running < memory.totalMiB);
			await anew(bench, machine => machine.powerOff());
			assert.ok(((await taken()) ?? 0) === 0);
		},
	},
	{
		name: '`console` is a stream while the machine is on, and `phase_wrong` while it is off',
		async run(bench) {
			const noConsole = () =>
				assert.rejects(
					anew(bench, machine => machine.console('serial')),
					(thrown: unknown) => asRouseError(thrown).code === 'phase_wrong',
				);
			await noConsole();
			await startedGuest(bench);
			await anew(bench, async machine => {
				const stream = await machine.console('serial');
				stream.write('x');
				stream.destroy();
			});
			await anew(bench, machine => machine.powerOff());
			await noConsole();
		},
	},
];

function requestOf({ definition: { config, nics } }: Bench) {
	return { config, nics, options: {} };
}
