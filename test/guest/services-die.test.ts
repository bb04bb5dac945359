import assert from 'node:assert/strict';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { serviceFiles, serviceHolder, serviceNames } from '../../keeper/services.ts';
import { signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation, shownSchema } from '../equipment/embedded-installation.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

const auditSchema = z.looseObject({ entries: z.array(z.looseObject({ kind: z.string(), text: z.string() })) });

test('in a home with `#`, `?`, `%`, commas and spaces audit tells of every service that died, and the name of a machine that was removed is used again', async t => {
	// In paths that are addresses, in QEMU's options and in openssl's configuration these mean something else.
	const here = await EmbeddedInstallation.up(t, '', prefix => mkdtemp(join(tmpdir(), `${prefix}#1 ?%41,$é-`)));
	const { home } = here.installation;
	assert.ok((await readdir(join(home, 'temporal'))).includes('temporal.db'));
	const directory = await temporaryDirectory(t);
	await writeFile(join(directory, 'disk.raw'), sampleDisk(2 * 1024 * 1024));
	await writeFile(join(directory, 'spec.yaml'), 'cpus: 1\nmemoryMiB: 64\n');
	const spec = ['--machine', 'web01', '--spec', join(directory, 'spec.yaml')];
	await here.answer('backup', 'import', join(directory, 'disk.raw'), ...spec);
	const start = ['recover', 'start', 'web01@latest', '--power', 'off', '--allocate', 'thin'];
	await here.answer(...start);

	for (const name of serviceNames) {
		const before = await serviceHolder(home, name);
		await signalHolder(serviceFiles(home, name).lockPath, 'SIGKILL');
		const another = async () => {
			const holder = await serviceHolder(home, name);
			return holder !== undefined && holder.pid !== before?.pid;
		};
		await waitFor(`another ${name}`, another, { timeoutMs: 30_000 });
		await here.answer('up', '--detach'); // so that a forwarder that ends with its server is not the next to be killed
	}
	await here.answer('recover', 'migrate', 'web01-r1', '--wait', 'finished');
	const { entries } = auditSchema.parse(await here.answer('audit', 'web01-r1'));
	const told = entries.filter(({ text }) => text.startsWith('service_died: ')).map(({ text }) => text.split(' ')[1]);
	assert.deepEqual(told, serviceNames);
	assert.ok(entries.some(({ text }) => text.startsWith('supervisor_died: ')));

	const again = await here.refusal(...start, '--again');
	assert.deepEqual([again.code, again.exitCode], ['name_conflict', 6]);
	await here.answer('host', 'remove', 'web01-r1', '--confirm', 'web01-r1');
	const second = shownSchema.extend({ outcome: z.string() }).parse(await here.answer(...start, '--again'));
	assert.deepEqual([second.outcome, second.phase], ['started', 'running']);
});
