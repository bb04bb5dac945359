import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { serviceFiles } from '../../keeper/services.ts';
import { installService, removeService, type Systemd, unitName } from '../../keeper/systemd/service.ts';
import { unitText } from '../../keeper/systemd/unit.ts';
import { exists } from '../../system/if-there.ts';
import { type Installation, openInstallation, places } from '../../system/installation.ts';
import { inOwnScope } from '../../system/own-scope.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { runTool } from '../../system/run-tool.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { makeFolders } from '../../system/make-folders.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const { signal } = new AbortController();

/** A systemd that is asked, and that starts something with the keeper's lock. */
async function asked(t: TestContext): Promise<{ installation: Installation; systemd: Systemd; said: string[] }> {
	const directory = await temporaryDirectory(t, async path => {
		await endHolder(serviceFiles(join(path, 'a home'), 'keeper').lockPath);
	});
	const installation = await openInstallation(join(directory, 'a home'));
	await makeFolders(places.services(installation.home), 0o700);
	const said: string[] = [];
	const systemctl = async (...args: string[]) => {
		said.push(args.join(' '));
		if (args[0] === 'start') await keeperLike(installation);
	};
	return { installation, said, systemd: { unitDirectory: directory, systemctl } };
}

async function keeperLike({ home }: Installation): Promise<void> {
	await spawnLocked({ ...serviceFiles(home, 'keeper'), command: 'sleep', args: ['60'] });
}

suite('`installService`', () => {
	test('writes a unit that systemd takes without a word, and asks for its start; again the same', async t => {
		const { installation, systemd, said } = await asked(t);
		const { unit, path, moved } = await installService(installation, { signal, systemd });
		assert.deepEqual(said.splice(0), ['daemon-reload', `enable ${unit}`, `stop ${unit}`, `start ${unit}`]);
		assert.equal(moved, null);
		assert.equal((await stat(path)).mode & 0o777, 0o644);
		const judged = await runTool('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', path], {
			hint: '',
		});
		assert.deepEqual([judged.code, judged.tail], [0, []]);
		const text = await readFile(path, 'utf8');
		assert.ok(text.includes(`Environment="ROUSE_HOME=${installation.home}"\n`), text);
		await writeFile(path, 'of another version');
		await installService(installation, { signal, systemd });
		assert.equal(await readFile(path, 'utf8'), text);
	});

	test('takes down what was started by hand, since that would end with the session; not beside a unit that stays with it', async t => {
		const { installation, systemd, said } = await asked(t);
		await keeperLike(installation);
		await spawnLocked({ ...serviceFiles(installation.home, 'supervisor'), command: 'sleep', args: ['60'] });
		const { moved } = await installService(installation, { signal, systemd });
		assert.deepEqual(moved?.stopped, ['supervisor']);
		assert.deepEqual(
			said.map(line => line.split(' ')[0]),
			['daemon-reload', 'enable', 'stop', 'start'],
		);
		assert.equal(await lockHolder(serviceFiles(installation.home, 'supervisor').lockPath), undefined);
	});

	test('is undone by `removeService`, also what a try that died has left', async t => {
		const { installation, systemd, said } = await asked(t);
		const { unit, path } = await installService(installation, { signal, systemd });
		said.length = 0;
		assert.equal(await removeService(installation, { systemd }), true);
		assert.deepEqual(said, [`disable --now ${unit}`, 'daemon-reload']);
		assert.equal(await exists(path), false);
		assert.equal(await removeService(installation, { systemd }), false);
		assert.equal(unit, unitName(installation));
	});
});

test('`unitText` hands systemd names as they are, whatever is in them', () => {
	const parts = { name: 'rouse-1.service', cacheHome: '/c', node: '/n/node', main: '/m $HOME/cli/main.ts' };
	const text = unitText({ ...parts, home: '/a "b" 50%\\c' });
	assert.ok(text.includes('Environment="ROUSE_HOME=/a \\"b\\" 50%%\\\\c"\n'), text);
	assert.ok(text.includes('ExecStart="/n/node" "/m $$HOME/cli/main.ts" "up" "--attend"\n'), text);
	assert.ok(text.includes('RequiresMountsFor="/a \\"b\\" 50%%\\\\c" "/m $HOME/cli" "/n" "/c"\n'), text);
	// Neither another line nor, by a backslash at the end of one, the next one taken for a part of it.
	const lines = (home: string) => unitText({ ...parts, home }).split('\n').length;
	assert.equal(lines('/a\nExecStartPre=/b'), lines('/a'));
	assert.match(unitText({ ...parts, home: '/a\\' }), /^Description=.*"$/m);
});

suite('`inOwnScope`', () => {
	const program = { command: 'qemu', args: ['-S'], cwd: '/' };

	test('is the program itself where systemd does not keep us', () => {
		assert.equal(inOwnScope(program, '/r/web/machine.lock', {}), program);
	});

	test('is a scope that is stopped after the service, called after the lock, in which the program goes on', () => {
		const { command, args, cwd } = inOwnScope(program, '/r/web/machine.lock', {
			ROUSE_SCOPES_BEFORE: 'rouse-1.service',
		});
		assert.deepEqual([command, cwd, args.slice(-3)], ['systemd-run', '/', ['--', 'qemu', '-S']]);
		assert.match(
			args.join(' '),
			/^--scope .*--unit=rouse-web-machine-[0-9a-f]{8}\.scope .*--description=Rouse: web-machine --property=Before=rouse-1\.service --/,
		);
	});
});
