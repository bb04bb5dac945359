import type { IscsiTarget } from './iscsi/definition.ts';
import type { MachineParts } from './parts.ts';
import type { MachineRecord } from './record.ts';
import { volumeExportName } from './volume.ts';

/** The iSCSI target of this machine's volume. */
export function targetOf({ settings, definition, paths }: MachineParts, iscsi: MachineRecord['iscsi']): IscsiTarget {
	return {
		directory: paths.iscsi,
		...iscsi,
		address: settings.address,
		serial: definition.recoveryId.replaceAll('-', ''),
		nbdSocket: definition.nbdSocket,
		exportName: volumeExportName,
	};
}
