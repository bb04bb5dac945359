import { type Autostart, loadConfig } from '../../system/installation.ts';
import type { HostParts } from './host-parts.ts';

/**
 * What becomes of a machine that was on when its host was started anew. Somebody may have recovered it elsewhere meanwhile,
 * so that it is not simply started unless the host's owner says so: `host.autostart` of config.yaml, as it is now.
 */
export async function autostartOf({ installation }: Pick<HostParts, 'installation'>): Promise<Autostart> {
	return (await loadConfig(installation)).host.autostart;
}
