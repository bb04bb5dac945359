import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, glob, lstat, mkdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkoutDirectory } from '../../system/checkout.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import { anothersDirectory, temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';

/** With these a program ends at once. */
const harmless: Readonly<Record<string, readonly string[]>> = {
	'cli/main.ts': ['--version'],
	'keeper/main.ts': ['/dev/null/home'],
	'workers/main.ts': ['--roles', 'none'],
};

/** The umask of a program when it ends, which was started with 022. */
function umaskOf(program: string): Promise<string> {
	const tell = `data:text/javascript,process.on('exit',()=>console.error('umask',process.umask().toString(8)))`;
	const args = ['--import', tell, join(checkoutDirectory, program), ...(harmless[program] ?? [])];
	return new Promise(resolve => {
		const child = execFile(
			'sh',
			['-c', 'umask 022; exec "$0" "$@"', process.execPath, ...args],
			{ env: { ...process.env, ROUSE_HOME: '/dev/null/home' }, timeout: 60_000 },
			(_error, _stdout, stderr) => resolve(/^umask (.*)$/m.exec(stderr)?.[1] ?? stderr),
		);
		child.stdin?.end();
	});
}

describe('what we make is ours alone', () => {
	it('every program of ours has the umask 077, whatever it was started with', async () => {
		let programs = 0;
		// Benchmarks keep nothing of anybody's.
		for await (const program of glob('{*,*/*}/main.ts', { cwd: checkoutDirectory, exclude: ['bench/**'] })) {
			assert.equal(await umaskOf(program), '77', program);
			programs++;
		}
		assert.ok(programs >= 8, `${programs} programs`);
	});

	it('`repo init` and `backup import`: nobody else can read a backup, also with an umask of 0', async t => {
		const directory = await temporaryDirectory(t);
		const [home, repository, image] = ['home', 'repository', 'image.raw'].map(name => join(directory, name)) as [
			string,
			string,
			string,
		];
		await writeFile(image, 'not zero');
		await truncate(image, 1024 * 1024);
		const before = process.umask(0);
		try {
			for (const args of [
				['repo', 'init', repository],
				['backup', 'import', image, '--machine', 'web01', '--format', 'raw'],
			])
				assert.equal((await rouse(home, args)).exitCode, 0, args.join(' '));
		} finally {
			process.umask(before);
		}
		let files = 0;
		for (const root of [home, repository])
			for await (const path of glob('**', { cwd: root })) {
				const found = await lstat(join(root, path));
				assert.equal(found.mode & 0o777, found.isDirectory() ? 0o700 : 0o600, path);
				if (found.isFile()) files++;
			}
		assert.ok(files > 3, `${files} files`);
	});

	it('a repository that everybody may write is neither made nor opened; one for a group is', async t => {
		const path = join(await temporaryDirectory(t), 'repository');
		await mkdir(path);
		await chmod(path, 0o1777);
		const refused = { code: 'config_invalid', hint: /chmod o-w/ };
		await assert.rejects(initRepository(path), refused);
		await chmod(path, 0o770);
		await (await initRepository(path)).store.close();
		await (await openRepository(path)).store.close();
		assert.equal((await stat(path)).mode & 0o777, 0o770);
		await chmod(path, 0o777);
		await assert.rejects(openRepository(path), refused);
	});

	it('`repo init` in a directory of another user is refused', async t => {
		const path = await anothersDirectory(t);
		await assert.rejects(initRepository(path), { code: 'config_invalid', message: /belongs to user/ });
	});
});
