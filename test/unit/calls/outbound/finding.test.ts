// Finding out about calls that Twilio is silent about: whether one was placed at all, and how one goes on.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { StatusReport } from "../../../../src/calls/log/callStatus.ts";
import {
  type CallProgress,
  type CallRecord,
  type CallRecords,
  newRecord,
} from "../../../../src/calls/log/records.ts";
import { Follower } from "../../../../src/calls/outbound/following.ts";
import { Settler } from "../../../../src/calls/outbound/settling.ts";
import { AccountSid, CallSid, RunId } from "../../../../src/domain/ids.ts";
import type { TwilioCall } from "../../../../src/twilio/rest.ts";
import { ManualClock } from "../../../support/manualClock.ts";

const TO = "+14155550100";
const FROM = "+12025550100";

class Records {
  readonly #records = new Map<RunId, CallRecord>();

  add(run: number, changes: Partial<CallRecord>): RunId {
    const facts = {
      ...{
        callSid: undefined,
        accountSid: AccountSid("AC1"),
        configurationId: undefined,
        direction: "outbound" as const,
      },
      ...{ from: FROM, to: TO, numberId: undefined, workflowId: undefined, workflowVersion: undefined },
      definitionId: undefined,
    };
    this.#records.set(RunId(run), {
      ...newRecord(RunId(run), facts, 1_000),
      submittedAtMs: 1_000,
      ...changes,
    });
    return RunId(run);
  }

  get submitting(): readonly CallRecord[] {
    return [...this.#records.values()].filter(({ state }) => state === "submitting");
  }

  get = (run: RunId): CallRecord | undefined => this.#records.get(run);
  recall = async (key: RunId | CallSid): Promise<CallRecord | undefined> =>
    [...this.#records.values()].find(({ callSid }) => callSid === key);
  update(run: RunId, progress: CallProgress): void {
    this.#records.set(run, { ...this.#records.get(run)!, ...progress });
  }
}

const twilioCall = (sid: string, changes: Partial<TwilioCall> = {}): TwilioCall => ({
  ...{
    sid: CallSid(sid),
    status: "queued",
    to: TO,
    from: FROM,
    direction: "outbound-api",
    answeredBy: undefined,
  },
  ...{ createdAtMs: 1_000, startedAtMs: undefined, endedAtMs: undefined, durationS: undefined },
  ...changes,
});

let clock: ManualClock;
let records: Records;
/** Time passes, and what was asked meanwhile is answered. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    clock.advance(250);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
}

beforeEach(() => {
  clock = new ManualClock();
  records = new Records();
});

describe("whether a call was placed", () => {
  let listed: TwilioCall[];
  let isReachable: boolean;
  let looks: number;
  let told: string[];
  let settler: Settler;
  beforeEach(() => {
    listed = [];
    isReachable = true;
    looks = 0;
    told = [];
    settler = new Settler({
      clock,
      records: records as unknown as CallRecords,
      submitting: () => records.submitting,
      look: async () => {
        looks++;
        if (!isReachable) throw new Error("unreachable");
        return listed;
      },
      found: (run, callSid) => {
        told.push(`${run} is ${callSid}`);
        records.update(run, { callSid, state: "placed" });
        return true;
      },
      absent: (run) => {
        told.push(`${run} is absent`);
        records.update(run, { outcome: "not_placed", state: "ended" });
      },
      unknowable: (run) => {
        told.push(`${run} is unknowable`);
        records.update(run, { outcome: "lost", state: "ended" });
      },
    });
  });
  const add = (run: number) => settler.add(records.add(run, { state: "submitting" }));

  it("is seen by looking, again and again for two minutes, and nothing is asked afterwards", async () => {
    add(1);
    await pass(115_000);
    assert.deepEqual([told, looks], [[], 6]);
    await pass(10_000);
    assert.deepEqual([told, looks, settler.size, clock.running], [["1 is absent"], 7, 0, 0]);
  });

  it("is told by a call that no other run has", async () => {
    records.add(7, { callSid: CallSid("CA7"), state: "ringing" });
    add(1);
    listed = [twilioCall("CA7"), twilioCall("CA8", { direction: "inbound" })];
    await pass(10_000);
    assert.deepEqual(told, []);
    listed.push(twilioCall("CA9"));
    await pass(10_000);
    assert.deepEqual([told, clock.running], [["1 is CA9"], 0]);
  });

  it("is not guessed between two runs while only one call is there, and then told in their order", async () => {
    add(1);
    add(2);
    listed = [twilioCall("CA8", { createdAtMs: 3_000 })];
    await pass(20_000);
    assert.deepEqual(told, []);
    listed.push(twilioCall("CA9", { createdAtMs: 2_000 }));
    await pass(20_000);
    assert.deepEqual(told.sort(), ["1 is CA9", "2 is CA8"]);
  });

  it("is told to one of two runs in the end, when Twilio has one call only", async () => {
    add(1);
    add(2);
    listed = [twilioCall("CA9")];
    await pass(300_000);
    assert.deepEqual(told, ["1 is CA9", "2 is absent"]);
  });

  it("is not guessed while Twilio is being asked for another call between the same numbers", async () => {
    add(1);
    const other = records.add(2, { state: "submitting" }); // and has not answered yet
    listed = [twilioCall("CA2")];
    await pass(200_000);
    assert.deepEqual(told, []);
    records.update(other, { callSid: CallSid("CA2"), state: "placed" });
    await pass(120_000);
    assert.deepEqual([told, clock.running], [["1 is absent"], 0]);
  });

  it("needs no look any more once Twilio has named the call", async () => {
    add(1);
    await pass(5_000);
    const before = looks;
    records.update(RunId(1), { callSid: CallSid("CA1"), state: "ringing" });
    await pass(120_000);
    assert.deepEqual([looks, told, clock.running], [before, [], 0]);
  });

  it("waits for a Twilio that can't be asked, for an hour", async () => {
    isReachable = false;
    add(1);
    await pass(300_000);
    assert.deepEqual(told, []);
    isReachable = true;
    listed = [twilioCall("CA9")];
    await pass(60_000);
    assert.deepEqual(told, ["1 is CA9"]);
    isReachable = false;
    add(2);
    await pass(70 * 60_000);
    assert.deepEqual([told[1], clock.running], ["2 is unknowable", 0]);
  });
});

describe("a call that Twilio says nothing more about", () => {
  let answer: TwilioCall | undefined;
  let isReachable: boolean;
  let asked: number;
  let told: string[];
  let live: Set<RunId>;
  let whileAsked: () => void;
  let follower: Follower;
  beforeEach(() => {
    answer = twilioCall("CA1", { status: "ringing" });
    isReachable = true;
    asked = 0;
    told = [];
    live = new Set();
    whileAsked = () => {};
    follower = new Follower({
      clock,
      records: records as unknown as CallRecords,
      isLive: (run) => live.has(run),
      ask: async () => {
        asked++;
        whileAsked();
        if (!isReachable) throw new Error("unreachable");
        return answer;
      },
      heard: (run, { status }: StatusReport) => {
        told.push(`${run} ${status}`);
        if (status === "busy") {
          const events = [{ atMs: 0, kind: "call_status", detail: "busy" }] as const;
          records.update(run, { outcome: "busy" });
          Object.assign(records.get(run)!, { events });
        }
      },
      linger: async ({ run }) => void told.push(`${run} lingers`),
      lost: (run, words) => void told.push(`${run} lost: ${words}`),
    });
  });
  const add = (changes: Partial<CallRecord> = {}, isOld = false) =>
    follower.add(records.add(1, { callSid: CallSid("CA1"), state: "ringing", ...changes }), isOld);

  it("is asked for when it has rung too long, and less and less often after that", async () => {
    add();
    await pass(89_000);
    assert.equal(asked, 0);
    await pass(2_000);
    assert.deepEqual([asked, told], [1, ["1 ringing"]]);
    await pass(31_000);
    assert.equal(asked, 2);
    await pass(31_000);
    assert.equal(asked, 2);
    answer = twilioCall("CA1", { status: "busy" });
    await pass(60_000);
    assert.deepEqual([told.at(-1), follower.size, clock.running], ["1 busy", 0, 0]);
  });

  it("is not asked for while it is talked on, nor as soon as it is over", async () => {
    add();
    live.add(RunId(1));
    await pass(3_600_000);
    assert.equal(asked, 0);
    live.clear();
    records.update(RunId(1), { outcome: "agent_hung_up", answeredAtMs: 1 });
    await pass(29_000);
    assert.equal(asked, 0);
    answer = twilioCall("CA1", { status: "in-progress" });
    await pass(2_000);
    assert.deepEqual([asked, told], [1, ["1 in-progress", "1 lingers"]]);
  });

  it("from before a restart is asked for at once", async () => {
    add({}, true);
    await pass(500);
    assert.equal(asked, 1);
  });

  it("that Twilio doesn't know is lost, once it has said so twice", async () => {
    answer = undefined;
    add({}, true);
    await pass(500);
    assert.deepEqual([asked, told], [1, []]);
    await pass(31_000);
    assert.match(told[0]!, /^1 lost: Twilio knows no such call/);
    assert.equal(clock.running, 0);
  });

  it("is not lost when it is talked on by the time Twilio has answered", async () => {
    answer = undefined;
    whileAsked = () => live.add(RunId(1));
    add({}, true);
    for (let asking = 1; asking <= 3; asking++) {
      live.clear();
      await pass(300_000);
      assert.equal(asked, asking);
    }
    assert.deepEqual(told, []);
  });

  it("is given up after an hour of a Twilio that can't be asked", async () => {
    isReachable = false;
    add({}, true);
    await pass(4_500_000);
    assert.deepEqual([asked, told.length, clock.running], [15, 1, 0]);
    assert.match(told[0]!, /could not be asked/);
  });
});
