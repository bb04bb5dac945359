/** Of a machine, one of whose disks after the other is imported: how far it is. */
export function machineProgress(
	disks: readonly { sizeBytes: number }[],
	{ disk, doneBytes }: { disk: number; doneBytes: number },
): { doneBytes: number; totalBytes: number } {
	return { doneBytes: bytesOf(disks.slice(0, disk)) + doneBytes, totalBytes: bytesOf(disks) };
}

function bytesOf(disks: readonly { sizeBytes: number }[]): number {
	return disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
