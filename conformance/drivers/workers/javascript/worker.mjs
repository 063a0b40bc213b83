/*
 * A worker driver: WorkflowRuntime of Dapr's JavaScript SDK, with the kit's workflows and its activity.
 *
 * A line of JSON on stdin asks, a line of JSON on stdout answers; logs go to stderr. The protocol stands in
 * spec/DRIVERS.md, what the workflows do in spec/workflows.yaml.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const PROTOCOL = 1;
// What the SDK logs when its stream is open, or cannot be opened: nothing else tells, start() returns before.
const OPEN = "Successfully connected";
const BROKEN = "Worker failed";

const write = process.stdout.write.bind(process.stdout);
let opened, broken;
const open = new Promise((resolve, reject) => ([opened, broken] = [resolve, reject]));
const log = console.error.bind(console);
for (const level of ["log", "info", "warn", "debug", "error"]) {
  console[level] = (...words) => {
    log(...words); // stdout belongs to the answers
    const text = words.join(" ");
    if (text.includes(OPEN)) opened();
    if (text.includes(BROKEN)) broken(new Error(text));
  };
}

class ConformanceFailure extends Error {}

async function* conformanceScript(ctx, script) {
  const values = [];
  for (const step of script.do) {
    if ("set_status" in step) {
      ctx.setCustomStatus(JSON.stringify(step.set_status));
    } else if ("wait_event" in step) {
      values.push(yield* awaited(ctx, step.wait_event, step.timeout));
    } else if ("sleep" in step) {
      yield ctx.createTimer(step.sleep);
    } else if ("call_activity" in step) {
      values.push(yield ctx.callActivity("ConformanceEchoActivity", step.call_activity));
    } else if ("call_child" in step) {
      const { id, ...child } = step.call_child;
      values.push(yield ctx.callChildWorkflow("ConformanceScript", child, id));
    } else if ("continue_as_new" in step) {
      ctx.continueAsNew(step.continue_as_new, step.keep_events ?? false);
      return;
    } else if ("fail" in step) {
      throw new ConformanceFailure(step.fail);
    } else if ("return" in step) {
      return step.return;
    } else {
      throw new RangeError(`no such instruction: ${JSON.stringify(step)}`);
    }
  }
  return values;
}

async function* awaited(ctx, name, timeout) {
  const event = ctx.waitForExternalEvent(name);
  if (timeout === undefined) return yield event;
  const first = yield ctx.whenAny([event, ctx.createTimer(timeout)]);
  return first === event ? event.getResult() : { timed_out: true };
}

async function hello({ endpoint }) {
  const require = createRequire(import.meta.url);
  const { WorkflowRuntime } = require("@dapr/dapr");
  const colon = endpoint.grpc.lastIndexOf(":");
  const runtime = new WorkflowRuntime({
    daprHost: endpoint.grpc.slice(0, colon),
    daprPort: endpoint.grpc.slice(colon + 1),
    daprApiToken: endpoint.token,
  });
  runtime.registerWorkflowWithName("ConformanceEcho", async (ctx, value) => value);
  runtime.registerWorkflowWithName("ConformanceScript", conformanceScript);
  runtime.registerActivityWithName("ConformanceEchoActivity", async (ctx, value) => value);
  await runtime.start();
  await open;
  return {
    protocol: PROTOCOL,
    role: "worker",
    sdk: { name: "@dapr/dapr", version: require("@dapr/dapr/package.json").version, language: "javascript" },
    workflows: { ConformanceEcho: "ConformanceEcho", ConformanceScript: "ConformanceScript" },
  };
}

function failed(error, kind) {
  return { error: { class: kind, type: error.constructor.name, message: String(error.message) } };
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
      say(id, failed(error, "unavailable"), () => process.exit(1));
    }
  } else {
    say(id, failed(new RangeError(`no ${op}`), "unsupported"));
  }
}
process.exit(0);
