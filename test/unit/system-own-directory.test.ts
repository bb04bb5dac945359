import assert from 'node:assert/strict';
import { chmod, lchown, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
	checkOwnDirectory,
	makeOwnDirectory,
	objectionToLead,
	objectionToOwn,
	type OwnDirectory,
} from '../../system/own-directory.ts';
import { findInstallation, loadConfig, openInstallation } from '../../system/installation.ts';
import { anothersDirectory, nobody, temporaryDirectory } from '../equipment/captive.ts';

const isRoot = process.getuid?.() === 0;
const user = { uid: 1000, gid: 1000 };

function named(path: string): OwnDirectory {
	return { path, what: 'home of Rouse', elsewhere: 'name another place' };
}

async function modeOf(path: string): Promise<number> {
	return (await stat(path)).mode & 0o777;
}

describe('a directory of our own', () => {
	it('is made with mode 0700, and so are those above it', async t => {
		const above = join(await temporaryDirectory(t), 'above');
		await makeOwnDirectory(named(join(above, 'home')));
		assert.equal(await modeOf(join(above, 'home')), 0o700);
		assert.equal(await modeOf(above), 0o700);
	});

	it('that others may read becomes ours alone, and one that is only looked at stays as it is', async t => {
		const path = await temporaryDirectory(t);
		await chmod(path, 0o755);
		await checkOwnDirectory(named(path));
		assert.equal(await modeOf(path), 0o755);
		await makeOwnDirectory(named(path));
		assert.equal(await modeOf(path), 0o700);
	});

	it('that the group or others may write is refused, with what to do', async t => {
		const path = await temporaryDirectory(t);
		for (const mode of [0o770, 0o702, 0o1777]) {
			await chmod(path, mode);
			const refused = { code: 'config_invalid', hint: new RegExp(`chmod go-w ${path}`) };
			await assert.rejects(makeOwnDirectory(named(path)), refused);
			await assert.rejects(checkOwnDirectory(named(path)), refused);
		}
	});

	it('that is not there is nobody’s for who only looks', async t => {
		await checkOwnDirectory(named(join(await temporaryDirectory(t), 'not', 'there')));
	});

	it('within that of another user is for that user: nobody is told to take the way to it over', () => {
		for (const uid of [0, 1000]) {
			const objection = objectionToLead({ uid: 1001, gid: 1001, mode: 0o700 }, { uid, gid: uid });
			assert.equal(objection?.mend('/home/anna'), 'run as user 1001');
		}
	});

	it('of another user is refused', async t => {
		const path = await anothersDirectory(t);
		await assert.rejects(makeOwnDirectory(named(path)), { code: 'config_invalid', message: /belongs to user/ });
	});

	it('in a directory where everybody may write is refused, unless that is sticky', async t => {
		const above = await temporaryDirectory(t);
		await chmod(above, 0o777);
		await assert.rejects(makeOwnDirectory(named(join(above, 'home'))), {
			code: 'config_invalid',
			message: new RegExp(`is reached through ${above}, which may be written by others \\(mode 0777\\)`),
		});
		await chmod(above, 0o1777);
		await makeOwnDirectory(named(join(above, 'home')));
	});

	it('is looked for where a link leads, and every directory on that way counts', async t => {
		const directory = await temporaryDirectory(t);
		const open = join(directory, 'open');
		await mkdir(join(open, 'home'), { recursive: true, mode: 0o700 });
		await chmod(open, 0o777);
		for (const to of [join(open, 'home'), 'open/home', '../open/home']) {
			const from = join(directory, to.startsWith('..') ? 'beside' : '');
			await mkdir(from, { recursive: true });
			const link = join(await mkdtemp(join(from, 'link-')), '..', 'link');
			await symlink(to, link);
			await assert.rejects(checkOwnDirectory(named(link)), { code: 'config_invalid', message: /is reached through/ });
			await rm(link);
		}
	});

	it('behind a link of another user is refused', async t => {
		const directory = await temporaryDirectory(t);
		const link = join(directory, 'link');
		await symlink(directory, link);
		if (isRoot) await lchown(link, nobody, nobody);
		// Not root: nobody's links are at hand, but the decision is the same.
		assert.ok(objectionToLead({ uid: nobody, gid: nobody, mode: 0 }, user));
		if (isRoot) await assert.rejects(checkOwnDirectory(named(join(link, 'home'))), { code: 'config_invalid' });
		else await checkOwnDirectory(named(link));
	});

	it('a link that leads to itself is told', async t => {
		const link = join(await temporaryDirectory(t), 'link');
		await symlink(link, link);
		await assert.rejects(checkOwnDirectory(named(link)), { code: 'config_invalid', message: /too many/ });
	});

	it('`objectionToOwn`: owner first, then who may write', () => {
		assert.equal(objectionToOwn({ uid: 1000, gid: 7, mode: 0o40755 }, user), undefined);
		assert.match(objectionToOwn({ uid: 0, gid: 0, mode: 0o40700 }, user)?.what ?? '', /belongs to user 0/);
		assert.match(objectionToOwn({ uid: 1000, gid: 1000, mode: 0o40770 }, user)?.what ?? '', /0770/);
	});

	it('`objectionToLead`: root and we may write; a group when it is our own or root’s', () => {
		const mode = 0o40775;
		assert.equal(objectionToLead({ uid: 0, gid: 0, mode }, user), undefined);
		assert.equal(objectionToLead({ uid: 1000, gid: 1000, mode }, user), undefined);
		assert.ok(objectionToLead({ uid: 0, gid: 50, mode }, user));
		assert.ok(objectionToLead({ uid: 1001, gid: 1000, mode: 0o40755 }, user));
	});
});

describe('an installation', () => {
	it('in a home that others may write is neither opened, found nor read', async t => {
		const home = await temporaryDirectory(t);
		await openInstallation(home);
		await chmod(home, 0o777);
		for (const way of [openInstallation, findInstallation, (path: string) => loadConfig({ home: path })])
			await assert.rejects(way(home), { code: 'config_invalid', hint: /ROUSE_HOME/ });
	});
});
