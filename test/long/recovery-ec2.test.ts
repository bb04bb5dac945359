import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { bootImage } from '../../cli/demo/boot-image.ts';
import { GuestConsole } from '../../cli/demo/console.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EbsPeer, peerCredentialFile, peerRegion } from '../equipment/ec2/peer.ts';
import { EmbeddedInstallation, shownSchema } from '../equipment/embedded-installation.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));
const soon = { timeoutMs: 120_000 };
const planSchema = z.looseObject({ kind: z.literal('ec2'), base: z.string().nullable(), cost: z.string() });
const importedSchema = z.looseObject({
	outcome: z.literal('imported'),
	consistency: z.literal('crash'),
	restorePoint: z.string(),
	disks: z.array(z.looseObject({ reads: z.enum(['changes', 'all']) })),
	warnings: z.array(z.string()),
});

/** An instance with a root volume of 1 GiB, at whose beginning is the demonstration's guest. */
class Instance {
	readonly uri: string;
	readonly #t: TestContext;
	readonly #image: string;

	private constructor(t: TestContext, uri: string, image: string) {
		this.uri = uri;
		this.#t = t;
		this.#image = image;
	}

	static async make(t: TestContext, peer: EbsPeer): Promise<Instance> {
		const { instanceId, volumeIds } = await peer.instance([1]);
		const image = peer.volume(volumeIds[0] ?? '');
		await run(build, ['--size', '256', image]);
		return new Instance(t, `ec2://${peerRegion}/${instanceId}`, image);
	}

	/** Until it has written so many files and its power is cut in the middle of the next. How many it had written. */
	async work(files: number): Promise<number> {
		const machine = await bootImage(this.#image, { directory: await temporaryDirectory(this.#t) });
		try {
			await machine.console.ready(soon);
			await machine.console.command('start', /^started$/, soon);
			for (;;) {
				const [, count] = await machine.console.command('count', /^count (\d+)$/, soon);
				if (Number(count) >= files) return Number(count);
			}
		} finally {
			await machine.kill();
		}
	}
}

async function installation(t: TestContext, peer: EbsPeer, { uri }: Instance): Promise<EmbeddedInstallation> {
	const credential = join(await temporaryDirectory(t), 'aws');
	await writeFile(credential, peerCredentialFile, { mode: 0o600 });
	// As who has AWS's APIs elsewhere tells its SDK.
	process.env['AWS_ENDPOINT_URL'] = peer.endpoint;
	t.after(() => delete process.env['AWS_ENDPOINT_URL']);
	const sources = { web01: { uri, credential: 'aws', spec: { cpus: 1, memoryMiB: 256 } } };
	const config = { credentials: { aws: { file: credential } }, sources };
	const lines = Object.entries(config).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
	return EmbeddedInstallation.up(t, lines.join('\n'));
}

test('by commands: an EC2 instance whose power fails while it writes is backed up thrice, and its recovery has all it had written', async t => {
	const peer = await EbsPeer.start(t, { faults: { PEER_THROTTLED: '0.05', PEER_CUT: '0.01' } });
	const instance = await Instance.make(t, peer);
	const here = await installation(t, peer, instance);
	const reads: string[][] = [];
	let written = 0;
	for (const files of [8, 16, 24]) {
		written = await instance.work(files);
		const { base, cost } = planSchema.parse(await here.answer('backup', 'plan', 'web01'));
		assert.equal(base === null, reads.length === 0);
		assert.match(cost, /^about 6\.29 USD per TiB/);
		const imported = importedSchema.parse(await here.answer('backup', 'start', 'web01', '--wait'));
		assert.deepEqual(imported.warnings, []);
		reads.push(imported.disks.map(disk => disk.reads));
	}
	assert.deepEqual(reads, [['all'], ['changes'], ['changes']]);
	const running = shownSchema.parse(await here.answer('recover', 'start', 'web01@latest', '--reason', 'test'));
	const console = await GuestConsole.open(running.consoleSocket ?? '');
	try {
		await console.ready(soon);
		const [, ok, bad] = await console.command('verify', /^ok (\d+) bad (\d+)$/, soon);
		assert.equal(bad, '0');
		assert.ok(Number(ok) >= written, `${ok} of ${written} files`);
	} finally {
		console.close();
	}
});
