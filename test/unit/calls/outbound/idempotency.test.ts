// Requests that come more than once, on a real database.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { Idempotency } from "../../../../src/calls/outbound/idempotency.ts";
import { GatewayError } from "../../../../src/domain/errors.ts";
import { ApiKeyId, RunId } from "../../../../src/domain/ids.ts";
import { newStore } from "../../../support/gateway.ts";
import { ManualClock } from "../../../support/manualClock.ts";
import { until } from "../../../support/until.ts";

const { store, remove } = await newStore();
after(async () => {
  await store.close();
  remove();
});
const HOUR_MS = 3_600_000;
let keys = 0;
const newKey = () => `key ${keys++}`;

function asked(idempotencyKey: string | undefined, request: unknown = { to: "+14155550100" }) {
  return { keyId: ApiKeyId(1), idempotencyKey, request };
}

/** Counts how often a call is begun; each is a run of its own. */
function beginner(idempotency: Idempotency) {
  let begun = 0;
  const ask = (request: ReturnType<typeof asked>, isVoid = false) =>
    idempotency.once(
      request,
      async (claim) => {
        begun++;
        const run = RunId(100 * keys + begun);
        await claim(run);
        if (isVoid) throw new GatewayError("TWILIO_UNREACHABLE", "nothing was placed");
        return run;
      },
      async (run) => run,
      (error) => error instanceof GatewayError && error.code === "TWILIO_UNREACHABLE",
    );
  return { ask, begun: () => begun };
}

describe("a request with a key", () => {
  it("is begun once, at once and later, however its fields are ordered, and by another gateway too", async () => {
    const key = newKey();
    const { ask, begun } = beginner(new Idempotency(store.idempotency, new ManualClock()));
    const runs = await Promise.all([
      ask(asked(key, { a: 1, b: { c: 2, d: 3 } })),
      ask(asked(key, { b: { d: 3, c: 2 }, a: 1 })),
    ]);
    const later = await ask(asked(key, { a: 1, b: { c: 2, d: 3 }, e: undefined }));
    assert.deepEqual([new Set([...runs, later]).size, begun()], [1, 1]);
    const another = beginner(new Idempotency(store.idempotency, new ManualClock()));
    assert.deepEqual(
      [await another.ask(asked(key, { a: 1, b: { c: 2, d: 3 } })), another.begun()],
      [runs[0], 0],
    );
  });

  it("is another one with other fields, and refused", async () => {
    const key = newKey();
    const { ask, begun } = beginner(new Idempotency(store.idempotency, new ManualClock()));
    const first = ask(asked(key, { a: 1 }));
    const conflict = (error: unknown) => error instanceof GatewayError && error.code === "CONFLICT";
    await assert.rejects(ask(asked(key, { a: 2 })), conflict);
    await first;
    await assert.rejects(ask(asked(key, { a: [1] })), conflict);
    assert.equal(begun(), 1);
  });

  it("may be begun again when nothing came of it", async () => {
    const key = newKey();
    const { ask, begun } = beginner(new Idempotency(store.idempotency, new ManualClock()));
    await assert.rejects(ask(asked(key), true), /nothing was placed/);
    await ask(asked(key));
    await ask(asked(key));
    assert.equal(begun(), 2);
  });

  it("is remembered for a day", async () => {
    const key = newKey();
    const clock = new ManualClock();
    const idempotency = new Idempotency(store.idempotency, {
      nowMs: () => clock.nowMs(),
      wallMs: () => wallMs,
      every: () => () => {},
    });
    let wallMs = 1_000 * HOUR_MS;
    const { ask, begun } = beginner(idempotency);
    await ask(asked(key));
    wallMs += 23 * HOUR_MS;
    clock.advance(HOUR_MS);
    await ask(asked(key));
    assert.equal(begun(), 1);
    wallMs += 2 * HOUR_MS;
    clock.advance(HOUR_MS);
    await ask(asked(newKey()));
    await until("it to be forgotten", async () => (await store.idempotency.find(1, key)) === undefined);
    await ask(asked(key));
    assert.equal(begun(), 3);
  });
});

describe("a request without a key", () => {
  it("is one of its own each time", async () => {
    const { ask, begun } = beginner(new Idempotency(store.idempotency, new ManualClock()));
    await Promise.all([ask(asked(undefined)), ask(asked(undefined))]);
    assert.equal(begun(), 2);
  });
});

describe("a key", () => {
  it("is printable and not endless", async () => {
    const { ask } = beginner(new Idempotency(store.idempotency, new ManualClock()));
    for (const key of ["", " ", "a\u0000", "ü", "x".repeat(256)]) {
      await assert.rejects(
        ask(asked(key)),
        (error) => error instanceof GatewayError && error.code === "REQUEST_MALFORMED",
        JSON.stringify(key),
      );
    }
  });
});
