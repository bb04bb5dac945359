/** What a disk can be written as. */
export const exportFormats = ['raw', 'vhdx', 'qcow2'] as const;
export type ExportFormat = (typeof exportFormats)[number];

const endings: ReadonlyMap<string, ExportFormat> = new Map([
	['raw', 'raw'],
	['img', 'raw'],
	['vhdx', 'vhdx'],
	['qcow2', 'qcow2'],
]);

/** By the ending of its name where that says it, else raw. */
export function formatOfFile(path: string): ExportFormat {
	return endings.get(/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '') ?? 'raw';
}
