/** Where the files and sockets of one recovery lie; docs/architecture.md, "Processes". */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Installation, places } from '../../system/installation.ts';

export interface RecoveryPlaces {
	directory: string;
	state: string;
	machine: string;
	/** Opens its restore point where the repository is on another machine. */
	token: string;
	incidents: string;
	mountMover: MoverFiles;
	migrationMover: MoverFiles;
	/** Sockets; made again at every boot. */
	runDirectory: string;
	mountSocket: string;
	nbdSocket: string;
	migrationSocket: string;
	offerSocket: string;
	map(disk: string): string;
}

export interface MoverFiles {
	config: string;
	lock: string;
	log: string;
}

export function recoveryPlaces(
	installation: Pick<Installation, 'home' | 'runDirectory'>,
	name: string,
	recoveryId: string,
): RecoveryPlaces {
	const directory = join(places.recoveries(installation.home), name);
	const runDirectory = join(installation.runDirectory, runName(recoveryId));
	return {
		directory,
		state: join(directory, 'state.json'),
		machine: join(directory, 'machine.json'),
		token: join(directory, 'repository-token'),
		incidents: join(directory, 'incidents.jsonl'),
		mountMover: moverFiles(directory, 'mount-mover'),
		migrationMover: moverFiles(directory, 'migration-mover'),
		runDirectory,
		mountSocket: join(runDirectory, 'mount.sock'),
		nbdSocket: join(runDirectory, 'nbd.sock'),
		migrationSocket: join(runDirectory, 'migration.sock'),
		offerSocket: join(runDirectory, 'offer.sock'),
		map: disk => join(directory, `${disk}.map`),
	};
}

/** Eight digits of a random id: a socket's path ends at 107 bytes. A second recovery with the same is refused. */
export function runName(recoveryId: string): string {
	return recoveryId.slice(0, 8);
}

export interface RepositoryPlaces {
	files: MoverFiles;
	runDirectory: string;
	chunkSocket: string;
	controlSocket: string;
}

export function repositoryPlaces(
	installation: Pick<Installation, 'home' | 'runDirectory'>,
	repository: string,
): RepositoryPlaces {
	const short = createHash('sha256').update(repository).digest('hex').slice(0, 8);
	const runDirectory = join(installation.runDirectory, `repo-${short}`);
	return {
		files: moverFiles(places.repositoryMovers(installation.home), short),
		runDirectory,
		chunkSocket: join(runDirectory, 'chunks.sock'),
		controlSocket: join(runDirectory, 'control.sock'),
	};
}

function moverFiles(directory: string, base: string): MoverFiles {
	return {
		config: join(directory, `${base}.json`),
		lock: join(directory, `${base}.lock`),
		log: join(directory, `${base}.log`),
	};
}
