import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { checkoutDirectory } from '../../system/checkout.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { runTool } from '../../system/run-tool.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

/** Any user without a name, a group or a home. */
const uid = 61_234;

/**
 * In a mount namespace of its own, so that the checkout is where that user may go: what it lies below need not be open to
 * others. As PID and user it is a stranger to us.
 */
const script = `set -eu
mount --bind "$CHECKOUT" "$DIRECTORY/checkout"
cd "$DIRECTORY"
exec setpriv --reuid "$STRANGER" --regid "$STRANGER" --clear-groups --inh-caps=-all --bounding-set=-all \\
	env -i PATH="$PATH" HOME="$DIRECTORY/home" XDG_CACHE_HOME="$DIRECTORY/cache" TMPDIR="$DIRECTORY/tmp" LC_ALL=C \\
	"$DIRECTORY/node" "$DIRECTORY/checkout/cli/main.ts" "$@"
`;

const reportSchema = z.looseObject({ kills: z.array(z.looseObject({ name: z.string() })), guestVerified: z.int() });
const skip = process.getuid?.() === 0 ? false : 'who is not root runs all other tests so';

test('`rouse demo` of a user who is not root comes to its end, with Temporal isolated', { skip }, async t => {
	const directory = await temporaryDirectory(t);
	await chmod(directory, 0o755);
	for (const name of ['checkout', 'home', 'tmp', 'cache']) await mkdir(join(directory, name));
	await mkdir(join(directory, 'cache', 'rouse'));
	const tool = async (...[program = '', ...args]: string[]) => {
		const { code, tail } = await runTool(program, args, { hint: '' });
		assert.equal(code, 0, tail.join('\n'));
	};
	// The one that runs us may have been unpacked for us alone.
	await copyFile(process.execPath, join(directory, 'node'));
	await chmod(join(directory, 'node'), 0o755);
	// What would else be fetched and built.
	const built = ['temporal', 'guest'].map(name => join(cacheDirectory(), name));
	await tool('cp', '-r', ...built, join(directory, 'cache', 'rouse'));
	await tool('chown', '-R', `${uid}:${uid}`, ...['home', 'tmp', 'cache'].map(name => join(directory, name)));
	const environment = {
		CHECKOUT: checkoutDirectory,
		DIRECTORY: directory,
		STRANGER: String(uid),
	};
	const given = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
	const demo = captive(t, 'env', [...given, 'unshare', '-m', 'sh', '-c', script, 'demo', 'demo', '--json']);
	let stdout = '';
	demo.child.stdout?.on('data', text => (stdout += text));
	const [code] = await new Promise<[number | null]>(resolve => demo.child.once('close', status => resolve([status])));
	assert.equal(code, 0, demo.said());
	const report = reportSchema.parse(JSON.parse(stdout));
	assert.ok(
		report.kills.some(({ name }) => name === 'temporal-forwarder'),
		'Temporal was behind its forwarder',
	);
	assert.ok(report.guestVerified > 0);
});
