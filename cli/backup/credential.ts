import { RouseError } from '../../model/errors.ts';
import { homeDirectory, loadConfig } from '../../system/installation.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import type { Context } from '../terminal/command.ts';

/** The file of a credential that config.yaml names; null for none. `config_invalid` when there is none of this name. */
export async function credentialNamed(context: Pick<Context, 'env'>, name: string | undefined): Promise<string | null> {
	if (name === undefined) return null;
	const { credentials } = await loadConfig({ home: homeDirectory(context.env) });
	const file = Object.hasOwn(credentials, name) ? credentials[name]?.file : undefined;
	if (file === undefined)
		throw new RouseError('config_invalid', `config.yaml has no credential ${name}`, {
			hint: `write it under credentials: {${name}: {file: …}}`,
		});
	await mustBeSecret(file);
	return file;
}
