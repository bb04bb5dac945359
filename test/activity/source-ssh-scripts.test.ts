/** Scripts as they are run there, on this machine, with programs in the place of ssh, sudo and LVM. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { retryClassOf } from '../../model/errors.ts';
import { AgentRanges } from '../../sources/ssh/agent/agent-ranges.ts';
import type { FarSide } from '../../sources/ssh/far/far-side.ts';
import { ScriptedPlatform } from '../../sources/ssh/far/scripted-platform.ts';
import { removeScript } from '../../sources/ssh/far/scripts.ts';
import { SshFarSide } from '../../sources/ssh/far/ssh.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const { signal } = new AbortController();
/** Runs what it is to run there here, as sshd does it. */
const ssh = 'for command; do :; done; exec sh -c "$command"';

/** Programs are scripts of sh; they find their own directory as `$at`. */
async function farWith(t: TestContext, programs: Record<string, string>) {
	const at = await temporaryDirectory(t);
	for (const [name, text] of Object.entries({ ssh, ...programs }))
		await writeFile(join(at, name), `#!/bin/sh\nat=${at}\n${text}\n`, { mode: 0o755 });
	const path = process.env['PATH'];
	t.after(() => (process.env['PATH'] = path));
	process.env['PATH'] = `${at}:${path}`;
	return {
		at,
		far: new SshFarSide({ user: 'root', host: 'far', port: 22, identityPath: undefined, knownHostsPath: '' }),
	};
}

test('a user who is not root becomes it by sudo, whatever that has to say; one who may not is told so', async t => {
	const { at, far } = await farWith(t, {
		id: 'echo 1000',
		sudo: 'echo "sudo: unable to resolve host far" >&2; [ -e "$at/forbidden" ] && exit 1; shift 2; exec "$@"',
	});
	const { code, stdout } = await far.run('read -r line; echo "$line $1"; exit 75', ['two'], signal);
	assert.deepEqual([code, stdout.toString()], [75, ' two\n']);
	await writeFile(join(at, 'forbidden'), '');
	await assert.rejects(far.run('true', [], signal), { code: 'access_denied' });
});

test('what a shell says before a script is none of its words; one that runs nothing is told of', async t => {
	const { far } = await farWith(t, { ssh: `echo 'Welcome to far!'; ${ssh}` });
	const answer = await far.run(String.raw`printf '\033[2J' >&2; printf "%s" "$1"`, ['one'], signal, { mostBytes: 3 });
	assert.deepEqual([answer.stdout.toString(), answer.said], ['one', '?[2J']);
	const closed = await farWith(t, { ssh: 'echo This account is not available.; exit 1' });
	await assert.rejects(closed.far.run('true', [], signal), { code: 'protocol' });
});

test('a Python that cannot run the agent is none', async t => {
	const { far } = await farWith(t, { python3: 'echo "No module named hashlib" >&2; exit 1' });
	await assert.rejects(AgentRanges.start(far, signal), { code: 'tool_missing' });
});

test('what is ours is removed, and nothing else; where LVM does not tell what is there, that is an error', async t => {
	const { at, far } = await farWith(t, {
		lvs: 'cat "$at/volumes"',
		lvremove: 'for one; do :; done; echo "$one" >>"$at/removed"',
	});
	// There need be no LVM here.
	const remove = async (...names: string[]) =>
		(await far.run(removeScript.replace('/etc/lvm', '/'), names, signal)).code;
	assert.notEqual(await remove('vg/rouse_1_0'), 0, 'lvs has failed');
	await writeFile(
		join(at, 'volumes'),
		'  vg/root          \n  vg/rouse_1_0 rouse.tag=1,rouse.set=2\n  vg/rouse_2_0  \n',
	);
	assert.equal(await remove('vg/rouse_0_0', 'vg/rouse_1_0'), 0);
	assert.equal(await readFile(join(at, 'removed'), 'utf8'), 'vg/rouse_1_0\n');
	for (const other of ['vg/root', 'vg/rouse_2_0']) assert.equal(await remove(other), 3);
	assert.equal(await readFile(join(at, 'removed'), 'utf8'), 'vg/rouse_1_0\n');
});

const wordsOfLvm = [
	[
		5,
		'  WARNING: of something else\n  Volume group "vg" has insufficient free space (0 extents): 64 required.',
		'space_short',
	],
	[5, '  Insufficient suitable allocatable extents for logical volume rouse_1_1: 3 more required', 'space_short'],
	[5, '  /dev/mapper/control: open failed: Operation not permitted', 'access_denied'],
	[5, '  Cannot change VG vg while PVs are missing.', 'source_invalid'],
	[5, '  Cannot update volume group vg with duplicate PV devices.', 'source_invalid'],
	[5, '  Cannot update volume group vg with unknown segments in it!', 'source_invalid'],
	[5, '  snapshot: Required device-mapper target(s) not detected in your kernel.', 'source_invalid'],
	[3, "lvcreate: unrecognized option '--permission'\n  Error during parsing of command line.", 'source_invalid'],
	[127, 'sh: 1: lvcreate: not found', 'tool_missing'],
	[5, "  Can't get lock for vg", 'tool_failed'],
] as const;

test('an lvcreate that fails for good is final, says why, and leaves none of the snapshots before it', async t => {
	const { at, far } = await farWith(t, {
		vgs: 'echo 7',
		lvcreate: 'case "$*" in *vg/data) cat "$at/words" >&2; exit "$(cat "$at/code")" ;; esac; echo created',
		lvremove: 'for one; do :; done; echo "$one" >>"$at/removed"; echo removed',
	});
	// There need be no LVM here.
	const run: FarSide['run'] = (script, ...more) => far.run(script.replace('/etc/lvm', '/'), ...more);
	const platform = new ScriptedPlatform({ name: 'far', run, start: () => assert.fail() });
	const snapshots = ['root', 'data'].map((origin, number) => ({
		group: 'vg',
		origin,
		name: `rouse_1_${number}`,
		extents: 9,
	}));
	const order = { tags: ['rouse.tag=1'], groups: [{ name: 'vg', seqno: 7 }], snapshots };
	for (const [exit, words, code] of wordsOfLvm) {
		await writeFile(join(at, 'words'), words);
		await writeFile(join(at, 'code'), String(exit));
		const line = words
			.split('\n')
			.find(text => !text.includes('WARNING'))
			?.trim();
		const message = `on far LVM makes no snapshot of vg/data: ${line} (lvcreate ended with ${exit})`;
		await assert.rejects(platform.snapshot(order, signal), { code, message });
		assert.equal(retryClassOf(code) === 'transient', code === 'tool_failed');
	}
	assert.equal(await readFile(join(at, 'removed'), 'utf8'), 'vg/rouse_1_0\n'.repeat(wordsOfLvm.length));
});
