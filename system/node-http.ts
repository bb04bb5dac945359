/**
 * Node's HTTP, without what an `import` of it costs: that looks at all of the module's names, of which WebSocket loads undici, 30 ms of a
 * processor and 14 MB in each process (Node 24, lib/http.js).
 */
export const { Agent, createServer, request } = process.getBuiltinModule('node:http');
