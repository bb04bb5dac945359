import { hostname } from 'node:os';
import { RouseError } from '../../model/errors.ts';
import { hasEnded } from '../../system/has-ended.ts';
import { intentOfKey, keys, pinOfKey } from '../format/keys.ts';
import { type ImportIntent, readIntent } from '../import/intent.ts';
import { readPin } from '../pins.ts';
import { readPoint } from '../points.ts';
import { isStored, readOne } from '../stored-header.ts';
import type { Verification } from './verification.ts';

/** Header and copy. One of them is whole, else nobody would have come here. */
export async function verifyHeader({ repository: { store }, findings, signal }: Verification): Promise<void> {
	// One that counts is of this version, else nobody would have come here; the other one may be of any.
	const header = await readOne(store, keys.header, signal).catch(unlessUnreadable);
	const copy = await readOne(store, keys.headerCopy, signal).catch(unlessUnreadable);
	const restore = `put the bytes of ${keys.headerCopy} in its place; until then the copy counts`;
	if (header === undefined) findings.damage(keys.header, 'format_damaged', 'the header is not there', restore);
	else if (header instanceof RouseError) findings.error(keys.header, header, restore);
	if (copy === undefined)
		findings.notice(keys.headerCopy, 'copy_missing', 'the header has no copy', 'the next import writes one');
	else if (copy instanceof RouseError)
		findings.error(keys.headerCopy, copy, 'remove it: the next import writes another');
	else if (header !== undefined && !(header instanceof RouseError) && JSON.stringify(header) !== JSON.stringify(copy))
		findings.damage(
			keys.headerCopy,
			'format_damaged',
			`the copy of the header is that of repository ${copy.id}, or says other sizes`,
			'the header counts; remove the copy: the next import writes another',
		);
}

/** Those that forbid to read have kept everybody out already. */
export async function verifyFeatures({ repository: { store }, findings, signal }: Verification): Promise<void> {
	for await (const { key } of store.list(keys.features, signal))
		findings.notice(
			key,
			'feature_unknown',
			'this program does not know the feature, and does not do what it forbids',
			'use a newer version of Rouse',
		);
}

export async function verifyPins({ repository, findings, signal }: Verification): Promise<void> {
	for await (const { key } of repository.store.list(keys.pins, signal)) {
		if (pinOfKey(key) === undefined) continue;
		try {
			const pin = await readPin(repository.store, key, signal);
			if (pin === undefined) continue;
			const point = await readPoint(repository, pin.machine, pin.restorePoint, signal).catch(unlessUnreadable);
			if (point instanceof RouseError ? point.code !== 'point_unknown' : point.manifestDigest === pin.manifestDigest)
				continue; // damage of it is told elsewhere
			findings.notice(
				key,
				'pin_without_point',
				`${pin.machine}@${pin.restorePoint} is gone, or another point than the one that recovery ${pin.recoveryId} has pinned`,
				'look at that recovery: rouse recover list',
			);
		} catch (error) {
			findings.error(key, unlessUnreadable(error), 'remove it when the recovery with this id has ended');
		}
	}
}

export async function verifyIntents(work: Verification): Promise<void> {
	const { repository, findings, signal } = work;
	const { store } = repository;
	for await (const { key } of store.list(keys.intents, signal)) {
		const importId = intentOfKey(key);
		if (importId === undefined) continue;
		try {
			const intent = await readIntent(store, importId, signal);
			if (intent === undefined) continue;
			const { machine, time, moment, startedAt, pid } = intent;
			const what = `the import of ${machine}@${time}, begun ${startedAt} by process ${pid} on ${intent.hostname},`;
			if (await isStored(store, keys.point(machine, time), signal))
				findings.notice(key, 'import_ended', `${what} has ended: the time of its point is taken`, 'it may be removed');
			else if (moment === null && (await hasDied(intent)))
				findings.notice(
					key,
					'import_ended',
					`${what} is dead`,
					'it may be removed; the next import of the machine finds what it has stored',
				);
			else if (await hasDied(intent))
				// The intent names the first attempt; of the one that goes on with it nothing here tells.
				findings.notice(
					key,
					'import_open',
					`${what} was interrupted: that process has ended`,
					'unless it is being gone on with, import the machine again: it goes on, as long as the source is the same',
				);
			else
				findings.notice(
					key,
					'import_open',
					`${what} has not ended`,
					`when it is dead, which nobody can tell from here, it may be removed after ${keys.journalOf(importId)}`,
				);
		} catch (error) {
			findings.error(key, unlessUnreadable(error), 'remove it when no import is under way');
		}
	}
}

/** Of one elsewhere nothing can be said. */
async function hasDied({ hostname: host, pid, startedAt }: ImportIntent): Promise<boolean> {
	return host === hostname() && (await hasEnded(pid, new Date(startedAt)));
}

const unreadable: readonly string[] = ['format_damaged', 'io_failed', 'repository_unsupported', 'point_unknown'];

export function unlessUnreadable(error: unknown): RouseError {
	if (error instanceof RouseError && unreadable.includes(error.code)) return error;
	throw error;
}
