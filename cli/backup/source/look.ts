import { standingOf } from '../../../client/holder-standing.ts';
import type { ImportName, ImportStanding } from '../../../client/imports.ts';
import type { Session } from '../../recover/session.ts';
import { type ImportAnswer, importAnswer } from './text.ts';

type Asked = Pick<Session, 'imports' | 'broker'>;

/** How it stands, and while it waits for its turn who is before it. */
export async function lookAt(asked: Asked, name: ImportName): Promise<ImportAnswer> {
	return answerOf(asked, name, await asked.imports.view(name));
}

/** How one import stands: the first that is seen, whichever begins when that is over. */
export function readerOf(asked: Asked, name: ImportName): () => Promise<ImportAnswer> {
	let seen = name;
	return async () => {
		const standing = await asked.imports.view(seen);
		seen = { ...name, runId: standing.runId };
		return answerOf(asked, name, standing);
	};
}

async function answerOf({ broker }: Asked, name: ImportName, standing: ImportStanding): Promise<ImportAnswer> {
	const waits = standing.view.phase === 'queued' && standing.summary.workflow === 'RUNNING';
	return importAnswer(standing, waits ? await standingOf(broker, { import: name }) : null);
}
