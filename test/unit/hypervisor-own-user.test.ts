import assert from 'node:assert/strict';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { missingUsers } from '../../hypervisors/qemu/confinement.ts';
import { inRoom } from '../../hypervisors/qemu/own-room.ts';
import { MachineUsers } from '../../hypervisors/qemu/own-user.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { RouseError } from '../../model/errors.ts';
import { configSchema } from '../../system/installation.ts';
import type { UserRange } from '../../system/user-range.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { benchConfig } from '../equipment/qemu-bench.ts';

const isRoot = process.getuid?.() === 0;

async function machine(directory: string, name: string): Promise<MachineDefinition> {
	const home = join(directory, name);
	await mkdir(home);
	await writeFile(join(home, 'disk0.raw'), '');
	return {
		recoveryId: '',
		machineName: name,
		config: benchConfig(1),
		hardware: {},
		nics: [],
		disks: [{ name: 'disk0', sizeBytes: 0, exports: { now: '', wait: '' } }],
		allocate: 'thin',
		directory: home,
		runDirectory: home,
		nbdSocket: '',
	};
}

async function two(t: TestContext): Promise<[MachineDefinition, MachineDefinition]> {
	const directory = await temporaryDirectory(t);
	return [await machine(directory, 'a'), await machine(directory, 'b')];
}

const range = (count: number): UserRange => ({ first: 1_950_000_000, count });
const owner = async ({ directory }: MachineDefinition) => (await stat(join(directory, 'disk0.raw'))).uid;

suite('`MachineUsers`', () => {
	test('`reservedFor` a machine that runs as Rouse does is nobody, whatever can be read of the configuration', async t => {
		const a = await machine(await temporaryDirectory(t), 'a');
		const users = new MachineUsers(
			async () => {
				throw new RouseError('config_invalid', 'line 3');
			},
			async () => undefined,
		);
		assert.equal(await users.reservedFor(a, machinePaths(a)), undefined);
	});

	test('gives no user twice, and knows one again by its target', async t => {
		if (!isRoot) return; // who is not root gives files to nobody
		const [a, b] = await two(t);
		const users = () =>
			new MachineUsers(
				async () => range(2),
				async () => undefined,
			);
		await users().own(a, machinePaths(a));
		await users().own(b, machinePaths(b));
		assert.deepEqual([await owner(a), await owner(b)].toSorted(), [1_950_000_000, 1_950_000_001]);
		const before = await owner(a);
		await users().own(a, machinePaths(a));
		assert.equal(await users().of(a, machinePaths(a)), before);
		const third = await machine(join(a.directory, '..'), 'c');
		await assert.rejects(users().own(third, machinePaths(third)), { code: 'precheck_failed', hint: /machineUids/ });
	});

	test('chooses none where there is to be none, or users cannot be changed', async t => {
		const [a] = await two(t);
		for (const users of [
			new MachineUsers(
				async () => 'none',
				async () => undefined,
			),
			new MachineUsers(
				async () => range(1),
				async () => 'not root',
			),
		]) {
			await users.own(a, machinePaths(a));
			assert.equal(await owner(a), process.getuid?.());
			assert.equal(await users.choose(), undefined);
		}
	});

	test('lends one for as long as the work takes', async () => {
		const users = new MachineUsers(
			async () => range(1),
			async () => undefined,
		);
		await users.lend(async uid => {
			assert.equal(uid, 1_950_000_000);
			await assert.rejects(users.choose(), { code: 'precheck_failed' });
		});
		assert.equal(await users.choose(), 1_950_000_000);
	});

	test('`host.machineUids` is a range of other than the system’s users, or none', () => {
		const parse = (machineUids: unknown) => configSchema.safeParse({ host: { machineUids } }).success;
		assert.ok(parse('none') && parse({ first: 100_000, count: 10 }) && parse(undefined));
		for (const wrong of [
			'root',
			{ first: 0, count: 10 },
			{ first: 100_000, count: 0 },
			{ first: 2_147_000_000, count: 1_000_000 },
		])
			assert.equal(parse(wrong), false, JSON.stringify(wrong));
	});
});

suite('`inRoom`', () => {
	test('veils the outermost directory that only root may enter, and quotes what has to be', async t => {
		const directory = await temporaryDirectory(t); // 0700
		const inside = join(directory, "it's", 'machine');
		await mkdir(inside, { recursive: true });
		const room = { uid: 1, directories: [inside], files: [] };
		const { command, args } = await inRoom(room, { command: 'qemu', args: ['-uuid', 'x'] });
		assert.equal(command, 'unshare');
		assert.deepEqual(args.slice(-3), ['qemu', '-uuid', 'x']);
		const script = args.join('\n');
		assert.match(
			script,
			new RegExp(`mount -t tmpfs \\S+ \\S+ rouse ${directory}$`.replace('\\S+ \\S+', '-o \\S+'), 'm'),
		);
		assert.ok(script.includes(`'${directory}/it'\\''s/machine'`));
		await chmod(directory, 0o711);
		await chmod(join(directory, "it's"), 0o711);
		assert.doesNotMatch((await inRoom(room, { command: 'qemu', args: [] })).args.join('\n'), /tmpfs/);
	});

	test('without a user is the program as it is', async () => {
		const program = { command: 'qemu', args: ['-S'] };
		assert.deepEqual(await inRoom(undefined, program), program);
	});
});

test('`missingUsers` throws when it could not be tried, and says why there can be none', async t => {
	if (!isRoot) return;
	const directory = await temporaryDirectory(t);
	await chmod(directory, 0o755);
	const qemu = join(directory, 'qemu');
	const says = async (text: string) => {
		await writeFile(qemu, `#!/bin/sh\necho 'sh: 1: ${text}' >&2\nexit 1\n`);
		await chmod(qemu, 0o755);
		return missingUsers(qemu, range(1));
	};
	assert.match((await says('Operation not permitted')) ?? '', /not permitted/);
	await assert.rejects(says('Cannot fork'), { code: 'tool_failed', message: /cannot be tried now: .*Cannot fork/ });
});
