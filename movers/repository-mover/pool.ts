import { untilAborted } from '../../repository/until-aborted.ts';
import { MoverConnection } from './connection.ts';
import type { MoverConnections } from './connections.ts';

const mostIdle = 16;

/** Connections to one mover. The one that was used last is used next, so that those of a burst end after it. */
export class ConnectionPool {
	readonly #way: MoverConnections;
	readonly #idle: MoverConnection[] = [];
	readonly #busy = new Set<MoverConnection>();
	readonly #events = {
		silence: () => this.#forgetIdle(),
		ended: (connection: MoverConnection) => this.#forget(connection),
	};
	#isClosed = false;

	constructor(way: MoverConnections) {
		this.#way = way;
	}

	/** One on which nothing is under way. */
	async take(signal: AbortSignal | undefined): Promise<MoverConnection> {
		for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop())
			if (kept.isGood) return this.#use(kept);
		const opening = MoverConnection.open(this.#way, this.#events);
		try {
			return this.#use(await untilAborted(opening, signal));
		} catch (error) {
			void opening.then(
				opened => this.give(opened),
				() => undefined, // is what is thrown
			);
			throw error;
		}
	}

	/** `leftIn`: why it was left in the middle of an answer. */
	give(connection: MoverConnection, leftIn?: Error): void {
		this.#busy.delete(connection);
		if (leftIn !== undefined || !connection.isGood || this.#isClosed || this.#idle.length === mostIdle)
			return connection.destroy(leftIn ?? new Error('it is not needed'));
		connection.rest();
		this.#idle.push(connection);
	}

	/** Ends all of them. */
	close(): void {
		this.#isClosed = true;
		this.#forgetIdle();
		for (const busy of this.#busy) busy.destroy(new Error('it was closed here'));
	}

	#use(connection: MoverConnection): MoverConnection {
		this.#busy.add(connection);
		return connection;
	}

	/** Else its slabs stayed for as long as one that was used later is enough. */
	#forget(connection: MoverConnection): void {
		const at = this.#idle.indexOf(connection);
		if (at >= 0) this.#idle.splice(at, 1);
	}

	#forgetIdle(): void {
		for (const idle of this.#idle.splice(0)) idle.destroy(new Error('it is not needed'));
	}
}
