import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { chooseConfigured, chooseRepository } from '../../cli/repository-choice.ts';
import { configSchema } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const none = { env: {} };

describe('the repository a command means', () => {
	it('is the one of --repo, before ROUSE_REPO and the configuration', async t => {
		const here = await temporaryDirectory(t);
		const config = configSchema.parse({ repositories: { main: '/srv/main' } });
		assert.equal(await chooseRepository({ env: { ROUSE_REPO: 'main' } }, here, config), here);
	});

	it('is the one of ROUSE_REPO, by name', async () => {
		const config = configSchema.parse({ repositories: { main: '/srv/main', old: '/srv/old' } });
		assert.equal(await chooseRepository({ env: { ROUSE_REPO: 'old' } }, undefined, config), '/srv/old');
	});

	it('is the default one, or the only one', async () => {
		const repositories = { main: '/srv/main', old: '/srv/old' };
		const two = configSchema.parse({ repositories, defaultRepository: 'old' });
		assert.equal(await chooseRepository(none, undefined, two), '/srv/old');
		const one = configSchema.parse({ repositories: { main: '/srv/main' } });
		assert.equal(await chooseRepository(none, undefined, one), '/srv/main');
	});

	it('must be said when there are several', async () => {
		const config = configSchema.parse({ repositories: { main: '/srv/main', old: '/srv/old' } });
		await assert.rejects(chooseRepository(none, undefined, config), {
			code: 'repository_missing',
			message: /config\.yaml has 2 and no defaultRepository/,
		});
	});

	it('that is neither a name nor a directory is refused with the names there are', async () => {
		const config = configSchema.parse({ repositories: { main: '/srv/main' } });
		await assert.rejects(chooseRepository(none, 'mian', config), {
			code: 'repository_missing',
			hint: /configured: main/,
		});
	});
});

describe('a repository of another machine', () => {
	const main = { directory: '/srv/main', host: 'backup1', port: 7400, authority: 'a', certificate: 'c', key: 'k' };
	const config = configSchema.parse({ repositoriesElsewhere: { main } });

	for (const [what, option] of [
		['as the only one there is', undefined],
		['by its name', 'main'],
		['by the directory that recoveries call it', '/srv/main'],
	] as const)
		it(`is opened by no command here, ${what}`, async () => {
			await assert.rejects(chooseRepository(none, option, config), {
				code: 'repository_missing',
				message: /main is on another machine, as \/srv\/main behind backup1/,
			});
		});

	it('leaves the only one of this machine what is meant', async () => {
		const both = configSchema.parse({ repositories: { own: '/srv/own' }, repositoriesElsewhere: { main } });
		assert.equal(await chooseRepository(none, undefined, both), '/srv/own');
	});
});

describe('the repository a recovery reads', () => {
	it('is a configured one, however the option calls it', async t => {
		const here = await temporaryDirectory(t);
		const config = configSchema.parse({ repositories: { main: here } });
		await symlink(here, `${here}/link`);
		for (const option of [undefined, 'main', here, `${here}/link`])
			assert.equal(await chooseConfigured(none, option, config), here);
	});

	it('is refused when it is not, with what registers it', async t => {
		const here = await temporaryDirectory(t);
		const config = configSchema.parse({ repositories: { main: '/srv/main' } });
		await assert.rejects(chooseConfigured(none, here, config), {
			code: 'repository_unknown',
			exitCode: 10,
			hint: `if recoveries are to read it: rouse repo add NAME ${here}`,
		});
	});
});
