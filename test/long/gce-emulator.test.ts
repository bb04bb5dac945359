/** Archives from an emulator of Cloud Storage that is not ours: fake-gcs-server, which Go builds from its source, minutes the first time. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openObjectDisk } from '../../sources/gce/object-archive.ts';
import { bytesOfObject } from '../../sources/gce/object-bytes.ts';
import { findGeneration, findObject, type PinnedObject } from '../../sources/gce/object.ts';
import { GoogleApi } from '../../sources/gce/google/api.ts';
import { freePort } from '../../system/free-port.ts';
import { exists } from '../../system/if-there.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { hasty, packedArchive } from '../equipment/gce/bench.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
/** Go compares it with its database of digests. */
const emulator = 'github.com/fsouza/fake-gcs-server@v1.56.1';
const address = { bucket: 'exports', object: 'nightly/web 01.tar.gz' };

async function built(): Promise<string> {
	const directory = join(cacheDirectory(), 'fake-gcs-server-1.56.1');
	const program = join(directory, 'fake-gcs-server');
	if (await exists(program)) return program;
	const env = { ...process.env, GOBIN: directory, CGO_ENABLED: '0' };
	const { code, tail } = await runTool('go', ['install', emulator], { hint: 'install Go (https://go.dev/dl)', env });
	assert.equal(code, 0, tail.join('\n'));
	return program;
}

interface Emulated {
	api: GoogleApi;
	put: (bytes: Buffer, how?: string) => Promise<void>;
}

async function emulated(t: TestContext, { versions }: { versions: boolean }): Promise<Emulated> {
	const port = await freePort();
	const url = `http://127.0.0.1:${port}`;
	const where = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-public-host', `127.0.0.1:${port}`];
	const child = spawn(await built(), [...where, '-backend', 'memory'], { stdio: 'ignore' });
	const ended = once(child, 'exit');
	t.after(async () => {
		child.kill();
		await ended;
	});
	const answers = () =>
		fetch(`${url}/storage/v1/b`).then(
			({ ok }) => ok,
			() => false,
		);
	await waitFor('the emulator', answers, { timeoutMs: 20_000 });
	await post(`${url}/storage/v1/b?project=p`, JSON.stringify({ name: 'exports', versioning: { enabled: versions } }));
	const api = new GoogleApi({
		// It asks nobody who he is.
		access: { headers: async () => ({}), forget: () => {} },
		endpoints: { storage: new URL(`${url}/storage/v1/`), compute: new URL(url) },
		patience: hasty,
	});
	t.after(() => api.close());
	const name = encodeURIComponent(address.object);
	const put = (bytes: Buffer, how = '') =>
		post(`${url}/upload/storage/v1/b/exports/o?uploadType=media&name=${name}${how}`, bytes);
	return { api, put };
}

async function post(url: string, body: string | Buffer): Promise<void> {
	const answer = await fetch(url, { method: 'POST', body });
	assert.ok(answer.ok, `${url}: ${answer.status}`);
	await answer.arrayBuffer();
}

async function read(api: GoogleApi, object: PinnedObject): Promise<Buffer> {
	const pieces: Buffer[] = [];
	for await (const piece of bytesOfObject(api, object, signal)) pieces.push(piece);
	return Buffer.concat(pieces);
}

for (const versions of [true, false])
	test(`an archive of an emulator, in a bucket ${versions ? 'with' : 'without'} versions`, async t => {
		const { api, put } = await emulated(t, { versions });
		await assert.rejects(findObject(api, address, signal), { code: 'machine_unknown' });
		const content = noise(3_000_064, 1);
		const archive = packedArchive(content);
		await put(archive);
		const object = await findObject(api, address, signal);
		const disk = await openObjectDisk(api, address, signal);
		const whole = Buffer.alloc(disk.sizeBytes);
		await disk.read(0, whole, signal);
		await disk.checkUnchanged?.(signal);
		await disk.close();
		assert.ok(whole.equals(content));

		await put(packedArchive(noise(100_000, 2)), '&contentEncoding=gzip');
		const gone = { code: 'moment_lost' };
		if (versions) assert.ok((await read(api, object)).equals(archive));
		else await assert.rejects(findGeneration(api, object, signal), gone);
		if (!versions) await assert.rejects(read(api, object), gone);
		assert.ok((await read(api, await findObject(api, address, signal))).equals(packedArchive(noise(100_000, 2))));
	});
