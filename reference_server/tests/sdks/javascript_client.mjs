/*
 * A client of Dapr's JavaScript SDK on a lead: a line of JSON on stdin names a call, a line on stdout says what came of it.
 *
 *     SDK_FOLDER=... node javascript_client.mjs dapr|workflow
 *     {"call": "start", "with": [argument, ...]}  ->  {"ok": value} or {"error": {"type": ..., ...}}
 *
 * `dapr` is DaprClient over HTTP, of which the calls of `client.workflow` are made; `workflow` is DaprWorkflowClient.
 * Addresses and token come from the SDK's own variables. A time is {"$time": seconds from now}, bytes are {"$bytes": text}.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const write = process.stdout.write.bind(process.stdout);
for (const level of ["log", "info", "warn", "debug"]) console[level] = console.error; // stdout belongs to the answers
const { DaprClient, DaprWorkflowClient } = createRequire(`${process.env.SDK_FOLDER}/`)("@dapr/dapr");

const kind = process.argv[2];
const client = kind === "dapr" ? new DaprClient() : new DaprWorkflowClient();
const target = kind === "dapr" ? client.workflow : client;

function argument(_, found) {
  if (found && typeof found === "object" && "$time" in found) return new Date(Date.now() + found.$time * 1000);
  if (found && typeof found === "object" && "$bytes" in found) return Buffer.from(found.$bytes);
  return found;
}

function shown(value) {
  if (value === undefined || value === null) return null;
  if (typeof value !== "object" || Array.isArray(value) || value instanceof Date) return value;
  const getters = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(value)));
  const names = [...Object.keys(value), ...getters.filter(([, one]) => one.get).map(([name]) => name)];
  return Object.fromEntries(names.filter((name) => !name.startsWith("_")).map((name) => [name, shown(value[name])]));
}

async function answered({ call, with: args }) {
  try {
    return { ok: shown(await target[call](...args)) };
  } catch (error) {
    return { error: { type: error.constructor.name, message: String(error.message), code: error.code ?? null } };
  }
}

write(`${JSON.stringify({ ok: "ready" })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  write(`${JSON.stringify(await answered(JSON.parse(line, argument)))}\n`);
}
process.exit(0);
