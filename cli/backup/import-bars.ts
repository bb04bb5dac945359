import type { Progress, ProgressState } from '../terminal/progress.ts';

type Bar = Pick<Progress, 'update' | 'end'>;
interface Output {
	progress(label: string): Bar;
}

/** One bar at a time: what is begun after something else, or from its beginning again, has one of its own. */
export class ImportBars {
	readonly #output: Output;
	#bar: Bar | undefined;
	#label = '';
	#done = 0;

	constructor(output: Output) {
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

	/** Until something else is shown there is none. */
	end(): void {
		this.#bar?.end();
		this.#bar = undefined;
	}
}
