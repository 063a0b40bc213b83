/*
 * A client driver: DaprClient of Dapr's JavaScript SDK, whose calls of client.workflow go over HTTP.
 *
 * Lines of JSON on stdin ask, lines of JSON on stdout answer, in any order; logs go to stderr. The protocol stands in
 * spec/DRIVERS.md. Whatever the SDK does is reported as it is.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const write = process.stdout.write.bind(process.stdout);
for (const level of ["log", "info", "warn", "debug"]) console[level] = console.error; // stdout belongs to the answers

const PROTOCOL = 1;
// The SDK's error is JSON in a text, whose status tells.
const CLASSES = {
  400: "invalid",
  401: "unavailable",
  403: "unavailable",
  404: "not_found",
  408: "timeout",
  409: "conflict",
  413: "invalid",
  503: "unavailable",
  504: "timeout",
};
// The SDK hands out the sidecar's word, whatever its type says ("Running").
const STATUSES = ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"];
const FAILURE = {
  type: "dapr.workflow.failure.error_type",
  message: "dapr.workflow.failure.error_message",
  stack: "dapr.workflow.failure.stack_trace",
};
// What each operation takes, and what it calls.
const OPERATIONS = {
  start: {
    takes: ["workflow", "instance", "input", "raw"],
    needs: "start",
    does: async ({ workflow, instance, input, raw }) => ({
      instance: await sdk.start(workflow, raw === undefined ? input : Buffer.from(raw), instance),
    }),
  },
  get: {
    takes: ["instance"],
    needs: "get",
    does: async ({ instance }) => shown(await sdk.get(instance)),
  },
  pause: {
    takes: ["instance"],
    needs: "pause",
    does: async ({ instance }) => nothing(await sdk.pause(instance)),
  },
  resume: {
    takes: ["instance"],
    needs: "resume",
    does: async ({ instance }) => nothing(await sdk.resume(instance)),
  },
  terminate: {
    takes: ["instance"],
    needs: "terminate",
    does: async ({ instance }) => nothing(await sdk.terminate(instance)),
  },
  purge: {
    takes: ["instance"],
    needs: "purge",
    does: async ({ instance }) => nothing(await sdk.purge(instance)),
  },
  raise_event: {
    takes: ["instance", "name", "data", "raw"],
    needs: "raise",
    does: async ({ instance, name, data, raw }) =>
      nothing(await sdk.raise(instance, name, raw === undefined ? data : Buffer.from(raw))),
  },
};

let sdk;

async function hello({ endpoint }) {
  const require = createRequire(import.meta.url);
  const { DaprClient } = require("@dapr/dapr");
  const { protocol, hostname, port } = new URL(endpoint.http);
  const host = protocol === "https:" ? `https://${hostname}` : hostname;
  const client = new DaprClient({ daprHost: host, daprPort: port, daprApiToken: endpoint.token });
  await client.start();
  sdk = client.workflow;
  return {
    protocol: PROTOCOL,
    role: "client",
    sdk: { name: "@dapr/dapr", version: require("@dapr/dapr/package.json").version, language: "javascript" },
    surface: "http",
    verbs: Object.keys(OPERATIONS).filter((name) => sdk[OPERATIONS[name].needs]),
    fields: ["workflow", "created_at", "updated_at", "input", "output", "custom_status", "failure"],
    errors: [...new Set(Object.values(CLASSES))],
    statuses: Object.fromEntries(STATUSES.map((name) => [name, name])),
    options: ["raw"],
  };
}

const nothing = () => ({});

function shown(state) {
  const property = (name) => state.properties?.[name] ?? null;
  const failure = Object.fromEntries(Object.entries(FAILURE).map(([word, name]) => [word, property(name)]));
  return {
    state: {
      instance: state.instanceID,
      status: state.runtimeStatus,
      workflow: state.workflowName ?? "",
      created_at: state.createdAt.toISOString(),
      updated_at: state.lastUpdatedAt.toISOString(),
      input: property("dapr.workflow.input"),
      output: property("dapr.workflow.output"),
      custom_status: property("dapr.workflow.custom_status"),
      failure: Object.values(failure).some((value) => value !== null) ? failure : null,
    },
  };
}

function failed(error, kind) {
  const refused = error.type === "system" || error.message === "DAPR_SIDECAR_COULD_NOT_BE_STARTED";
  const known = kind ?? CLASSES[status(error)] ?? (refused ? "unavailable" : "other");
  return { error: { class: known, type: error.constructor.name, message: String(error.message) } };
}

function status(error) {
  try {
    return JSON.parse(error.message).status;
  } catch {
    return undefined;
  }
}

async function answered(op, given) {
  const operation = Object.hasOwn(OPERATIONS, op) ? OPERATIONS[op] : undefined;
  const unknown = operation ? Object.keys(given).filter((name) => !operation.takes.includes(name)) : [op];
  if (unknown.length > 0) return failed(new RangeError(`no ${unknown.join(", ")}`), "unsupported");
  try {
    return { ok: await operation.does(given) };
  } catch (error) {
    return failed(error);
  }
}

// One line, in ASCII; `then` is called when it is out.
function say(id, answer, then) {
  const text = JSON.stringify({ id, ...answer });
  write(
    `${text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`,
    then,
  );
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, ...given } = JSON.parse(line);
  if (op === "stop") {
    say(id, { ok: {} }, () => process.exit(0));
  } else if (op === "hello") {
    try {
      say(id, { ok: await hello(given) });
    } catch (error) {
      say(id, failed(error), () => process.exit(1));
    }
  } else {
    answered(op, given).then((answer) => say(id, answer));
  }
}
process.exit(0);
