import { addRepository, configuredAnywhere } from '../../system/configured-repositories.ts';
import { loadConfig } from '../../system/installation.ts';

let last: Promise<void> = Promise.resolve();

/** Has config.yaml name the repository, under whatever name; one after the other, as a person does it. */
export function configureRepository(installation: { home: string }, directory: string): Promise<void> {
	last = last.catch(() => undefined).then(() => configure(installation, directory));
	return last;
}

async function configure(installation: { home: string }, directory: string): Promise<void> {
	const known = await configuredAnywhere(installation)(directory).then(
		() => true,
		() => false,
	);
	if (known) return;
	const { repositories } = await loadConfig(installation);
	await addRepository(installation, `stored-${Object.keys(repositories).length}`, directory);
}
