import type { Figures, Result, Spread } from './figures.ts';

const rows: readonly [string, (figures: Figures) => string | number][] = [
	['recoveries started, finished', ({ started, finished }) => `${started}, ${finished}`],
	['`batch start`, s', ({ batchStartSeconds }) => batchStartSeconds],
	['whole time, s', ({ wholeSeconds }) => wholeSeconds],
	['whole time each, ms', ({ wholeSeconds, started }) => Math.round((wholeSeconds * 1_000) / started)],
	['events of a recovery', ({ eventsEach }) => told(eventsEach)],
	['place to running, ms', ({ placeToRunningMs }) => told(placeToRunningMs)],
	['place to finished, ms', ({ placeToFinishedMs }) => told(placeToFinishedMs)],
	['grants a second', ({ grantsPerSecond }) => grantsPerSecond],
	['until a grant is heard of, ms', ({ grantHeardMs }) => told(grantHeardMs)],
	['until the broker knows that, ms', ({ grantKnownMs }) => told(grantKnownMs)],
	['events of the broker each', ({ brokerEventsEach }) => brokerEventsEach],
	['database, KiB each', ({ databaseMiB, started }) => Math.round((databaseMiB * 1024) / started)],
];

/** As the tables in docs/ are: a column for each run. Of what has a spread: median, 95 %, most. */
export function tableOf(results: readonly Result[]): string {
	const services = [...new Set(results.flatMap(({ figures }) => Object.keys(figures.used)))];
	const lines = [
		['', ...results.map(({ temporal, size }) => `${temporal}, ${size}`)],
		['---', ...results.map(() => '---')],
		...rows.map(([title, of]) => [title, ...results.map(({ figures }) => of(figures))]),
		...services.map(name => [
			`${name}: processor ms each; peak MiB`,
			...results.map(({ figures: { used, started } }) => {
				const of = used[name];
				return of ? `${Math.round((of.cpuSeconds * 1_000) / started)}; ${of.peakMiB}` : '';
			}),
		]),
		['load before, after', ...results.map(({ load }) => load.map(one => one.toFixed(1)).join(', '))],
	];
	return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

function told({ median, p95, most }: Spread): string {
	return [median, p95, most].map(Math.round).join(', ');
}
