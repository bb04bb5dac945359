import { createHash } from 'node:crypto';

/**
 * Whose a moment is: two repositories that back up one machine, and two machines that are one after the other at one address, never
 * take each other's checkpoints.
 */
export function ownerOf(repositoryId: string, machine: string, identity: string): string {
	return `${repositoryId}/${machine}/${createHash('sha256').update(identity).digest('hex').slice(0, 8)}`;
}
