import { type Context, command } from '../terminal/command.ts';
import { readVersion, versionText } from '../version.ts';

export const build = ({ output }: Context) =>
	command('version')
		.description('versions of Rouse, Node and the repository format')
		.action(() => {
			const version = readVersion();
			output.result(version, versionText(version));
		});
