import { join } from 'node:path';
import { sha256Of } from './images.ts';
import { type Cost, runMeasured, type RunOptions } from './measure.ts';
import type { Scope } from './scope.ts';

/** A directory with a repository of restic's and its cache. It encrypts what it stores, and so needs a password. */
export class Restic {
	readonly directory: string;
	readonly #scope: Scope;

	constructor(scope: Scope, directory: string) {
		this.#scope = scope;
		this.directory = directory;
	}

	get repository(): string {
		return join(this.directory, 'repository');
	}

	async init(): Promise<void> {
		await this.#run(['init']);
	}

	async backup(file: string, options: Partial<RunOptions> = {}): Promise<Cost> {
		return await this.#run(['backup', file], options);
	}

	/** Its latest version, in a directory. */
	async restore(into: string): Promise<Cost> {
		return await this.#run(['restore', 'latest', '--target', into]);
	}

	/** SHA-256 of the latest version of a file. */
	async sha256Of(file: string): Promise<string> {
		return await this.#scope.within(async scope => {
			const dumped = scope.path('dumped');
			const argv = [...this.#argv, 'dump', 'latest', file];
			await runMeasured(['sh', '-c', `to=$1; shift; exec "$@" >"$to"`, 'sh', dumped, ...argv], this.#options);
			return await sha256Of(dumped);
		});
	}

	get #argv(): string[] {
		return ['restic', '--quiet', '--repo', this.repository];
	}

	get #options(): RunOptions {
		const env = {
			...process.env,
			RESTIC_PASSWORD: 'bench',
			RESTIC_CACHE_DIR: join(this.directory, 'cache'),
		};
		return { signal: this.#scope.signal, env };
	}

	async #run(args: readonly string[], more: Partial<RunOptions> = {}): Promise<Cost> {
		return await runMeasured([...this.#argv, ...args], { ...this.#options, ...more });
	}
}
