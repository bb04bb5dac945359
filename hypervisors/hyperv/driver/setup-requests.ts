/** What the driver is asked when a host is set up for Rouse, and when that is undone: see requests.ts, and host-setup/. */
import * as z from 'zod';
import { bytes, guid, nicSchema, operation, windowsPath } from './request-parts.ts';

const setupId = z.uuid();
const name = z.string().regex(/^[\w.-]{1,80}$/, 'must be letters, digits, `.`, `-` and `_`');
const digest = z.string().regex(/^[\da-f]{64}$/, 'must be a SHA-256 in hexadecimal');
/** As `Get-Service` spells them; other ones are of drivers. */
const startType = z.enum(['Automatic', 'Manual', 'Disabled']);

export const setupOperations = {
	/** What the host has, and what of it is of this set-up. */
	survey: operation(
		{ setupId, datastore: windowsPath, directory: windowsPath },
		z.object({
			/** As `Microsoft Windows Server 2022 Standard`. */
			edition: z.string(),
			/** Of the datastore's drive; the empty text where it has none that Windows knows. */
			fileSystem: z.string(),
			datastoreThere: z.boolean(),
			/** Those in the directory; none where it is not there. */
			files: z.array(z.object({ path: z.string() })),
			/** Those that are installed of `MSiSCSI` and `sshd`. */
			services: z.array(z.object({ name: z.string(), startType: z.string(), running: z.boolean() })),
			/** IPv4, of the host itself. */
			addresses: z.array(z.object({ address: z.ipv4(), prefixLength: z.int().min(0).max(32) })),
			switches: z.array(z.object({ name: z.string(), type: z.string(), ours: z.boolean() })),
			machines: z.array(
				z.object({
					vmId: guid,
					name: z.string(),
					state: z.string(),
					/** The appliance of this set-up. */
					ours: z.boolean(),
					/** Of the recovery that made it, whichever appliance ran it. */
					recoveryId: z.string().nullable(),
					/** It is its owner's, and each disk is one file: it needs nothing of Rouse. */
					finished: z.boolean(),
				}),
			),
		}),
	),
	/** An internal switch, the host's address on it, and a rule of the firewall that lets the appliance in by SSH. */
	'make-network': operation(
		{
			setupId,
			name,
			hostAddress: z.ipv4(),
			applianceAddress: z.ipv4(),
			prefixLength: z.int().min(8).max(30),
			sshPort: z.int().min(1).max(65_535),
		},
		z.object({ made: z.boolean() }),
	),
	/** MAY find nothing. */
	'remove-network': operation({ setupId }, z.object({ removed: z.boolean() })),
	/** How MSiSCSI starts, and whether it runs; it is not stopped while anybody has a session. */
	'set-initiator': operation({ setupId, startType, running: z.boolean() }, z.object({ running: z.boolean() })),
	/** A line of administrators_authorized_keys, whose comment is `rouse-setup-` and the id; in place of an earlier one. */
	'put-key': operation(
		{ setupId, line: z.string().regex(/^[ -~]{1,1000}$/, 'must be one line of ASCII') },
		z.object({ made: z.boolean() }),
	),
	/** MAY find nothing. */
	'remove-key': operation({ setupId }, z.object({ removed: z.boolean() })),
	/** Makes the directory of a file that is sent under the name `part`, and says how much of it has come. */
	'expect-file': operation(
		{ setupId, path: windowsPath, part: windowsPath },
		z.object({ whole: z.boolean(), partBytes: bytes.nullable() }),
	),
	/**
	 * Gives what was sent its own name, if its digest is this; else it is removed, and `taken` is false. What is there under
	 * its own name was taken before, and is not looked at: a machine may have it open.
	 */
	'take-file': operation(
		{ setupId, path: windowsPath, part: windowsPath, sha256: digest },
		z.object({ taken: z.boolean(), found: z.string().nullable() }),
	),
	/** Off, with its disk and four SCSI controllers. It starts with the host. */
	'create-appliance': operation(
		{
			setupId,
			name: z.string().min(1).max(100),
			directory: windowsPath,
			disk: windowsPath,
			memoryMiB: z.int().min(512).multipleOf(2),
			processors: z.int().min(1),
			nics: z.array(nicSchema).min(1).max(8),
		},
		z.object({ vmId: guid, made: z.boolean() }),
	),
	/** With the seed disk attached, where one is said. MAY find it running, and then attaches nothing. */
	'start-appliance': operation({ setupId, seed: windowsPath.nullable() }, z.object({ started: z.boolean() })),
	/** Turned off, as by a loss of power. `state_wrong` while it has other disks than these. MAY find it so. */
	'stop-appliance': operation({ setupId, files: z.array(windowsPath).max(8) }, z.object({ stopped: z.boolean() })),
	/** Detached, then gone, with what of it was sent and not taken. MAY find nothing. */
	'remove-seed': operation(
		{ setupId, path: windowsPath, part: windowsPath, directory: windowsPath },
		z.object({ removed: z.boolean() }),
	),
	/**
	 * Turned off, then gone, with these files, and with its directory when that is empty then; so the datastore, when it is
	 * said. `state_wrong` while it has other disks than these. MAY find nothing.
	 */
	'remove-appliance': operation(
		{
			setupId,
			files: z.array(windowsPath).max(8),
			directory: windowsPath,
			datastore: windowsPath.nullable(),
		},
		z.object({ removed: z.boolean() }),
	),
} as const;
