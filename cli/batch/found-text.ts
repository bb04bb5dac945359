/** What a batch has found and not started: a discard leaves it, and says so. */
import { type BatchItemDocument, isForeign } from '../../client/batch/documents.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { formatTime } from '../terminal/format-time.ts';

export function leftByDiscard(items: readonly BatchItemDocument[]): BatchItemDocument[] {
	return items.filter(isForeign);
}

/** With the command that discards them too: each by its name, so that nobody takes along what came meanwhile. */
export function leftText(name: string, left: readonly BatchItemDocument[]): string[] {
	if (left.length === 0) return [];
	const names = left.map(item => item.name).join(',');
	return [
		'Left, because this batch has not started it:',
		...left.map(item => `  ${terminalLine(`${item.name}: ${item.phase ?? item.state}, ${originText(item)}`)}`),
		`To discard what is named as well, with all that its guests wrote: rouse batch discard ${name} --confirm ${name} --found ${names}`,
	];
}

function originText({ origin }: BatchItemDocument): string {
	if (origin === null) return 'Temporal does not tell where it came from';
	const { batch, by, at } = origin;
	return `${batch === null ? 'started' : `started by batch ${batch}`}${by === null ? '' : ` by order of ${by}`}, ${formatTime(at)}`;
}
