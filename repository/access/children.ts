import { untilAborted } from '../until-aborted.ts';
import { pinListSchema } from '../pins.ts';
import { type RepositoryAccess, restorePointSchema } from './calls.ts';
import { AccessChild, type ChildOptions, type Question } from './child.ts';

const defaults: ChildOptions = {
	// Below the half minute that an attempt of an activity has, so that the silence has its own code.
	deadlineMs: 25_000,
	// From a plan to its pin is less; the next recovery often comes soon.
	idleMs: 60_000,
};

/**
 * Access to repositories through child processes, one for each: a file system that hangs (NFS, hard mounted) takes with it
 * the threads that wait for it, and these are not ours. One that does not even let its process be killed stays the only
 * one of its repository, and whoever asks for that meanwhile is refused.
 */
export class RepositoryChildren implements RepositoryAccess {
	readonly #options: ChildOptions;
	readonly #children = new Map<string, AccessChild>();
	/** Started before there is a repository for it: starting Node takes longer than a plan. */
	#spare: AccessChild | undefined;
	#prepared = false;

	constructor(options: Partial<ChildOptions> = {}) {
		this.#options = { ...defaults, ...options };
	}

	/** Whose Node keeps what it has compiled there. */
	static of({ cacheDirectory }: { cacheDirectory: string }): RepositoryChildren {
		const { ROUSE_TEST_KILL_AT: _ours, ...env } = process.env;
		return new RepositoryChildren({ env: { ...env, NODE_COMPILE_CACHE: `${cacheDirectory}/compile` } });
	}

	/** Has a child ready for the next repository that is asked for. */
	prepare(): this {
		this.#prepared = true;
		if (this.#spare?.over !== false) this.#spare = new AccessChild(this.#options);
		return this;
	}

	async readPoint(repository: string, machine: string, restorePoint: string, signal?: AbortSignal) {
		const question = { do: 'read-point', repository, machine, restorePoint } as const;
		return restorePointSchema.parse(await this.#ask(question, signal));
	}

	async pin(...[repository, pin, signal]: Parameters<RepositoryAccess['pin']>): Promise<void> {
		await this.#ask({ do: 'pin', repository, pin }, signal);
	}

	async unpin(repository: string, recoveryId: string, signal?: AbortSignal): Promise<void> {
		await this.#ask({ do: 'unpin', repository, recoveryId }, signal);
	}

	async listPins(repository: string, signal?: AbortSignal) {
		return pinListSchema.parse(await this.#ask({ do: 'list-pins', repository }, signal));
	}

	/** Ends the children that can be ended. */
	async close(): Promise<void> {
		this.#prepared = false;
		await Promise.all([...this.#children.values(), ...(this.#spare ? [this.#spare] : [])].map(child => child.close()));
	}

	async #ask(question: Question, signal: AbortSignal | undefined): Promise<unknown> {
		signal?.throwIfAborted();
		return untilAborted(this.#childOf(question.repository).ask(question), signal);
	}

	#childOf(repository: string): AccessChild {
		const known = this.#children.get(repository);
		if (known && !known.over) return known;
		const child = this.#spare?.over === false ? this.#spare : new AccessChild(this.#options);
		this.#spare = undefined;
		this.#children.set(repository, child);
		void this.#forget(repository, child);
		return child;
	}

	async #forget(repository: string, child: AccessChild): Promise<void> {
		await child.gone;
		if (this.#children.get(repository) === child) this.#children.delete(repository);
		if (this.#prepared) this.prepare();
	}
}
