import { test } from 'node:test';
import { isRoot } from '../../hypervisors/qemu/confinement.ts';
import { WiredHost } from '../equipment/wired-host.ts';
import { answersThroughout } from '../equipment/wired-recovery.ts';

/** Needs root, as bridges do; without it there is nothing to be reached by. */
if (isRoot())
	test('a real guest on a bridge answers another host before, during and after migration and switch', async t =>
		answersThroughout(t, await WiredHost.up(t)));
