/** What lvs(8), vgs(8) and pvs(8) report as JSON, in which everything is text. */
import * as z from 'zod';

const nameSchema = z.string().regex(/^[a-zA-Z0-9_+.][a-zA-Z0-9_+.-]{0,126}$/);
const countSchema = z
	.string()
	.regex(/^\d{1,19}$/)
	.transform(Number);
const tagsSchema = z.string().transform(text => (text === '' ? [] : text.split(',')));
const percentSchema = z.string().transform(text => (text === '' ? null : Number(text)));

const groupSchema = z.object({
	vg_name: nameSchema,
	vg_uuid: z.string(),
	vg_free: countSchema,
	vg_extent_size: countSchema,
	vg_seqno: countSchema,
});

const volumeSchema = z.object({
	vg_name: nameSchema,
	lv_name: nameSchema,
	lv_uuid: z.string().max(64),
	lv_path: z.string(),
	lv_dm_path: z.string(),
	lv_size: countSchema,
	/** lvs(8): the first is the kind, the fifth the state, the sixth whether it is open. */
	lv_attr: z.string(),
	lv_tags: tagsSchema,
	origin: z.string(),
	/** How full a snapshot is, null for what is none. */
	snap_percent: percentSchema,
	lv_kernel_major: z.string(),
	lv_kernel_minor: z.string(),
});
export type ReportedVolume = z.infer<typeof volumeSchema>;
export type ReportedGroup = z.infer<typeof groupSchema>;

const physicalSchema = z.object({ pv_name: z.string(), pv_uuid: z.string(), vg_name: z.string() });
export type ReportedPhysical = z.infer<typeof physicalSchema>;

export const parseGroups = (text: string) => rows(text, 'vg', groupSchema);
export const parseVolumes = (text: string) => rows(text, 'lv', volumeSchema);
export const parsePhysical = (text: string) => rows(text, 'pv', physicalSchema);

/** None where LVM is not installed. Throws what zod throws, and SyntaxError. */
function rows<S extends z.ZodType>(text: string, kind: string, schema: S): z.output<S>[] {
	if (text.trim() === '') return [];
	const reports = z.object({ report: z.array(z.record(z.string(), z.unknown())).max(16) }).parse(JSON.parse(text));
	return reports.report.flatMap(report =>
		z
			.array(schema)
			.max(4096)
			.parse(report[kind] ?? []),
	);
}
