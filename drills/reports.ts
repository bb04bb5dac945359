/** Reports of drills on the disk: `drills/NAME/TIME/` in the home of Rouse. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
	type DrillReport,
	drillReportSchema,
	type MachineFindings,
	machineFindingsSchema,
	type MachineOutcome,
	nothingFound,
} from '../model/drill-report.ts';
import { RouseError } from '../model/errors.ts';
import { isErrno, replaceFileDurably, syncDirectory } from '../system/durable-file.ts';
import { namesIn } from '../system/names-in.ts';
import { changeOf, type EarlierReport, earlierReportSchema } from './change.ts';
import { reportHtml } from './report-html.ts';

/** What a drill's workflow knows, and what is to be made of it. */
export interface ReportWanted extends Omit<DrillReport, 'version' | 'passed' | 'machines'> {
	directory: string;
	/** How many reports of this drill are kept, this one included. */
	keep: number;
	machines: MachineOutcome[];
}

/** The directories of reports, by their names the oldest first. */
const reportName = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z$/;

export class DrillReports {
	readonly #directory: string;

	/** `directory`: of all drills. */
	constructor(directory: string) {
		this.#directory = directory;
	}

	/** What was seen of a machine, until the report is written; stays beside it. */
	async keep(drill: string, report: string, name: string, findings: MachineFindings): Promise<void> {
		const directory = join(this.#of(drill, report), 'machines');
		await mkdir(directory, { recursive: true, mode: 0o700 });
		await replaceFileDurably(join(directory, `${name}.json`), `${JSON.stringify(findings)}\n`);
	}

	/** MAY be done again, with what is known by then. */
	async write({ directory, keep, machines, ...told }: ReportWanted): Promise<DrillReport> {
		const before = await this.#before(told.name, directory);
		const report: DrillReport = {
			version: 1,
			...told,
			passed: machines.every(({ passed }) => passed),
			machines: await Promise.all(
				machines.map(async outcome => {
					const findings = (await this.#findings(told.name, directory, outcome.name)) ?? {
						...nothingFound,
						screenshotReason: outcome.passed ? 'what was seen of it is not here' : null,
					};
					return { ...outcome, ...findings, change: changeOf({ ...outcome, ...findings }, before) };
				}),
			),
		};
		const place = this.#of(told.name, directory);
		await mkdir(place, { recursive: true, mode: 0o700 });
		// The page first: whoever finds the report finds both.
		await replaceFileDurably(join(place, 'report.html'), reportHtml(report));
		await replaceFileDurably(join(place, 'report.json'), `${JSON.stringify(report, null, '\t')}\n`);
		await syncDirectory(join(this.#directory, told.name));
		await this.#prune(told.name, keep);
		return report;
	}

	/** The newest, or that of this directory; `drill_unknown` when there is none. */
	async read(drill: string, directory?: string): Promise<{ report: DrillReport; directory: string; page: string }> {
		const wanted = directory ?? (await this.#written(drill)).at(-1);
		const report = wanted === undefined ? undefined : await this.#report(drill, wanted);
		if (wanted === undefined || report === undefined)
			throw new RouseError('drill_unknown', `there is no report of a drill ${drill} here`, { details: { drill } });
		return { report, directory: this.#of(drill, wanted), page: join(this.#of(drill, wanted), 'report.html') };
	}

	#of(drill: string, report: string): string {
		return join(this.#directory, drill, report);
	}

	/** Reports that are older than this one, the newest first. */
	async #before(drill: string, directory: string): Promise<EarlierReport[]> {
		const older = (await this.#written(drill)).filter(name => name < directory).toReversed();
		const reports: EarlierReport[] = [];
		for (const name of older.slice(0, lookedBack)) {
			const path = join(this.#of(drill, name), 'report.json');
			const report = await readJson(path, earlierReportSchema).catch(() => undefined); // another version's: no comparison with it
			if (report) reports.push(report);
		}
		return reports;
	}

	async #written(drill: string): Promise<string[]> {
		const names = (await namesIn(join(this.#directory, drill))).filter(name => reportName.test(name)).toSorted();
		const written: string[] = [];
		for (const name of names) if ((await namesIn(this.#of(drill, name))).includes('report.json')) written.push(name);
		return written;
	}

	async #report(drill: string, directory: string): Promise<DrillReport | undefined> {
		return readJson(join(this.#of(drill, directory), 'report.json'), drillReportSchema);
	}

	async #findings(drill: string, directory: string, name: string): Promise<MachineFindings | undefined> {
		return readJson(join(this.#of(drill, directory), 'machines', `${name}.json`), machineFindingsSchema);
	}

	/** Oldest first; what a drill that was ended by force has left goes with them. */
	async #prune(drill: string, keep: number): Promise<void> {
		const names = (await namesIn(join(this.#directory, drill))).filter(name => reportName.test(name)).toSorted();
		for (const name of names.slice(0, -keep)) await rm(this.#of(drill, name), { recursive: true, force: true });
	}
}

/** A machine that was not among the last drills' is compared with none. */
const lookedBack = 3;

async function readJson<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S> | undefined> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
	const parsed = schema.safeParse(JSON.parse(text));
	if (parsed.success) return parsed.data;
	throw new RouseError('format_damaged', `${path} is none of this version's`, { cause: parsed.error });
}
