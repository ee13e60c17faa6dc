// How soon the program is there, and what it costs while nobody calls. That is read from the system's own books, so
// that asking costs it nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { demoAccount } from "../../../src/numbers/firstStart.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { startGatewayProcess } from "../../support/process.ts";
import { until } from "../../support/until.ts";

/** The kernel's tick, in which it counts CPU time. */
const TICKS_PER_S = 100;
const WINDOW_MS = 3_000;
/** A collector may still be at work after the start; what is measured is rest. */
const WINDOWS_MAX = 2;
const CORE_SHARE_WANTED = 0.005;
const RESIDENT_MB_WANTED = 150;
const READY_MS_WANTED = 2_000;

/** CPU time of a process so far, all threads, in seconds. */
function cpuS(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(utime) + Number(stime)) / TICKS_PER_S;
}

function residentMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return Number(kilobytes) / 1_024;
}

/** Share of a core over one window. */
async function coreShare(pid: number): Promise<number> {
  const fromMs = performance.now();
  const fromS = cpuS(pid);
  await delay(WINDOW_MS); // the time that is measured, not a wait for something
  return (cpuS(pid) - fromS) / ((performance.now() - fromMs) / 1_000);
}

describe("a gateway at rest", () => {
  it("is ready at once, and takes next to no CPU and little memory, also after a call", async (t) => {
    const { program, origin, databasePath, readyMs } = await startGatewayProcess(t, { MEDIA_WORKERS: "2" });
    t.diagnostic(`ready after ${Math.round(readyMs)} ms (wanted: ${READY_MS_WANTED} ms)`);
    assert.ok(readyMs < 4 * READY_MS_WANTED);
    const { phoneNumber: to, ...account } = demoAccount(databasePath);
    const twilio = new TwilioTwin({ ...account, publicBase: origin });
    t.after(() => twilio.close());
    const call = await twilio.dial({ to });
    await (await call.connect()).hasPlayed(200);
    await call.hangUp();
    await call.settled();

    const shares: number[] = [];
    do shares.push(await coreShare(program.pid));
    while (shares.at(-1)! > CORE_SHARE_WANTED && shares.length < WINDOWS_MAX);
    const percent = shares.map((share) => `${(100 * share).toFixed(2)} %`).join(", ");
    t.diagnostic(`CPU at rest: ${percent} of a core (wanted: ${100 * CORE_SHARE_WANTED} %)`);
    const resident = residentMb(program.pid);
    t.diagnostic(`memory at rest: ${resident.toFixed(0)} MB resident (wanted: ${RESIDENT_MB_WANTED} MB)`);
    assert.ok(Math.min(...shares) < 4 * CORE_SHARE_WANTED);
    assert.ok(resident < 4 * RESIDENT_MB_WANTED);
  });

  it("ticks while there are calls, and not before or after", async () => {
    const { gateway, twilio, held } = await startStory();
    assert.equal(gateway.pool.state().isTicking, false);
    const call = await twilio.dial({ to: ECHO_NUMBER });
    assert.equal(gateway.pool.state().isTicking, true);
    await (await call.connect()).hasPlayed(100);
    await call.hangUp();
    await until("ticking to stop", () => !gateway.pool.state().isTicking);
    assert.equal(held().calls, 0);
  });
});
