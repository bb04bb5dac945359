/** A libvirt of its own, as a user has it for a session: its daemon, sockets and settings lie in one directory. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../../system/wait.ts';
import { nobody } from './captive.ts';

const run = promisify(execFile);

/** libvirt gives root no session: then it is nobody's. */
const isRoot = process.geteuid?.() === 0;

export class Libvirt {
	/** Where machines' files may lie: of ours, and everybody passes through. */
	readonly directory: string;
	readonly #home: string;
	#daemon: ChildProcess | undefined;

	private constructor(directory: string) {
		this.directory = directory;
		this.#home = join(directory, 'home');
	}

	static async start(): Promise<Libvirt> {
		const directory = await mkdtemp(join(tmpdir(), 'rouse-lv-'));
		await chmod(directory, 0o755);
		const libvirt = new Libvirt(directory);
		const settings = join(libvirt.#home, 'config', 'libvirt');
		for (const path of [libvirt.#home, join(libvirt.#home, 'config'), settings, join(libvirt.#home, 'run')]) {
			await mkdir(path);
			await libvirt.give(path);
		}
		for (const [name, line] of [
			['qemu.conf', 'stdio_handler = "file"\n'],
			['libvirtd.conf', 'auth_unix_rw = "none"\n'],
		] as const) {
			await writeFile(join(settings, name), line);
			await libvirt.give(join(settings, name));
		}
		await libvirt.startDaemon();
		return libvirt;
	}

	get connect(): string {
		return `qemu+unix:///session?socket=${join(this.#home, 'run', 'libvirt', 'libvirt-sock')}`;
	}

	/** What its QEMUs write. */
	async give(path: string): Promise<void> {
		if (isRoot) await chown(path, nobody, nobody);
	}

	async startDaemon(): Promise<void> {
		const at = (name: string) => join(this.#home, name);
		const log = await open(at('log'), 'a');
		const asUser = isRoot ? [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : [];
		const daemon = spawn('setpriv', [...asUser, 'libvirtd', '-f', at('config/libvirt/libvirtd.conf')], {
			cwd: this.#home,
			stdio: ['ignore', log.fd, log.fd],
			env: {
				PATH: process.env['PATH'] ?? '',
				HOME: this.#home,
				XDG_RUNTIME_DIR: at('run'),
				XDG_CONFIG_HOME: at('config'),
				XDG_CACHE_HOME: at('cache'),
				XDG_DATA_HOME: at('data'),
			},
		});
		await log.close();
		this.#daemon = daemon;
		await waitFor(
			'libvirtd to answer',
			async () => {
				if (daemon.exitCode !== null) throw new Error(`libvirtd has ended: ${await readFile(at('log'), 'utf8')}`);
				return this.virsh('list').then(
					() => true,
					() => false,
				);
			},
			{ timeoutMs: 30_000 },
		);
	}

	/** As a loss of power, but for its machines, which run on. */
	async killDaemon(): Promise<void> {
		const daemon = this.#daemon;
		if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
		const gone = once(daemon, 'exit');
		daemon.kill('SIGKILL');
		await gone;
	}

	async virsh(...args: readonly string[]): Promise<string> {
		return (await run('virsh', ['-q', '-c', this.connect, ...args], { env: { ...process.env, LC_ALL: 'C' } })).stdout;
	}

	/** By the process that libvirt has noted. */
	async killMachine(name: string): Promise<void> {
		const pid = Number(await readFile(join(this.#home, 'run', 'libvirt', 'qemu', 'run', `${name}.pid`), 'utf8'));
		process.kill(pid, 'SIGKILL');
		await waitFor('libvirt to see its end', async () => /shut off/.test(await this.virsh('domstate', name)), {
			timeoutMs: 20_000,
		});
	}

	/** What the QEMU of a machine has printed. */
	async log(name: string): Promise<string> {
		return readFile(join(this.#home, 'cache', 'libvirt', 'qemu', 'log', `${name}.log`), 'utf8');
	}

	async stop(): Promise<void> {
		for (const name of (await this.virsh('list', '--name')).split('\n').filter(line => line !== ''))
			await this.virsh('destroy', name);
		await this.killDaemon();
		await rm(this.directory, { recursive: true, force: true });
	}
}
