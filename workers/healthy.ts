/** `node workers/healthy.ts`: ends with 1 while a worker of this installation runs and does not reach Temporal. */
import { homeDirectory } from '../system/installation.ts';
import { readOutages } from '../system/temporal-outages.ts';

const away = (await readOutages(homeDirectory())).filter(({ current }) => current);
for (const { worker, since, reason } of away)
	console.log(`${worker} has not reached Temporal since ${since}: ${reason}`);
process.exitCode = away.length === 0 ? 0 : 1;
