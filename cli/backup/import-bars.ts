import type { Output } from '../terminal/output.ts';
import type { Progress, ProgressState } from '../terminal/progress.ts';

/** One bar at a time: what is begun after something else, or from its beginning again, has one of its own. */
export class ImportBars {
	readonly #output: Pick<Output, 'progress'>;
	#bar: Progress | undefined;
	#label = '';
	#done = 0;

	constructor(output: Pick<Output, 'progress'>) {
		this.#output = output;
	}

	show(label: string, state: ProgressState): void {
		if (this.#bar === undefined || label !== this.#label || state.done < this.#done) {
			this.#bar?.end();
			this.#bar = this.#output.progress(label);
		}
		this.#label = label;
		this.#done = state.done;
		this.#bar.update(state);
	}

	end(): void {
		this.#bar?.end();
	}
}
