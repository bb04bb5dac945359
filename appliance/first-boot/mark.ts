import { readFile } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';

/** In the image (`appliance/root`), and on no other machine. */
export const appliancePath = '/etc/rouse-appliance';

/** Throws `phase_wrong` on a machine that is no appliance: what is set here, name and addresses, would be its own. */
export async function mustBeAppliance(path = appliancePath): Promise<void> {
	try {
		await readFile(path);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
		throw new RouseError('phase_wrong', `this machine is no appliance: there is no ${path}, which its image has`, {
			hint: 'leave this to the appliance, where it is run at each boot',
		});
	}
}
