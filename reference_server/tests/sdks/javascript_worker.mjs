/*
 * A worker of Dapr's JavaScript SDK: registers workflows and activities, says that it is ready, and works until stdin ends.
 *
 *     SDK_FOLDER=... node javascript_worker.mjs
 * Addresses and token come from the SDK's own variables. What each workflow does, and what comes of it, the tests say.
 */
import { createRequire } from "node:module";

const write = process.stdout.write.bind(process.stdout);
for (const level of ["log", "info", "warn", "debug"]) console[level] = console.error; // stdout belongs to the answers
const { WorkflowRuntime } = createRequire(`${process.env.SDK_FOLDER}/`)("@dapr/dapr");

const SOON = 0.05; // seconds
const attempts = new Map();

const acts = {
  double: async (ctx, number) => number * 2,
  echo: async (ctx, value) => value,
  broken: async (ctx, message) => {
    throw new TypeError(message);
  },
  // Fails twice, and then tells how often it was tried.
  flaky: async (ctx, key) => {
    attempts.set(key, (attempts.get(key) ?? 0) + 1);
    if (attempts.get(key) < 3) throw new Error(`attempt ${attempts.get(key)}`);
    return attempts.get(key);
  },
};

const flows = {
  noop: async function* (ctx, value) {
    return value;
  },
  activities: async function* (ctx, number) {
    const first = yield ctx.callActivity("double", number);
    const second = yield ctx.callActivity("double", first);
    return [first, second];
  },
  falsy: async function* (ctx) {
    const values = [];
    for (const value of [0, "", false, [], {}]) values.push((yield ctx.callActivity("echo", value)) ?? null);
    return values;
  },
  nothing: async function* (ctx) {
    return [(yield ctx.callActivity("echo", null)) ?? null];
  },
  timer: async function* (ctx) {
    const before = ctx.getCurrentUtcDateTime().getTime();
    yield ctx.createTimer(SOON);
    return ctx.getCurrentUtcDateTime().getTime() - before >= SOON * 1000;
  },
  events: async function* (ctx, names) {
    const values = [];
    for (const name of names) values.push(yield ctx.waitForExternalEvent(name));
    return values;
  },
  // A timer against an event that never comes.
  patient: async function* (ctx) {
    const late = ctx.createTimer(SOON);
    const winner = yield ctx.whenAny([ctx.waitForExternalEvent("never"), late]);
    return winner === late ? "late" : "event";
  },
  // One child under an ID of the parent's choice, one under the SDK's; both run at once.
  children: async function* (ctx, number) {
    const named = ctx.callChildWorkflow("activities", number, `${ctx.getWorkflowInstanceId()}-child`);
    return yield ctx.whenAll([named, ctx.callChildWorkflow("activities", number + 1)]);
  },
  fan_out: async function* (ctx, width) {
    const tasks = Array.from({ length: width }, (_, n) => ctx.callActivity("double", n + 1));
    return (yield ctx.whenAll(tasks)).reduce((sum, one) => sum + one, 0);
  },
  // The SDK has no retry policies: a workflow tries again itself.
  retries: async function* (ctx) {
    for (;;) {
      try {
        return yield ctx.callActivity("flaky", ctx.getWorkflowInstanceId());
      } catch {
        yield ctx.createTimer(SOON);
      }
    }
  },
  flaky_child: async function* (ctx, key) {
    return yield ctx.callActivity("flaky", key);
  },
  child_retries: async function* (ctx) {
    for (;;) {
      try {
        return yield ctx.callChildWorkflow("flaky_child", ctx.getWorkflowInstanceId());
      } catch {
        yield ctx.createTimer(SOON);
      }
    }
  },
  // Continues as new until nothing is left.
  counts: async function* (ctx, state) {
    const done = yield ctx.callActivity("double", state.done + 1);
    if (state.left === 0) return done;
    ctx.continueAsNew({ left: state.left - 1, done }, false);
  },
  // Continues as new with the events that are still waiting.
  collects: async function* (ctx, values) {
    const all = [...values, yield ctx.waitForExternalEvent("item")];
    if (all.length === 3) return all;
    ctx.continueAsNew(all, true);
  },
  failing_activity: async function* (ctx, message) {
    yield ctx.callActivity("broken", message);
  },
  caught: async function* (ctx, message) {
    try {
      yield ctx.callActivity("broken", message);
    } catch (error) {
      return String(error).includes(message);
    }
  },
  failing: async function* (ctx, message) {
    throw new TypeError(message);
  },
  failing_child: async function* (ctx, message) {
    yield ctx.callChildWorkflow("failing_activity", message);
  },
  guardian: async function* (ctx, names) {
    return yield ctx.callChildWorkflow("events", names, `${ctx.getWorkflowInstanceId()}-child`);
  },
  status: async function* (ctx, text) {
    ctx.setCustomStatus(text);
    return yield ctx.waitForExternalEvent("go");
  },
};

const runtime = new WorkflowRuntime();
for (const [name, activity] of Object.entries(acts)) runtime.registerActivityWithName(name, activity);
for (const [name, workflow] of Object.entries(flows)) runtime.registerWorkflowWithName(name, workflow);
await runtime.start();
write(`${JSON.stringify({ ok: "ready" })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
