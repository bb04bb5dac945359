import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { OwnCommand } from '../../../cli/demo/own-command.ts';
import { type KillTarget, killTargets } from '../../../cli/demo/kills.ts';
import { phaseSchema } from '../../../model/recovery.ts';
import { recoveryPlaces } from '../../../supervisor/files/places.ts';
import type { Installation } from '../../../system/installation.ts';
import { signalHolder } from '../../../system/process-lock.ts';
import { waitFor } from '../../../system/wait.ts';
import type { Random } from '../seeds/random.ts';

export const shownSchema = z.object({
	recoveryId: z.uuid(),
	phase: phaseSchema,
	power: z.string(),
	parked: z.looseObject({ code: z.string(), next: z.looseObject({ order: z.string() }) }).nullable(),
	consoleSocket: z.string(),
	disks: z.array(z.object({ path: z.string() })),
});
type Shown = z.output<typeof shownSchema>;
const anything = z.looseObject({});

export interface NightParts {
	rouse: OwnCommand;
	installation: Installation;
	repository: string;
	random: Random;
	signal: AbortSignal;
	/** What happens, a line each. */
	say: (line: string) => void;
}

/** Everything that may befall one recovery on a real host, and what a person does in the morning. */
export class Night {
	readonly #parts: NightParts;
	readonly #name: string;
	readonly #targets: KillTarget[];
	readonly #stopped = new Set<string>();
	#repositoryAway = false;

	constructor(parts: NightParts, name: string, recoveryId: string) {
		const { installation, repository } = parts;
		this.#parts = parts;
		this.#name = name;
		const { directory } = recoveryPlaces(installation, name, recoveryId);
		const machine = { name: 'machine', lockPath: join(directory, 'machine.lock') };
		this.#targets = [...killTargets(installation, { name, recoveryId, repository }), machine];
	}

	/** One thing goes wrong, or several at once. */
	async trouble(): Promise<void> {
		const { random } = this.#parts;
		const troubles = [
			() => this.#kill(),
			() => this.#kill(),
			() => Promise.all([this.#kill(), this.#kill()]),
			() => this.#stop(),
			() => this.#goOn(),
			() => this.#moveRepository(),
			() => this.#order(),
		];
		await random.pick(troubles)();
		await delay(200 + random.below(2_500), undefined, { signal: this.#parts.signal });
	}

	/** Nothing fails any more; a person follows what is next, until the recovery is finished. */
	async morning(): Promise<Shown> {
		const { rouse, signal, say } = this.#parts;
		say('morning');
		await this.#goOn();
		if (this.#repositoryAway) await this.#moveRepository();
		await rouse.run(anything, 'up', '--detach');
		await rouse.run(anything, 'recover', 'policy', this.#name, '--max-rate', '0');
		return waitFor(
			`${this.#name} to finish`,
			async () => {
				const shown = await rouse.run(shownSchema, 'recover', 'show', this.#name);
				if (shown.phase === 'finished') return shown;
				const order = this.#next(shown);
				if (order) say(`${shown.phase}: ${order}`);
				if (order) await this.#tell(order.split(' '));
				return undefined;
			},
			{ timeoutMs: 240_000, everyMs: 1_000, signal },
		);
	}

	#next({ phase, parked, power }: Shown): string | undefined {
		if (parked?.next.order === 'power-reset') return 'power reset';
		if (parked) return 'retry';
		if (power === 'off' && phase !== 'switching') return 'power on';
		return { running: 'migrate', migrated: 'switch' }[phase as string];
	}

	async #order(): Promise<void> {
		const { random } = this.#parts;
		await this.#tell(
			random.pick([
				['migrate'],
				['policy', '--max-rate', String(1 + random.below(40 * 1024 * 1024))],
				['power', 'off'],
				['power', 'on'],
				['power', 'reset'],
				['retry'],
			]),
		);
	}

	/** Orders may be refused, and may find nobody: that is told to a person, and no reason to fail. */
	async #tell([order = '', ...more]: string[]): Promise<void> {
		const { rouse, say, signal } = this.#parts;
		const result = await rouse.text('recover', order, this.#name, ...more).catch((error: unknown) => {
			if (signal.aborted) throw error;
			return String(error).split('\n').at(0);
		});
		say(`${order} ${more.join(' ')}: ${result?.split('\n').at(0)}`);
	}

	async #kill(): Promise<void> {
		const { name, lockPath } = this.#parts.random.pick(this.#targets);
		if (await signalHolder(lockPath, 'SIGKILL')) this.#parts.say(`killed ${name}`);
	}

	async #stop(): Promise<void> {
		const { name, lockPath } = this.#parts.random.pick(this.#targets);
		if (!(await signalHolder(lockPath, 'SIGSTOP'))) return;
		this.#stopped.add(lockPath);
		this.#parts.say(`stopped ${name}`);
	}

	async #goOn(): Promise<void> {
		for (const lockPath of this.#stopped) await signalHolder(lockPath, 'SIGCONT');
		this.#stopped.clear();
	}

	async #moveRepository(): Promise<void> {
		const { repository, say } = this.#parts;
		const away = `${repository}-away`;
		await (this.#repositoryAway ? rename(away, repository) : rename(repository, away));
		this.#repositoryAway = !this.#repositoryAway;
		say(this.#repositoryAway ? 'the repository is away' : 'the repository is back');
	}
}
