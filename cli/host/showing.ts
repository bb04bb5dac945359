import type { SetupEvent } from '../../hypervisors/hyperv/host-setup/work.ts';
import type { Output } from '../terminal/output.ts';

/** While `work` runs, what it tells is shown: each step as it begins, and how much of a file has been sent. */
export async function showing(
	output: Output,
	work: (tell: (event: SetupEvent) => void) => Promise<void>,
): Promise<void> {
	const bar = output.progress('sending');
	const tell = (event: SetupEvent) => {
		switch (event.type) {
			case 'warning':
				return output.warn(event.message);
			case 'progress':
				return bar.update({ done: event.doneBytes, total: event.totalBytes });
			case 'step':
				return event.at === 'begin' ? output.message(event.text) : undefined;
		}
	};
	try {
		await work(tell);
	} finally {
		bar.end();
	}
}
