import { PassThrough } from 'node:stream';
import type { ConstantScript } from '../../hypervisors/hyperv/driver/bootstrap.ts';
import { greetingOf } from '../../hypervisors/hyperv/driver/bootstrap.ts';
import type { RemoteProgram } from '../../hypervisors/hyperv/driver/ssh.ts';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';

/** The driver's end of a session, played by a test: what was written to it, and what it says. */
export class PlayedProgram implements RemoteProgram {
	readonly stdin = new PassThrough();
	readonly stdout = new PassThrough();
	readonly #ended = Promise.withResolvers<RouseError>();
	readonly ended = this.#ended.promise;
	closed = false;
	#heard = '';

	constructor() {
		this.stdin.on('data', (bytes: Buffer) => {
			this.#heard += bytes.toString('latin1');
		});
	}

	greet(script: ConstantScript): void {
		this.say(greetingOf(script));
	}

	say(line: string): void {
		this.stdout.write(`${line}\r\n`);
	}

	/** The requests that came after the script, as far as their lines are whole. */
	requests(script: ConstantScript): Record<string, unknown>[] {
		const lines = this.#heard.slice(script.text.length).split('\n').slice(0, -1);
		return lines.map(line => JSON.parse(line));
	}

	get heard(): string {
		return this.#heard;
	}

	async request(script: ConstantScript, number = 0): Promise<Record<string, unknown>> {
		return await waitFor('a request', () => this.requests(script)[number], { timeoutMs: 5000, everyMs: 1 });
	}

	async answer(script: ConstantScript, result: unknown, number = 0): Promise<void> {
		const { id } = await this.request(script, number);
		this.say(JSON.stringify({ id, ok: true, result }));
	}

	end(error = new RouseError('hypervisor_failed', 'the session ended')): void {
		this.#ended.resolve(error);
	}

	close(): Promise<void> {
		this.closed = true;
		this.end();
		return Promise.resolve();
	}
}
