import { askBroker } from './broker/ask-broker.ts';
import { closedHolders } from './broker/closed-holders.ts';
import { deliverGrants } from './broker/deliver-grants.ts';
import { heldLeases } from './broker/held-leases.ts';
import type { SiteWorkflows } from './broker/site-workflows.ts';

/** What a control worker does for the broker and for those who ask it. */
export function createBrokerActivities(site: SiteWorkflows) {
	return {
		askBroker: askBroker(site),
		heldLeases: heldLeases(site),
		closedHolders: closedHolders(site),
		deliverGrants: deliverGrants(site),
	};
}
