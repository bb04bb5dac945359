import type { BatchDocument } from '../../../client/batch/documents.ts';
import { itemLine } from '../../batch/text.ts';
import { liveText } from '../../batch/watch.ts';
import type { LiveScreen } from '../../terminal/live-screen.ts';

/**
 * The table of `batch watch` among lines that are said: where there is no terminal, a line for each machine whose turn has come,
 * and that has changed.
 */
export class SiteTable {
	readonly #screen: LiveScreen | undefined;
	readonly #say: (line: string) => void;
	readonly #lines = new Map<string, string>();

	constructor(screen: LiveScreen | undefined, say: (line: string) => void) {
		this.#screen = screen;
		this.#say = say;
	}

	draw(document: BatchDocument): void {
		if (this.#screen) return this.#screen.draw(liveText(document, this.#screen));
		for (const item of document.items) {
			const line = itemLine(item);
			if (item.state === 'waiting' || this.#lines.get(item.name) === line) continue;
			this.#lines.set(item.name, line);
			this.#say(`  ${line}`);
		}
	}

	/** Above the table, which comes back with the next look. */
	say(line: string): void {
		this.#screen?.clear();
		this.#say(line);
	}

	/** The last look stays. */
	end(document: BatchDocument): void {
		if (!this.#screen) return;
		this.#screen.clear();
		for (const line of liveText(document, this.#screen).split('\n')) this.#say(`  ${line}`);
	}
}
