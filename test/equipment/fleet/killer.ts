import { type InnerServiceName, serviceFiles, serviceHolder, serviceNames } from '../../../keeper/services.ts';
import { signalHolder } from '../../../system/process-lock.ts';
import { type WaitOptions, waitFor } from '../../../system/wait.ts';
import type { Random } from '../seeds/random.ts';
import type { Watch } from './watch.ts';

/** Kills the services of an installation, whose keeper starts them again. */
export class Killer {
	readonly #home: string;
	readonly #watch: Watch;
	readonly #random: Random;
	/** Of every wait. */
	readonly #patience: WaitOptions;
	/** Who, and after how many events. */
	readonly killed: string[] = [];

	constructor(home: string, watch: Watch, random: Random, patience: WaitOptions) {
		this.#home = home;
		this.#watch = watch;
		this.#random = random;
		this.#patience = patience;
	}

	/**
	 * Each service so many `times`, in an order and at moments of the seed: after so many events of all recoveries, the
	 * first after `from` and the last before `until`, and nobody before they were of use again. How many events there are
	 * depends on the machine: once it is `quiet`, those who are left die without waiting for their moment.
	 */
	async killAll(
		times: number,
		{ from, until, quiet }: { from: number; until: number; quiet: AbortSignal },
	): Promise<void> {
		const left = serviceNames.flatMap(name => Array.from({ length: times }, () => name));
		const part = (until - from) / left.length;
		for (let begin = from; left.length > 0; begin += part) {
			const [name] = left.splice(this.#random.below(left.length), 1);
			if (name) await this.#kill(name, begin + this.#random.below(part), quiet);
		}
	}

	async #kill(name: InnerServiceName, events: number, quiet: AbortSignal): Promise<void> {
		const running = () => serviceHolder(this.#home, name);
		const holder = await waitFor(`${name} to run`, running, this.#patience);
		const before = this.#watch.work[name];
		const due = () => quiet.aborted || (this.#watch.events >= events && this.#watch.work[name] > before);
		await waitFor(`${events} events, and some work of ${name}`, due, this.#patience);
		await signalHolder(serviceFiles(this.#home, name).lockPath, 'SIGKILL');
		const gone = async () => (await running())?.pid !== holder.pid;
		await waitFor(`${name} (pid ${holder.pid}) to be gone`, gone, this.#patience);
		this.killed.push(`${name} ${this.#watch.events}`);
	}
}
