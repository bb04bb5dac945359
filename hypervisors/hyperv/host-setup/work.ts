import type { DriverSessions } from '../driver/sessions.ts';
import type { OperatorDestination } from '../../../system/ssh-destination.ts';
import type { HostKey } from './host-keys.ts';
import { setupNames, type SetupNames } from './names.ts';
import { type HostRecord, type WantedHost, writeHostRecord } from './record.ts';

/** What the appliance is told of its host and networks; what else is in its seed, who writes it knows. */
export interface SeedFacts {
	name: string;
	hostId: string;
	renewal: string;
	networks: { mac: string; address: string; gateway?: string; nameServers: string[] }[];
	windows: {
		host: string;
		port: number;
		user: string;
		key: string;
		hostKeys: string[];
		datastore: string;
		appliance: string;
		address: string;
	};
}

/** What a set-up needs of whoever begins it. */
export interface SetupParts {
	/** `hosts/NAME` of the home. */
	directory: string;
	/** Of the person's private key; undefined: what ssh finds by itself. */
	identityPath: string | undefined;
	/** As somebody has read it at the host. */
	expectedHostKey: string | undefined;
	/** Whether this is the host: a question to a person. */
	confirmHostKey: (key: HostKey) => Promise<boolean>;
	/** Throws while something here is not as it must be. `known`: of an earlier try. Changes nothing. */
	precheck: (wanted: WantedHost, known: HostRecord | undefined) => Promise<void>;
	/** Path of the appliance's disk here, which is made if need be. */
	image: () => Promise<string>;
	/** Lets the host in to what is served, under its id; again changes nothing. Throws `config_invalid` when nothing is. */
	admit: (hostId: string) => Promise<void>;
	/** Of the same it says the same. It has private keys. */
	seedText: (facts: SeedFacts) => Promise<string>;
	/** A VHDX in a new file. */
	writeSeed: (path: string, text: string) => Promise<void>;
	/** Comes back when the host's worker is there. */
	ready: (hostId: string, signal: AbortSignal) => Promise<void>;
	/** From then on recoveries can be started for it by its name. */
	register: (hostId: string) => Promise<void>;
	/** Takes back what `admit` and `register` gave this host, and nothing of another one. */
	withdraw: (record: HostRecord) => Promise<void>;
	tell: (event: SetupEvent) => void;
	signal: AbortSignal;
}

export type SetupEvent =
	| { type: 'warning'; message: string }
	| { type: 'step'; step: string; at: 'begin' | 'end'; text: string }
	| { type: 'progress'; doneBytes: number; totalBytes: number };

/** A set-up or its removal under way: what is known, and the host. */
export class Work {
	readonly parts: SetupParts;
	readonly driver: DriverSessions;
	readonly destination: OperatorDestination;
	readonly names: SetupNames;
	#record: HostRecord;

	constructor(
		parts: SetupParts,
		{ driver, destination, record }: { driver: DriverSessions; destination: OperatorDestination; record: HostRecord },
	) {
		this.parts = parts;
		this.driver = driver;
		this.destination = destination;
		this.names = setupNames(record.wanted);
		this.#record = record;
	}

	get record(): HostRecord {
		return this.#record;
	}

	/** Durable when it returns. */
	async note(changes: Partial<HostRecord>): Promise<void> {
		this.#record = { ...this.#record, ...changes };
		await writeHostRecord(this.parts.directory, this.#record);
	}
}

export interface Step {
	name: string;
	text: (record: HostRecord) => string;
	/** Finds its work done when it is done again. */
	run: (work: Work) => Promise<void>;
}

export async function runSteps(steps: readonly Step[], work: Work): Promise<void> {
	for (const { name, text, run } of steps) {
		work.parts.signal.throwIfAborted();
		const said = text(work.record);
		work.parts.tell({ type: 'step', step: name, at: 'begin', text: said });
		await run(work);
		work.parts.tell({ type: 'step', step: name, at: 'end', text: said });
	}
}
