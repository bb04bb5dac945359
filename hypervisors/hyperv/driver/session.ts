/** One session of the driver: a PowerShell that answers one request after another. */
import { asRouseError, RouseError } from '../../../model/errors.ts';
import { bootstrapCommand, type ConstantScript, greetingOf } from './bootstrap.ts';
import { driverError } from './errors.ts';
import { DriverExchange } from './exchange.ts';
import { type RemoteProgram, startRemote } from './ssh.ts';
import type { OperatorDestination } from '../../../system/ssh-destination.ts';

/** A cold PowerShell of a busy host takes some seconds to begin. */
const startMs = 90_000;

interface Waiting {
	op: string;
	resolve: (result: unknown) => void;
	reject: (error: RouseError) => void;
}

export class DriverSession {
	readonly #program: RemoteProgram;
	readonly #exchange: DriverExchange;
	readonly #starting: NodeJS.Timeout;
	#waiting: Waiting | undefined;
	#failure: RouseError | undefined;
	/** Comes when it can be asked nothing more. */
	readonly ended: Promise<void>;

	/** `program` runs the bootstrap of `script`, which is sent to it. */
	constructor(program: RemoteProgram, script: ConstantScript) {
		this.#program = program;
		this.#exchange = new DriverExchange(greetingOf(script));
		this.#starting = setTimeout(() => this.#breakOff(this.#notBegun()), startMs);
		program.stdout.on('data', (bytes: Buffer) => this.#receive(bytes));
		this.ended = program.ended.then(error => this.#fail(error));
		program.stdin.write(script.text, 'ascii');
	}

	static overSsh(destination: OperatorDestination, script: ConstantScript): DriverSession {
		return new DriverSession(startRemote(destination, bootstrapCommand(script)), script);
	}

	/** It has not answered yet: nothing else can be asked. */
	get busy(): boolean {
		return this.#waiting !== undefined;
	}

	get failed(): boolean {
		return this.#failure !== undefined;
	}

	/** Comes back when the answer is there, however long that takes, or the session is broken. */
	ask(op: string, request: Record<string, unknown>): Promise<unknown> {
		if (this.#failure) return Promise.reject(this.#failure);
		return new Promise((resolve, reject) => {
			const bytes = this.#exchange.ask(op, request);
			this.#waiting = { op, resolve, reject };
			this.#program.stdin.write(bytes);
		});
	}

	/** A request that is open is given up: the host may do it all the same. */
	async close(): Promise<void> {
		this.#fail(new RouseError('hypervisor_failed', 'the session with the host was closed'));
		await this.#program.close();
	}

	#receive(bytes: Buffer): void {
		try {
			const answer = this.#exchange.push(bytes);
			if (this.#exchange.greeted) clearTimeout(this.#starting);
			if (answer === undefined) return;
			const waiting = this.#waiting;
			this.#waiting = undefined;
			if (answer.ok) waiting?.resolve(answer.result);
			else waiting?.reject(driverError(waiting.op, answer.error));
		} catch (thrown) {
			this.#breakOff(asRouseError(thrown));
		}
	}

	#notBegun(): RouseError {
		const { noise } = this.#exchange;
		return new RouseError('hypervisor_stuck', `PowerShell did not begin within ${startMs} ms: ${noise.slice(-500)}`, {
			hint: 'look at the host: it is overloaded, or something else than powershell.exe was started',
		});
	}

	#breakOff(error: RouseError): void {
		this.#fail(error);
		void this.#program.close(0);
	}

	#fail(error: RouseError): void {
		if (this.#failure) return;
		this.#failure = error;
		clearTimeout(this.#starting);
		this.#waiting?.reject(error);
		this.#waiting = undefined;
	}
}
