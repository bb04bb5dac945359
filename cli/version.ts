import { execFileSync } from 'node:child_process';
import { formatVersion } from '../repository/format/sealed-json.ts';
import { checkoutDirectory, packageVersion } from '../system/checkout.ts';

export interface Version {
	version: string;
	/** Absent where the checkout is no git work tree. */
	commit: string | undefined;
	node: string;
	/** The Node that runs this; CI runs its other tools with it. */
	nodePath: string;
	/** The repository format that is read and written. */
	repositoryFormat: number;
}

export function readVersion(): Version {
	return {
		version: packageVersion(),
		commit: describeCommit(),
		nodePath: process.execPath,
		node: process.versions.node,
		repositoryFormat: formatVersion,
	};
}

export function versionText({ version, commit, node, repositoryFormat }: Version): string {
	return `rouse ${version}${commit ? ` (${commit})` : ''}, Node ${node}, repository format ${repositoryFormat}`;
}

function describeCommit(): string | undefined {
	try {
		return execFileSync('git', ['-C', checkoutDirectory, 'describe', '--always', '--dirty'], {
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'ignore'],
		}).trim();
	} catch {
		return undefined; // no git, or an unpacked archive: the version alone has to do
	}
}
