import type { ByteSource } from '../../../vhdx/byte-source.ts';

export interface Login {
	portal: { address: string; port: number };
	iqn: string;
	chapUser: string;
	chapSecret: string;
}

/** A disk behind an iSCSI session, as Windows sees it. */
export interface RemoteDisk {
	readonly diskGuid: string;
	/**
	 * A file in the root of the NTFS on one of its partitions; undefined when there is none. Its reads wait while the session
	 * is lost, and fail once the initiator has given up; they do not wait for each other.
	 */
	file(partitionGuid: string, name: string): Promise<(ByteSource & { close(): Promise<void> }) | undefined>;
	/**
	 * Writes of its metadata what Windows has and the disk may not: when a volume is mounted, and when it goes. False when that
	 * is not answered.
	 */
	writeBack(partitionGuid: string): Promise<boolean>;
	/** Whether the session is there, or comes back within this time. */
	isConnected(withinMs: number): Promise<boolean>;
	/** Called when a session that the initiator had given up is back. */
	onBack(call: () => void): void;
	close(): Promise<void>;
}

/** The iSCSI initiator of the host. */
export interface Initiator {
	/** Windows boots: no session of an earlier boot is left. */
	boot(): Promise<void>;
	/** Throws a WindowsError when the portal does not answer, or refuses the secret. */
	connect(login: Login): Promise<RemoteDisk>;
}
