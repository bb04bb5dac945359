/**
 * A cable to another "host", a network namespace: from a bridge of this host, or from an interface that machines share. Needs
 * root. All of it goes with the test.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../system/installation.ts';
import { type WaitOptions, waitFor } from '../../system/wait.ts';

const run = promisify(execFile);
/** Of tools/guest, which is built before: not every host has a ping. */
const busybox = join(cacheDirectory(), 'guest', 'packages-1', 'unpacked', 'bin', 'busybox');

export class WiredHost {
	/** Not there with `macvtap`. */
	readonly bridge: string;
	readonly kind: 'bridge' | 'macvtap';
	readonly #namespace: string;
	/** The cable's end on this host, and the other host's. */
	readonly port: string;
	readonly #far: string;

	private constructor(id: string, kind: WiredHost['kind']) {
		this.kind = kind;
		this.bridge = `rtbr${id}`;
		this.port = `rtp${id}`;
		this.#far = `rtf${id}`;
		this.#namespace = `rouse-test-${id}`;
	}

	/** The other host is 10.99.0.1/24. */
	static async up(t: Pick<TestContext, 'after'>, kind: WiredHost['kind'] = 'bridge'): Promise<WiredHost> {
		const host = new WiredHost(randomBytes(4).toString('hex'), kind);
		t.after(() => host.#remove());
		const { bridge, port } = host;
		if (kind === 'bridge') {
			await run('ip', ['link', 'add', 'dev', bridge, 'type', 'bridge']);
			await run('ip', ['link', 'set', 'dev', bridge, 'up']);
		}
		await run('ip', ['netns', 'add', host.#namespace]);
		const far = ['peer', 'name', host.#far, 'netns', host.#namespace];
		await run('ip', ['link', 'add', 'dev', port, 'type', 'veth', ...far]);
		await run('ip', ['link', 'set', 'dev', port, ...(kind === 'bridge' ? ['master', bridge] : []), 'up']);
		await host.inside('ip', ['address', 'add', '10.99.0.1/24', 'dev', host.#far]);
		await host.inside('ip', ['link', 'set', 'dev', host.#far, 'up']);
		return host;
	}

	/** Another bridge of this host. */
	static async bridgeAlone(t: Pick<TestContext, 'after'>): Promise<string> {
		const { bridge } = new WiredHost(randomBytes(4).toString('hex'), 'bridge');
		await run('ip', ['link', 'add', 'dev', bridge, 'type', 'bridge']);
		t.after(() => run('ip', ['link', 'delete', 'dev', bridge]));
		return bridge;
	}

	/** Runs a program on the other host. */
	async inside(program: string, args: readonly string[]): Promise<string> {
		return (await run('ip', ['netns', 'exec', this.#namespace, program, ...args])).stdout;
	}

	/** Whether an address answers the other host's ping. */
	async answers(address: string): Promise<boolean> {
		return this.inside(busybox, ['ping', '-c', '1', '-W', '2', address]).then(
			() => true,
			() => false,
		);
	}

	/** Pings from the other host, ten a second, until `stop`, which tells how many were answered, and which never will be. */
	pings(
		t: Pick<TestContext, 'after'>,
		address: string,
	): { stop: (patience: WaitOptions) => Promise<{ answered: number; lost: number[] }> } {
		const args = ['netns', 'exec', this.#namespace, busybox, 'ping', '-i', '0.1', address];
		const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
		let said = '';
		child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
		const ended = once(child, 'close');
		t.after(() => child.kill('SIGKILL'));
		const answered = () => new Set([...said.matchAll(/ seq=(\d+) /g)].map(([, sequence]) => Number(sequence)));
		const newest = () => Math.max(-1, ...answered());
		const stop = async (patience: WaitOptions) => {
			// Answers come in the order of the pings: of those before one that is answered none is on its way any more.
			const before = newest();
			await waitFor('one more answer', () => newest() > before, patience);
			child.kill('SIGINT');
			await ended;
			const all = answered();
			const lost = Array.from({ length: newest() }, (_none, sequence) => sequence).filter(one => !all.has(one));
			return { answered: all.size, lost };
		};
		return { stop };
	}

	/** The other host's own MAC address becomes this one. */
	async takeAddress(mac: string): Promise<void> {
		await this.inside('ip', ['link', 'set', 'dev', this.#far, 'address', mac]);
	}

	/** The other host asks for somebody who is not there: the bridge hears its address. */
	async speak(): Promise<void> {
		await this.inside('ip', ['neighbour', 'flush', 'all']);
		await this.inside('bash', ['-c', 'exec 3<>/dev/udp/10.99.0.254/9 && echo >&3']);
	}

	/** The network of this host that leads to the other one. */
	get target(): string {
		return this.kind === 'bridge' ? `bridge:${this.bridge}` : `macvtap:${this.port}`;
	}

	/** The cable's end, and what machines have beside it. */
	async ports(): Promise<string[]> {
		const of = this.kind === 'bridge' ? ['master', this.bridge] : ['type', 'macvtap'];
		const { stdout } = await run('ip', ['-json', 'link', 'show', ...of]);
		const found = JSON.parse(stdout || '[]') as { ifname: string; link?: string }[];
		if (this.kind === 'bridge') return found.map(({ ifname }) => ifname).toSorted();
		const sharing = found.filter(({ link }) => link === this.port).map(({ ifname }) => ifname);
		return [this.port, ...sharing].toSorted();
	}

	/** With taps of machines on it. One that fails holds up no other: the test may have ended before all was made. */
	async #remove(): Promise<void> {
		const ports = await this.ports().catch(() => []);
		const made = [
			...ports.map(port => ['link', 'delete', 'dev', port]),
			['netns', 'delete', this.#namespace],
			['link', 'delete', 'dev', this.port],
			['link', 'delete', 'dev', this.bridge],
		];
		for (const args of made) await run('ip', args).catch(() => undefined);
	}
}
