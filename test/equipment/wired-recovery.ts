import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { GuestConsole } from '../../cli/demo/console.ts';
import { tapName } from '../../system/taps.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from './captive.ts';
import { EmbeddedInstallation, shownSchema } from './embedded-installation.ts';
import type { WiredHost } from './wired-host.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));
/** Emulation on a busy machine is slow: it says that something hangs, not that it is slow. */
const soon = { timeoutMs: 180_000 };
const mac = '52:54:00:00:00:42';
const guestAddress = '10.99.0.42';

/** A real guest on that network answers the other host before, during and after migration and switch, and started again. */
export async function answersThroughout(t: TestContext, wired: WiredHost): Promise<void> {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'guest.raw');
	await run(build, ['--size', '256', image]);
	// What the guest reads is kept on its host at once: this it never reads, so that there is something to copy.
	await appendFile(image, randomBytes(16 * 1024 * 1024));
	const spec = join(directory, 'spec.yaml');
	await writeFile(spec, `cpus: 1\nmemoryMiB: 256\nos: linux\nnics: [{mac: "${mac}", network: lan}]\n`);
	const here = await EmbeddedInstallation.up(t, `host: {networks: {lan: "${wired.target}"}}\n`);
	await here.answer('backup', 'import', image, '--machine', 'web01', '--spec', spec);

	const slow = ['--switch', 'manual', '--max-rate', '512KiB'];
	const running = nicsSchema.parse(await here.answer('recover', 'start', 'web01@latest', ...slow));
	assert.deepEqual(running.nics, [{ mac, network: 'lan', target: wired.target }]);
	const tap = tapName(running.recoveryId, 0);
	const guest = await GuestConsole.open(running.consoleSocket ?? '');
	t.after(() => guest.close());
	await guest.ready(soon);
	assert.equal(await wired.answers(guestAddress), false, 'nobody has that address yet');
	await guest.command(`network ${guestAddress}/24`, new RegExp(`^network ${guestAddress}/24 ${mac}$`), soon);
	const reached = (when: string) =>
		waitFor(`an answer ${when}`, () => wired.answers(guestAddress), { timeoutMs: 60_000 });
	await reached('while it runs from the repository');

	await here.answer('recover', 'migrate', 'web01-r1');
	const copies = await here.shown('web01-r1', 'migrating', ({ phase }) => phase === 'migrating');
	await reached('while it is copied');
	assert.equal((await here.show('web01-r1')).phase, 'migrating', JSON.stringify(copies.disks));
	await here.answer('recover', 'policy', 'web01-r1', '--max-rate', '0');
	await here.shown('web01-r1', 'migrated', ({ phase }) => phase === 'migrated');
	const pings = wired.pings(t, guestAddress);
	await here.answer('recover', 'switch', 'web01-r1', '--wait', 'finished');
	const { answered, lost } = await pings.stop(soon);
	assert.deepEqual(lost, [], 'pings during the switch that were not answered');
	assert.ok(answered > 1, `${answered} pings were answered`);
	await reached('after the switch');

	await here.answer('host', 'stop', 'web01-r1', '--force');
	assert.deepEqual(await wired.ports(), [wired.port]);
	await here.answer('host', 'start', 'web01-r1');
	assert.deepEqual(await wired.ports(), [tap, wired.port].toSorted());
	await here.answer('host', 'remove', 'web01-r1', '--confirm', 'web01-r1');
	assert.deepEqual(await wired.ports(), [wired.port]);
}

const nicsSchema = shownSchema.extend({
	nics: z.array(z.strictObject({ mac: z.string(), network: z.string(), target: z.string() })),
});
