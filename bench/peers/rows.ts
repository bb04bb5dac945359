import type { Row } from './row.ts';
import { exportRow } from './rows/export.ts';
import { guestP99 } from './rows/guest-p99.ts';
import { guestPass } from './rows/guest-pass.ts';
import { importFirst, importMemory, importSecond } from './rows/imports.ts';
import { importIndex } from './rows/import-index.ts';
import { migration } from './rows/migration.ts';
import { moverMemory } from './rows/mover-memory.ts';
import { nbdRestored } from './rows/nbd-restored.ts';
import { repositorySize } from './rows/repository-size.ts';
import { serve } from './rows/serve.ts';

/** In the order of the table. */
export const rows: readonly Row[] = [
	migration,
	exportRow,
	importFirst,
	importSecond,
	importMemory,
	...nbdRestored,
	...serve,
	guestPass,
	...guestP99,
	repositorySize,
	...importIndex,
	...moverMemory,
];
