/** What the workflow bundle is made of. */
export { askHost } from './ask-host.ts';
export { batch } from './batch.ts';
export { broker } from './broker.ts';
export { drill } from './drill.ts';
export { drilledMachine } from './drilled-machine.ts';
export { importMachine } from './import.ts';
export { owedUndo } from './owed-undo.ts';
export { recovery } from './recovery.ts';
export { scheduledDrill } from './scheduled-drill.ts';
export { scheduledImport } from './scheduled-import.ts';
export { selftestHost } from './selftest-host.ts';
