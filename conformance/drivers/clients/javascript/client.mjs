/*
 * A client driver: DaprWorkflowClient of Dapr's JavaScript SDK, which speaks the Durable Task protocol over gRPC.
 *
 * Lines of JSON on stdin ask, lines of JSON on stdout answer, in any order; logs go to stderr. The protocol stands in
 * spec/DRIVERS.md. Whatever the SDK does is reported as it is.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const write = process.stdout.write.bind(process.stdout);
for (const level of ["log", "info", "warn", "debug"]) console[level] = console.error; // stdout belongs to the answers

const PROTOCOL = 1;
// The SDK passes gRPC's error on, whose code tells.
const CLASSES = {
  3: "invalid",
  4: "timeout",
  5: "not_found",
  6: "conflict",
  7: "unavailable",
  8: "invalid",
  9: "conflict",
  14: "unavailable",
  16: "unavailable",
};
// What each operation takes, and what it calls.
const OPERATIONS = {
  start: {
    takes: ["workflow", "instance", "input", "delay"],
    needs: "scheduleNewWorkflow",
    does: async ({ workflow, instance, input, delay }) => {
      const at = delay === undefined ? undefined : new Date(Date.now() + delay * 1000);
      return { instance: await sdk.scheduleNewWorkflow(workflow, input, instance, at) };
    },
  },
  get: {
    takes: ["instance"],
    needs: "getWorkflowState",
    does: async ({ instance }) => shown(await sdk.getWorkflowState(instance, true)),
  },
  pause: {
    takes: ["instance"],
    needs: "suspendWorkflow",
    does: async ({ instance }) => nothing(await sdk.suspendWorkflow(instance)),
  },
  resume: {
    takes: ["instance"],
    needs: "resumeWorkflow",
    does: async ({ instance }) => nothing(await sdk.resumeWorkflow(instance)),
  },
  terminate: {
    takes: ["instance", "output"],
    needs: "terminateWorkflow",
    does: async ({ instance, output }) => nothing(await sdk.terminateWorkflow(instance, output)),
  },
  purge: {
    takes: ["instance"],
    needs: "purgeWorkflow",
    does: async ({ instance }) => ({ purged: await sdk.purgeWorkflow(instance) }),
  },
  raise_event: {
    takes: ["instance", "name", "data"],
    needs: "raiseEvent",
    does: async ({ instance, name, data }) => nothing(await sdk.raiseEvent(instance, name, data)),
  },
  wait_start: {
    takes: ["instance", "timeout"],
    needs: "waitForWorkflowStart",
    does: async ({ instance, timeout }) => shown(await sdk.waitForWorkflowStart(instance, true, timeout)),
  },
  wait_completion: {
    takes: ["instance", "timeout"],
    needs: "waitForWorkflowCompletion",
    does: async ({ instance, timeout }) => shown(await sdk.waitForWorkflowCompletion(instance, true, timeout)),
  },
};

let sdk, statuses;

function hello({ endpoint }) {
  const require = createRequire(import.meta.url);
  const { DaprWorkflowClient, WorkflowRuntimeStatus } = require("@dapr/dapr");
  const { host, port } = address(endpoint.grpc);
  sdk = new DaprWorkflowClient({ daprHost: host, daprPort: port, daprApiToken: endpoint.token });
  statuses = WorkflowRuntimeStatus;
  const names = Object.keys(statuses).filter((name) => Number.isNaN(Number(name)));
  return {
    protocol: PROTOCOL,
    role: "client",
    sdk: { name: "@dapr/dapr", version: require("@dapr/dapr/package.json").version, language: "javascript" },
    surface: "taskhub",
    verbs: Object.keys(OPERATIONS).filter((name) => sdk[OPERATIONS[name].needs]),
    fields: ["workflow", "created_at", "updated_at", "input", "output", "custom_status", "failure"],
    errors: [...new Set(Object.values(CLASSES))],
    statuses: Object.fromEntries(names.map((name) => [name, name])),
    options: ["delay", "output"],
  };
}

function address(text) {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

const nothing = () => ({});

function shown(state) {
  if (!state) return { state: null };
  const failure = state.workflowFailureDetails;
  return {
    state: {
      instance: state.instanceId,
      status: statuses[state.runtimeStatus],
      workflow: state.name,
      created_at: state.createdAt.toISOString(),
      updated_at: state.lastUpdatedAt.toISOString(),
      input: state.serializedInput ?? null,
      output: state.serializedOutput ?? null,
      custom_status: state.customStatus ?? null,
      failure: failure
        ? { type: failure.getErrorType(), message: failure.getErrorMessage(), stack: failure.getStackTrace() ?? null }
        : null,
    },
  };
}

function failed(error, kind) {
  const type = error.constructor.name;
  const known = kind ?? CLASSES[error.code] ?? (type === "TimeoutError" ? "timeout" : "other");
  return { error: { class: known, type, message: String(error.details ?? error.message) } };
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

// Until 3.6 the SDK raises events without awaiting what comes of it; that is no reason to end for everybody.
process.on("unhandledRejection", (error) => console.error(error));

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, ...given } = JSON.parse(line);
  if (op === "stop") {
    say(id, { ok: {} }, () => process.exit(0));
  } else if (op === "hello") {
    try {
      say(id, { ok: hello(given) });
    } catch (error) {
      say(id, failed(error), () => process.exit(1));
    }
  } else {
    answered(op, given).then((answer) => say(id, answer));
  }
}
process.exit(0);
