/** A home whose config.yaml names a repository and an instance by its archive, for processes that reach the stub alone. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { listPoints, readPoint, type RestorePoint } from '../../../repository/points.ts';
import { initRepository, openRepository } from '../../../repository/repository.ts';
import type { ImportPlaces } from '../../../sources/machine-child/calls.ts';
import { noise } from '../repositories.ts';
import { GceSite } from './bench.ts';
import { sampleResources } from './instances.ts';

export const instanceUri = 'gce://my-project/europe-west3-a/web01';
export const archiveUri = 'gs://exports/web01.tar.gz';
/** What says to Google's token service who asks. */
export const subjectToken = 'canary-7c1b5d90e2';

const chunk = 65_536;

export interface GceInstallation {
	site: GceSite;
	home: string;
	places: ImportPlaces;
	/** Of a process that works on it. */
	env: NodeJS.ProcessEnv;
	/** Of the disk. */
	content: Buffer;
	points: () => Promise<RestorePoint[]>;
}

export async function makeGceInstallation(t: TestContext): Promise<GceInstallation> {
	const site = await GceSite.make();
	t.after(() => site.dispose());
	const content = Buffer.concat([noise(40 * chunk, 1), Buffer.alloc(20 * chunk), noise(4 * chunk, 2)]);
	site.export({ bucket: 'exports', object: 'web01.tar.gz' }, content);
	for (const [path, resource] of sampleResources) site.google.resources.set(path, resource);
	const home = join(site.directory, 'home');
	await mkdir(home, { mode: 0o700 });
	const made = await initRepository(join(site.directory, 'repository'), { chunkSizeBytes: chunk });
	await made.store.close();
	const tokenPath = join(home, 'subject-token');
	await writeFile(tokenPath, subjectToken, { mode: 0o600 });
	await writeFile(join(home, 'google.json'), JSON.stringify(site.google.federationFile(tokenPath)), { mode: 0o600 });
	await writeFile(join(home, 'config.yaml'), configText(made.location));
	return {
		site,
		home,
		places: { source: 'web01', repository: made.location, repositoryId: made.id },
		env: { ...process.env, ...site.google.env, ROUSE_HOME: home },
		content,
		points: async () => {
			const repository = await openRepository(made.location);
			try {
				const times = await listPoints(repository, 'web01');
				return await Promise.all(times.map(time => readPoint(repository, 'web01', time)));
			} finally {
				await repository.store.close();
			}
		},
	};
}

function configText(repository: string): string {
	return [
		`repositories: {main: ${JSON.stringify(repository)}}`,
		'defaultRepository: main',
		'credentials: {google: {file: google.json}}',
		'sources:',
		'  web01:',
		`    uri: ${archiveUri}`,
		`    configuration: ${instanceUri}`,
		'    credential: google',
		'',
	].join('\n');
}
