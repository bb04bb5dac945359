import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { GsAddress } from '../../../sources/gce/address.ts';
import { GoogleAccess } from '../../../sources/gce/google/access.ts';
import { GoogleApi } from '../../../sources/gce/google/api.ts';
import { endpointsOf } from '../../../sources/gce/google/endpoints.ts';
import type { Patience } from '../../../sources/gce/google/tries.ts';
import { GceArchiveSource, type GceArchives } from '../../../sources/gce/source.ts';
import { end, header, padded } from '../archives.ts';
import type { SourceBench } from '../machine-sources/bench.ts';
import { noise } from '../repositories.ts';
import { StubGoogle } from './stub-google.ts';

/** Waits are as short as the machine allows; a stall is told from a machine that has much to do. */
export const hasty: Patience = { tries: 4, firstWaitMs: 1, mostWaitMs: 4, stallMs: 10_000 };

/** A project with a bucket, and a service account that may read it. */
export class GceSite {
	readonly google: StubGoogle;
	readonly directory: string;
	readonly keyPath: string;

	private constructor(google: StubGoogle, directory: string) {
		this.google = google;
		this.directory = directory;
		this.keyPath = join(directory, 'key.json');
	}

	static async make(): Promise<GceSite> {
		const site = new GceSite(await StubGoogle.start(), await mkdtemp(join(tmpdir(), 'rouse-test-')));
		await writeFile(site.keyPath, JSON.stringify(site.google.keyFile), { mode: 0o600 });
		return site;
	}

	api(patience: Partial<Patience> = {}): GoogleApi {
		return new GoogleApi({
			access: new GoogleAccess(this.keyPath, { fetch: this.google.fetch }),
			endpoints: endpointsOf(this.google.env),
			patience: { ...hasty, ...patience },
		});
	}

	source(archives: Partial<GceArchives> & Pick<GceArchives, 'archives'>): GceArchiveSource {
		return new GceArchiveSource({ instance: null, ...archives }, this.api());
	}

	/** Exports a disk, as `image.tar.gz`. Answers with its generation. */
	export({ bucket, object }: GsAddress, content: Buffer): string {
		return this.google.objects.put(`${bucket}/${object}`, packedArchive(content));
	}

	/** What nobody may be told. */
	get secrets(): string[] {
		const key = Object.entries(this.google.keyFile).find(([name]) => name === 'private_key')?.[1];
		return [...String(key).split('\n').slice(1, 4), ...this.google.tokens];
	}

	async dispose(): Promise<void> {
		await this.google.stop();
		await rm(this.directory, { recursive: true, force: true });
	}
}

export function packedArchive(content: Buffer): Buffer {
	const archive = Buffer.concat([header('disk.raw', content.length, { gnu: true }), padded(content), end]);
	return gzipSync(archive, { level: 1 });
}

const kib = 1024;

/** Two disks, each an object whose generations stay; what their guest writes is exported at once. */
export async function makeGceBench(): Promise<SourceBench> {
	const site = await GceSite.make();
	const archives = ['web01.tar.gz', 'web01-data.tar.gz'].map(object => ({ bucket: 'exports', object }));
	const contents = archives.map((_, number) =>
		Buffer.concat([noise(100 * kib, number + 1), Buffer.alloc(200 * kib), noise(84 * kib, number + 5)]),
	);
	for (const [number, address] of archives.entries()) site.export(address, contentOf(number));
	function contentOf(number: number): Buffer {
		return contents[number] ?? Buffer.alloc(0);
	}
	const numberOf = (key: string) => archives.findIndex(({ object }) => key.includes(`/${object}#`));
	return {
		open: () => site.source({ archives }),
		places: [],
		keepsNothing: true,
		get secrets() {
			return site.secrets;
		},
		guest: {
			write: async (key, offsetBytes, bytes) => {
				const number = numberOf(key);
				bytes.copy(contentOf(number), offsetBytes);
				site.export(archives[number] ?? { bucket: '', object: '' }, contentOf(number));
			},
			content: async key => Buffer.from(contentOf(numberOf(key))),
		},
		owner: {},
		fate: {},
		dispose: () => site.dispose(),
	};
}
