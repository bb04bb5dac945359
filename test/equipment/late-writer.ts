/**
 * A migration mover with a fault: when all is restored it takes the first 64 KiB of disk0 into its hand, is stopped,
 * and, when it goes on, writes them where they came from. The real one may be anywhere between the two when it is
 * stopped by the kernel, a debugger or a hung disk.
 */
import { open, writeFile } from 'node:fs/promises';
import { MigrationMoverControl } from '../../movers/client.ts';
import { migrationMoverConfigSchema, readMoverConfig } from '../../movers/config.ts';
import { waitFor } from '../../system/wait.ts';

const configPath = process.argv[2] ?? '';
const config = await readMoverConfig(configPath, migrationMoverConfigSchema);
await import('../../movers/migration-mover/main.ts');
const control = new MigrationMoverControl(config.controlSocket);
await waitFor('all to be restored', async () => (await control.state()).disks.every(disk => disk.complete), {
	timeoutMs: 60_000,
});
const [disk] = config.disks;
if (disk === undefined) throw new Error('no disk');
const target = await open(disk.target.path, 'r+');
const block = Buffer.alloc(64 * 1024);
await target.read(block, 0, block.length, 0);
await writeFile(`${configPath}.holds`, ''); // for the test: it is stopped next
process.kill(process.pid, 'SIGSTOP');
await target.write(block, 0, block.length, 0);
await target.datasync();
await writeFile(`${configPath}.wrote`, '');
