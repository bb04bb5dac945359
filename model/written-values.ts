/** Durations, sizes and times as people write them into files. Pure. */
import * as z from 'zod';
import { machineConfigSchema } from './machine.ts';

const unitMs: Readonly<Record<string, number>> = {
	s: 1_000,
	m: 60_000,
	min: 60_000,
	h: 3_600_000,
	d: 86_400_000,
};

/** `90s`, `5m`, `4h`, `2d`, as milliseconds. */
export const writtenDurationSchema = z
	.string('a duration, as 90s, 5m, 4h or 2d')
	.regex(/^[1-9]\d{0,5} ?(s|m|min|h|d)$/, 'a duration, as 90s, 5m, 4h or 2d')
	.transform(text => Number.parseInt(text, 10) * (unitMs[text.replace(/[\d ]/g, '')] ?? 0));

const unitBytes: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

function bytesOf(text: string): number {
	const [, digits, unit = ''] = /^(\d+)([kmgt]?)/i.exec(text) ?? [];
	return Number(digits) * (unitBytes[unit.toLowerCase()] ?? Number.NaN);
}

/** Said of the text as well: of a union the error is that of the form which the type has. */
const sizeForms = 'a size, as 1048576, 512K or 20MiB';

/** `20MiB`, `512K` or a number: bytes. */
export const writtenBytesSchema = z
	.union([z.int().min(0), z.string().regex(/^\d{1,12}([kmgtKMGT]([iI]?[bB])?)?$/, sizeForms)], sizeForms)
	.transform(written => (typeof written === 'number' ? written : bytesOf(written)));

const rateForms = 'bytes a second, as 200 MiB/s, 512K or 1048576';

/** `200 MiB/s`, `20MiB` or a number: bytes a second. */
export const writtenRateSchema = z
	.union([z.int().min(1), z.string().regex(/^[1-9]\d{0,11} ?([kmgtKMGT]([iI]?[bB])?)?(\/s)?$/, rateForms)], rateForms)
	.transform(written => (typeof written === 'number' ? written : bytesOf(written.replace(' ', ''))))
	.refine(Number.isSafeInteger, 'more bytes a second than can be counted');

const memoryForms = "a machine's memory, as 2048 (MiB) or 2GiB";
const memory = machineConfigSchema.shape.memoryMiB;

/** `2048` or `2GiB`: MiB, which a number alone counts as well. */
export const writtenMemorySchema = z
	.union([memory, z.string().regex(/^\d{1,9}[mgtMGT]([iI]?[bB])?$/, memoryForms)], memoryForms)
	.transform(written => (typeof written === 'number' ? written : bytesOf(written) / 2 ** 20))
	.refine(mebibytes => memory.safeParse(mebibytes).success, memoryForms);

const timeShape = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2}(\.\d+)?)?(Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/** RFC 3339 with any offset, seconds or not, as UTC with milliseconds; undefined for another text, and for a day that is not. */
export function readTime(written: string): string | undefined {
	const text = written.toUpperCase();
	const [, minute, , , , sign, hours, minutes] = timeShape.exec(text) ?? [];
	const time = new Date(text);
	if (minute === undefined || Number.isNaN(time.getTime())) return undefined;
	// Date makes 2 March of 30 February without a word: what was written must come back.
	const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000 * (sign === '-' ? -1 : 1);
	return new Date(time.getTime() + offsetMs).toISOString().startsWith(minute) ? time.toISOString() : undefined;
}

const timeForms = 'a time, as 2026-11-20T03:00:00Z or 2026-11-20T04:00+01:00';
export const writtenTimeSchema = z
	.string(timeForms)
	.regex(timeShape, timeForms)
	.transform((text, context) => {
		const time = readTime(text);
		if (time !== undefined) return time;
		context.addIssue({ code: 'custom', message: 'there is no such day or hour' });
		return z.NEVER;
	});
