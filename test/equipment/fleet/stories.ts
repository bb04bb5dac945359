import assert from 'node:assert/strict';
import type { Policy } from '../../../model/recovery.ts';
import type { Operator } from './operator.ts';

/** Who takes part in one recovery. */
export interface Cast {
	operator: Operator;
	guest: {
		/** Names its boot; undefined while it is off. */
		boot(): string | undefined;
		/** Resolves when more of what it wrote was acknowledged. */
		writes(): Promise<unknown>;
	};
	/** Resolves when everybody has died who was to die. */
	deaths: Promise<void>;
}

export interface Story extends Policy {
	name: string;
	ends: 'finished' | 'discarded';
	live(cast: Cast): Promise<void>;
}

/** A disk of ours takes some three seconds, so that it is seen to be copied. */
const usual: Policy = { finish: 'manual', switch: 'auto', maxRateBytes: 1024 * 1024 };

type Plot = Omit<Story, 'name'>;

const migrated: Plot = {
	...usual,
	ends: 'finished',
	live: async ({ operator, guest }) => {
		await operator.reach('running');
		await guest.writes();
		await operator.migrate();
		await operator.reach('finished');
	},
};

const unattended: Plot = {
	...usual,
	finish: 'migrate',
	ends: 'finished',
	live: ({ operator }) => operator.reach('finished'),
};

const offAndOn: Plot = {
	...usual,
	ends: 'finished',
	live: async ({ operator, guest }) => {
		await operator.reach('running');
		await guest.writes();
		await operator.power('off');
		assert.equal(guest.boot(), undefined, `${operator.name}: the guest of a machine that is off runs`);
		await operator.power('on');
		await guest.writes();
		await operator.migrate();
		await operator.reach('finished');
	},
};

/** Lives to see every death, so that its audit tells of all of them. */
const cancelled: Plot = {
	...usual,
	ends: 'finished',
	live: async ({ operator, guest, deaths }) => {
		await operator.reach('running');
		await operator.cancel();
		await guest.writes();
		await operator.retry();
		await deaths;
		await guest.writes();
		await operator.migrate();
		await operator.reach('finished');
	},
};

const discardedRunning: Plot = {
	...usual,
	ends: 'discarded',
	live: async ({ operator, guest }) => {
		await operator.reach('running');
		await guest.writes();
		await operator.discard();
		await operator.reach('discarded');
	},
};

/** Its copy would take longer than anybody here waits for anything. */
const discardedMigrating: Plot = {
	...usual,
	maxRateBytes: 4 * 1024,
	ends: 'discarded',
	live: async ({ operator, guest }) => {
		await operator.reach('running');
		await operator.migrate();
		await guest.writes();
		await operator.discard();
		await operator.reach('discarded');
	},
};

/** Whose story ends last. */
export const survivor = 'cancelled-0';

export const stories: readonly Story[] = [
	...times(8, 'migrated', migrated),
	...times(4, 'unattended', unattended),
	...times(2, 'off-and-on', offAndOn),
	...times(1, 'cancelled', cancelled),
	...times(3, 'discarded-running', discardedRunning),
	...times(2, 'discarded-migrating', discardedMigrating),
];

function times(count: number, kind: string, plot: Plot): Story[] {
	return Array.from({ length: count }, (_none, index) => ({ ...plot, name: `${kind}-${index}` }));
}
