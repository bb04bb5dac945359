import type { Chain } from '../../model/recovery.ts';
import { expectOverlays } from './overlays.ts';
import type { MachineParts, Manner } from './parts.ts';
import { presentBase, usePresentation } from './presentation.ts';
import { records } from './record.ts';
import { settle } from './settle.ts';
import { serviceSwitchPlaces, switchByReparenting } from './switch-service.ts';
import { deviceTargets } from './target-formats.ts';

/** Hyper-V's manner. */
export const serviceManner: Manner = {
	targets: deviceTargets,
	readsHoldCalls: false,
	staysWhenOff: false,
	switchPlaces: serviceSwitchPlaces,
	presentBase: ({ parts }) => presentBase(parts),
	async prepareStart({ parts }, chain) {
		if (chain === 'target') await settle(parts);
		else await expectOverlays(parts);
		if (chain === 'mover') await usePresentation(parts);
		const below = await putParents(parts, chain);
		return parts.definition.disks.map(() => ({ below, alone: chain === 'target', commit: null }));
	},
	switchToTarget: switchByReparenting,
	settle,
};

/** Overlays that a switch was moving when the machine lost its power stand on the one or the other. */
async function putParents({ definition, paths }: MachineParts, chain: Chain): Promise<'mover' | 'target'> {
	const parent = chain === 'mover' ? 'mover' : 'target';
	await records.change(definition, paths, { parents: definition.disks.map(() => parent) });
	return parent;
}
