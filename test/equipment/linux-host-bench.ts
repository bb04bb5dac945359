/** An installation, and a Linux machine that it reaches by SSH: this one, with a directory of its own for what is put there. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Installation, openInstallation } from '../../system/installation.ts';
import { readIfThere } from '../../system/if-there.ts';
import { runTool } from '../../system/run-tool.ts';
import { temporaryDirectory } from './captive.ts';
import type { LinuxHostTry } from './linux-host-child.ts';
import { type LinuxSsh, linuxSsh } from './linux-ssh.ts';

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const served = `
repositories: {main: /backup/main}
serve: {address: 192.0.2.10, temporal: 7401, repositories: {main: 7402}}
`;

export interface LinuxHostBench {
	installation: Installation;
	ssh: LinuxSsh;
	/** For `kvm2`. */
	what: LinuxHostTry;
	/** Commands that the program there was given, since the last time. */
	commands: () => Promise<string[]>;
}

/** The program that is sent writes down how it is called, and joins; nothing else of it is done. */
export async function linuxHostBench(t: TestContext): Promise<LinuxHostBench> {
	const directory = await temporaryDirectory(t);
	const installation = await openInstallation(join(directory, 'home'));
	await writeFile(join(installation.home, 'config.yaml'), served);
	const ssh = await linuxSsh(t, join(directory, 'ssh'));
	const { user, host, port, identityPath } = ssh;
	const there = join(directory, 'there');
	const wanted = { name: 'kvm2', user, host, port, directory: join(there, 'rouse'), home: join(there, 'home') };
	await mkdir(there);
	const log = join(directory, 'commands');
	const path = await archiveOf(join(directory, 'archive'), log);
	const sha256 = createHash('sha256')
		.update(await readFile(path))
		.digest('hex');
	let seen = 0;
	const commands = async () => {
		const all = ((await readIfThere(log)) ?? '').split('\n').filter(line => line !== '');
		const from = seen;
		seen = all.length;
		return all.slice(from);
	};
	const archive = { path, sha256, version: '0123456789abcdef' };
	const what = { home: installation.home, wanted, identityPath, hostKey: ssh.fingerprint, archive };
	return { installation, ssh, what, commands };
}

async function archiveOf(work: string, log: string): Promise<string> {
	const [cli, bin] = [join(work, 'rouse', 'cli'), join(work, 'node', 'bin')];
	for (const folder of [cli, bin]) await mkdir(folder, { recursive: true });
	await symlink(process.execPath, join(bin, 'node'));
	const program = [
		"import { appendFileSync } from 'node:fs';",
		`appendFileSync(${JSON.stringify(log)}, process.argv.slice(2, 4).join(' ') + '\\n');`,
		`if (process.argv[2] === 'host') await import(${JSON.stringify(main)});`,
	];
	await writeFile(join(cli, 'main.ts'), program.join('\n'));
	const path = join(work, 'archive.tar.gz');
	await runTool('tar', ['-czf', path, '-C', work, 'rouse', 'node'], { hint: '' });
	return path;
}
