// The demo account's own Twilio: a process beside the gateway's, which calls out for it and ends with it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { ApiClient } from "../../support/api.ts";
import { type RunningGateway, startGatewayProcess } from "../../support/process.ts";
import { until } from "../../support/until.ts";

const NUMBERS = "/api/v1/organizations/telephony-configs/1/phone-numbers";
const KEY = /^The API's first key, shown this once: (\S+)$/m;

/** The offline Twilio that a gateway has started. */
function twinOf({ program }: RunningGateway): number {
  const processes = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  const rows = processes.map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line));
  const row = rows.find((found) => Number(found?.[2]) === program.pid && found?.[3]?.includes("twin.ts"));
  assert(row, "the gateway has started an offline Twilio");
  return Number(row[1]);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function started(owner: Parameters<typeof startGatewayProcess>[0]) {
  const gateway = await startGatewayProcess(owner, { MEDIA_WORKERS: "1" });
  const [, key] = await gateway.program.wrote(KEY);
  return { gateway, client: new ApiClient(gateway.origin, { "X-API-Key": key! }) };
}

describe("the demo account", () => {
  it("has its number in step, and calls out to a person who picks up, speaks and hangs up", async (t) => {
    const { client } = await started(t);
    const sync = async () => (await client.get(NUMBERS)).body.phone_numbers[0].provider_sync;
    await until("the number to be in step", async () => (await sync()).state === "in_sync");

    const order = { workflow_id: 1, phone_number: "+14155550123" };
    const { status, body } = await client.post("/api/v1/telephony/initiate-call", order);
    assert.equal(status, 200, JSON.stringify(body));
    assert.match(body.call_sid, /^CA[0-9a-f]{32}$/);
    const run = `/api/v1/workflow/1/runs/${body.workflow_run_id}`;
    await until("the call to be over", async () => (await client.get(run)).body.is_completed, 30_000);
    const { outcome, ended_by: endedBy, heard_ms: heardMs, events } = (await client.get(run)).body;
    assert.deepEqual([outcome, endedBy], ["caller_hung_up", "callee"]);
    assert.ok(heardMs > 500, `${heardMs} ms of the echo were heard`);
    const statuses = events.filter(({ kind }: { kind: string }) => kind === "call_status");
    const details = statuses.map(({ detail }: { detail: string }) => detail);
    assert.deepEqual(details.slice(0, 3), ["initiated", "ringing", "in-progress"]);
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`loses its Twilio with the gateway, by ${signal}`, async (t) => {
      const { gateway } = await started(t);
      const pid = twinOf(gateway);
      assert.ok(isThere(pid));
      gateway.program.signal(signal);
      await gateway.program.exited;
      await until("the offline Twilio to be gone", () => !isThere(pid));
    });
  }
});
