import { drillFileSchema } from '../../model/drill-file.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import type { Config } from '../../system/installation.ts';
import { readYaml } from '../../system/parse-yaml.ts';
import { askNamedHosts } from '../batch/ask-hosts.ts';
import { Catalogue } from '../batch/catalogue.ts';
import { type DrillExpansion, expandDrill } from './expand.ts';

export interface DrillSurroundings {
	config: Config;
	home: string;
	/** What a host of this installation is like. */
	ask: (host: string, hostId: string | undefined) => Promise<HostView>;
	/** Absolute directory of a repository by its name; without a name, of the one that is meant then. */
	directoryOf: (repository: string | undefined) => Promise<string>;
	onWarning: (warning: string) => void;
}

/** The plan of a drill's file, as things stand now; errors say `PATH:LINE:COLUMN`. Changes nothing. */
export async function planDrill(
	text: string,
	{
		path,
		name,
		reason,
		requestedBy,
	}: { path: string; name?: string | undefined; reason?: string | undefined; requestedBy?: string },
	{ config, home, ask, directoryOf, onWarning }: DrillSurroundings,
): Promise<DrillExpansion> {
	const { value, placeOf } = readYaml(text, path, drillFileSchema, 'spec_invalid');
	const file = { ...value, ...(name === undefined ? {} : { name }), ...(reason === undefined ? {} : { reason }) };
	const asked = await askNamedHosts({ ...file, onFailure: 'continue' }, { config, home, ask, onWarning });
	const catalogue = new Catalogue();
	try {
		return await expandDrill(file, { ...asked, catalogue, directoryOf, placeOf, requestedBy, nowMs: Date.now() });
	} finally {
		await catalogue.close();
	}
}
