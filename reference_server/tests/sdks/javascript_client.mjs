/*
 * A client of Dapr's JavaScript SDK on a lead: a line of JSON on stdin names a call, a line on stdout says what came of it.
 *
 *     SDK_FOLDER=... node javascript_client.mjs dapr|workflow
 *     {"call": "start", "with": [argument, ...]}  ->  {"ok": value} or {"error": {"type": ..., ...}}
 *
 * `dapr` is DaprClient over HTTP, of which the calls of `client.workflow` are made; `workflow` is DaprWorkflowClient.
 * Addresses come from the SDK's own variables, and so does the token, which 3.1 takes as an option only.
 * A time is {"$time": seconds from now}, bytes are {"$bytes": text}.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const write = process.stdout.write.bind(process.stdout);
for (const level of ["log", "info", "warn", "debug"]) console[level] = console.error; // stdout belongs to the answers
const { DaprClient, DaprWorkflowClient } = createRequire(`${process.env.SDK_FOLDER}/`)("@dapr/dapr");

const kind = process.argv[2];
const options = { daprApiToken: process.env.DAPR_API_TOKEN };
const client = kind === "dapr" ? new DaprClient(options) : new DaprWorkflowClient(options);
const target = kind === "dapr" ? client.workflow : client;

function argument(_, found) {
  if (found && typeof found === "object" && "$time" in found) return new Date(Date.now() + found.$time * 1000);
  if (found && typeof found === "object" && "$bytes" in found) return Buffer.from(found.$bytes);
  return found;
}

// An object by its public properties, its getters, and its methods that are getters in all but name.
function shown(value) {
  if (value === undefined || value === null) return null;
  if (typeof value !== "object" || Array.isArray(value) || value instanceof Date) return value;
  const offered = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(value)));
  const getters = offered.filter(([name, one]) => one.get || /^get[A-Z]/.test(name)).map(([name]) => name);
  const names = [...Object.keys(value), ...getters].filter((name) => !name.startsWith("_"));
  const read = (name) => (typeof value[name] === "function" ? value[name]() : value[name]);
  return Object.fromEntries(names.map((name) => [name, shown(read(name))]));
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
