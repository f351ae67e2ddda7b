// MCP hosts: each order `open` is an editor window that starts its own copies of a stdio server, with the official SDK's client.
//
// One JSON object a line. Orders come on standard input, each with an `id`; answers go to standard output with the same `id`, as
// soon as they are there, in any order. All orders run at once. It ends when its standard input ends.
//
//   { id, order: "open", command, args, env, copies }  ->  { id, ok: [first, ..] }         one client for each copy, all at once
//   { id, order: "list", copy }                        ->  { id, ok: [{ name, inputSchema, .. }] }
//   { id, order: "call", copy, tool, arguments }       ->  { id, ok: { content, isError, _meta, .. } }
//   { id, order: "heard", copy }                       ->  { id, ok: { strange: [..], log } }   what came beside the protocol
//   anything that goes wrong                           ->  { id, error }

import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const copies = [];

async function open({ command, args, env }) {
  const transport = new StdioClientTransport({ command, args, env, stderr: 'pipe' });
  const client = new Client({ name: 'mcp-authd-tests', version: '1.0.0' });
  const copy = { client, strange: [], log: '' };
  // The SDK tells here what it cannot read: a line that is no JSON-RPC message.
  client.onerror = (error) => copy.strange.push(String(error));
  transport.stderr.on('data', (chunk) => { copy.log += chunk; });
  await client.connect(transport);
  return copies.push(copy) - 1;
}

const orders = {
  open: (order) => Promise.all(Array.from({ length: order.copies }, () => open(order))),
  list: async ({ copy }) => (await copies[copy].client.listTools()).tools,
  call: ({ copy, tool, arguments: given }) => copies[copy].client.callTool({ name: tool, arguments: given }),
  heard: ({ copy }) => ({ strange: copies[copy].strange, log: copies[copy].log }),
};

async function answer(line) {
  const order = JSON.parse(line);
  try {
    return { id: order.id, ok: await orders[order.order](order) };
  } catch (error) {
    return { id: order.id, error: String(error?.stack ?? error) };
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => process.stdout.write(`${JSON.stringify(await answer(line))}\n`));
lines.on('close', async () => {
  await Promise.allSettled(copies.map(({ client }) => client.close()));
  process.exit(0);
});
