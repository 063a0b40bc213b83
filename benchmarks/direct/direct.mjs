// Dapr's JavaScript SDK in a loop, without a driver: for each number on stdin so many gets, and the seconds they took.
// `direct.mjs FOLDER CLIENT HTTP GRPC INSTANCE`
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

for (const level of ["log", "info", "warn", "debug"]) console[level] = () => {};
const [folder, name, http, grpc, instance] = process.argv.slice(2);
const { DaprClient, DaprWorkflowClient } = createRequire(`${folder}/client.mjs`)("@dapr/dapr");
const [daprHost, daprPort] = grpc.split(":");
let get;
if (name === "javascript") {
  const sdk = new DaprWorkflowClient({ daprHost, daprPort });
  get = () => sdk.getWorkflowState(instance, true);
} else {
  const { hostname, port } = new URL(http);
  const client = new DaprClient({ daprHost: hostname, daprPort: port });
  await client.start();
  get = () => client.workflow.get(instance);
}
for await (const line of createInterface({ input: process.stdin })) {
  const begun = performance.now();
  for (let left = Number(line); left > 0; left--) await get();
  process.stderr.write(`${(performance.now() - begun) / 1000}\n`);
}
process.exit(0);
