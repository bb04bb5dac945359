import { GuestConsole } from '../../../cli/demo/console.ts';

const answersWithinMs = 15_000;
const bootsWithinMs = 180_000;

/** The guest of a machine that loses its power, stands still and is reset: what it said is safe must be there at the end. */
export class NightGuest {
	/** Name to sum of the files that it said were on stable storage. */
	readonly files = new Map<string, string>();
	readonly #consoleSocket: string;
	#console: GuestConsole | undefined;

	constructor(consoleSocket: string) {
		this.#consoleSocket = consoleSocket;
	}

	/** Writes a file unless something comes in between; false then. */
	async write(signal: AbortSignal): Promise<boolean> {
		try {
			const options = { timeoutMs: answersWithinMs, signal };
			const guest = await this.#listening(options);
			const [, name = '', sum = ''] = await guest.command('write 1 64', /^file (\S+) ([0-9a-f]{64})$/, options);
			this.files.set(name, sum);
			await guest.waitFor(/^wrote 1$/, options);
			return true;
		} catch (error) {
			if (signal.aborted) throw error;
			this.close();
			return false;
		}
	}

	/** How many of its files are right and wrong, as it finds them itself. Of a machine that nothing happens to. */
	async verify(signal: AbortSignal): Promise<{ right: number; wrong: number }> {
		this.close();
		const options = { timeoutMs: bootsWithinMs, signal };
		const guest = await this.#listening(options);
		const [, right, wrong] = await guest.command('verify', /^ok (\d+) bad (\d+)$/, options);
		return { right: Number(right), wrong: Number(wrong) };
	}

	async powerOff(signal: AbortSignal): Promise<void> {
		await this.#console?.command('poweroff', /^bye$/, { timeoutMs: bootsWithinMs, signal });
		this.close();
	}

	close(): void {
		this.#console?.close();
		this.#console = undefined;
	}

	/** It may have been started anew since, or not: it says that it is ready until it is spoken to, and answers afterwards. */
	async #listening(options: { timeoutMs: number; signal: AbortSignal }): Promise<GuestConsole> {
		if (this.#console) return this.#console;
		const console = await GuestConsole.open(this.#consoleSocket);
		this.#console = console;
		await console.command('count', /^count \d+$|ROUSE-GUEST READY$/, options);
		return console;
	}
}
