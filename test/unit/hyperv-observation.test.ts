import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test, type TestContext } from 'node:test';
import type { AnswerOf, VmState } from '../../hypervisors/hyperv/driver/requests.ts';
import { vmStateSchema } from '../../hypervisors/hyperv/driver/requests.ts';
import { createHypervPlatform } from '../../hypervisors/hyperv/platform.ts';
import { createRecord, records } from '../../hypervisors/hyperv/record.ts';
import { machinePaths } from '../../hypervisors/hyperv/paths.ts';
import { RouseError } from '../../model/errors.ts';
import { openGate } from '../../supervisor/recovery/gate.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { scriptedDriver } from '../equipment/scripted-driver.ts';
import { benchConfig } from '../equipment/simulated-bench.ts';

const hello = { powerShell: '5.1', windows: '10.0', computerName: 'HV1', bootId: 'boot-2', elevated: true };
const report: AnswerOf<'report'> = {
	freeBytes: 1e12,
	memoryTotalMiB: 65_536,
	memoryFreeMiB: 32_768,
	processors: 16,
	switches: [],
	initiatorName: 'iqn.1991-05.com.microsoft:hv1',
	hyperV: '10.0',
};
const machine = {
	vmId: randomUUID(),
	name: 'web01',
	heartbeat: '',
	stoppedBy: 'unknown' as const,
	uptimeMs: 0,
	checkpoints: 0,
	hasOwnCheckpoint: false,
};

function platformWith(answers: Parameters<typeof scriptedDriver>[0]) {
	return createHypervPlatform({
		driver: scriptedDriver({ hello: () => hello, report: () => report, ...answers }),
		pipes: { open: () => Promise.reject(new Error('no pipe')) },
		datastore: 'D:\\Rouse',
		appliance: randomUUID(),
		address: '127.0.0.1',
		home: '/nowhere',
	});
}

async function machineOn(
	t: TestContext,
	platform: ReturnType<typeof platformWith>,
	record: { startedInBoot: string | null; inPause: boolean } = { startedInBoot: 'boot-2', inPause: false },
) {
	const directory = await temporaryDirectory(t);
	const { data } = await platform.chooseHardware({ config: benchConfig, nics: [], options: {} });
	const disks = [{ name: 'disk0', sizeBytes: 4096, exports: { now: 'disk0-now', wait: 'disk0-wait' } }];
	const places = { directory, runDirectory: directory, nbdSocket: `${directory}/nbd` };
	const recoveryId = randomUUID();
	const own = { recoveryId, machineName: 'web01', config: benchConfig, hardware: data, nics: [], disks };
	const definition = { ...own, allocate: 'thin' as const, ...places };
	const paths = machinePaths(definition, 'D:\\Rouse');
	await createRecord(definition, paths, 20_000);
	await records.change(definition, paths, record);
	return platform.machine(definition, openGate);
}

/** Of a machine that was started in `boot-1` or never, as `state` says. */
async function observedAs(
	t: TestContext,
	state: VmState,
	more: {
		startedInBoot?: string;
		inPause?: boolean;
		stoppedBy?: 'guest' | 'order' | 'unknown';
		freeBytes?: number;
	} = {},
) {
	const { startedInBoot = null, inPause = false, stoppedBy = 'unknown', freeBytes = 1e12 } = more;
	const platform = platformWith({
		observe: () => ({ ...machine, state, stoppedBy }),
		report: () => ({ ...report, freeBytes }),
	});
	return (await machineOn(t, platform, { startedInBoot, inPause })).observe();
}

const off = { power: 'off', byGuest: false, ioError: undefined, crash: undefined } as const;

suite('`observe` on Hyper-V', () => {
	test('gives every state of Hyper-V a meaning, but for the one that has none', async t => {
		const powers: Record<string, string[]> = {};
		for (const state of vmStateSchema.options.filter(one => one !== 'Other')) {
			const { power } = await observedAs(t, state);
			(powers[power] ??= []).push(state);
		}
		assert.deepEqual(powers['off'], ['Off', 'OffCritical']);
		assert.deepEqual(powers['on'], [
			'Running',
			'Starting',
			'Stopping',
			'Resuming',
			'Reset',
			'ForceShutdown',
			'RunningCritical',
			'StoppingCritical',
			'StartingCritical',
			'ResetCritical',
			'ResumingCritical',
		]);
		assert.equal(powers['crashed'], undefined);
		await assert.rejects(observedAs(t, 'Other'), { code: 'hypervisor_failed' });
	});

	test('tells a guest that has powered itself off from one whose power was taken', async t => {
		assert.deepEqual(await observedAs(t, 'Off', { stoppedBy: 'guest' }), { ...off, byGuest: true });
		assert.deepEqual(await observedAs(t, 'Off', { stoppedBy: 'order' }), off);
	});

	test('tells an error of storage from a pause, and a full datastore from a disk that is away', async t => {
		assert.equal((await observedAs(t, 'Paused')).ioError, undefined);
		const read = { disk: 'disk0', operation: 'read', noSpace: false };
		assert.deepEqual((await observedAs(t, 'PausedCritical')).ioError, read);
		const write = { disk: 'disk0', operation: 'write', noSpace: true };
		assert.deepEqual((await observedAs(t, 'PausedCritical', { freeBytes: 2 ** 20 })).ioError, write);
	});

	test('takes what was saved for a guest that stands still, and after a boot of Windows for a machine that is off', async t => {
		for (const inPause of [false, true]) {
			assert.equal((await observedAs(t, 'Saved', { startedInBoot: 'boot-2', inPause })).power, 'paused');
			assert.deepEqual(await observedAs(t, 'Saved', { startedInBoot: 'boot-1', inPause }), off);
		}
	});
});

suite('`agentAnswers` on Hyper-V', () => {
	test('is the heartbeat of a machine that runs', async t => {
		const answers = async (state: VmState, heartbeat: string) => {
			const platform = platformWith({ observe: () => ({ ...machine, state, heartbeat }) });
			return await (await machineOn(t, platform)).agentAnswers?.();
		};
		for (const heartbeat of ['OkApplicationsHealthy', 'OkApplicationsUnknown', 'OkApplicationsCritical', 'Ok'])
			assert.equal(await answers('Running', heartbeat), true, heartbeat);
		for (const heartbeat of ['', 'NoContact', 'LostCommunication', 'Disabled', 'Error', 'Paused', 'NotOk'])
			assert.equal(await answers('Running', heartbeat), false, heartbeat);
		for (const state of ['Off', 'Saved', 'Paused', 'Starting'] as const)
			assert.equal(await answers(state, 'OkApplicationsUnknown'), false, state);
	});

	test('is no answer where there is no machine, or the host does not answer in time; else what went wrong', async t => {
		const answers = async (observe: () => null) => (await machineOn(t, platformWith({ observe }))).agentAnswers?.();
		const failing = (code: 'hypervisor_stuck' | 'hypervisor_failed') => () => {
			throw new RouseError(code, 'no answer');
		};
		assert.equal(await answers(() => null), false);
		assert.equal(await answers(failing('hypervisor_stuck')), false);
		await assert.rejects(answers(failing('hypervisor_failed')), { code: 'hypervisor_failed' });
	});
});

suite('`report` of a Hyper-V host', () => {
	test('says why it cannot run machines: no answer, no administrator, no initiator', async () => {
		const reasons = async (answers: Parameters<typeof scriptedDriver>[0]) =>
			(await platformWith(answers).report()).unusable?.message ?? '';
		const refused = () => {
			throw new Error('refused');
		};
		assert.match(await reasons({ hello: refused }), /does not answer: refused/);
		assert.match(await reasons({ hello: () => ({ ...hello, elevated: false }) }), /not act as an administrator/);
		assert.match(await reasons({ report: () => ({ ...report, initiatorName: null }) }), /no iSCSI initiator/);
	});

	test('has its switches for networks, and says when there is none', async () => {
		const switches = [{ name: 'LAN', type: 'External' as const }];
		const { networks, networksMissing } = await platformWith({ report: () => ({ ...report, switches }) }).report();
		assert.deepEqual(networks, [{ name: 'LAN', description: 'virtual switch, external' }]);
		assert.equal(networksMissing, undefined);
		assert.match((await platformWith({}).report()).networksMissing ?? '', /no virtual switch/);
	});
});
