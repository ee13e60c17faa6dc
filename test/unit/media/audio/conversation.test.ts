import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { OutboundTrack } from "../../../../src/media/audio/outboundTrack.ts";
import { Player, type Sent, Wire } from "./playback.ts";

const FRAME = 160;
const FRAME_MS = 20;
const SILENCE = 0xff;

describe("any conversation", () => {
  const step = fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.nat(60), fc.nat(700)),
    act: fc.oneof(
      { weight: 6, arbitrary: fc.nat(3_000).map((bytes) => ({ kind: "say" as const, bytes })) },
      { weight: 1, arbitrary: fc.constant({ kind: "say" as const, bytes: 12_000 }) },
      { weight: 2, arbitrary: fc.constant({ kind: "end" as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
    ),
  });
  const network = fc.record({ leastMs: fc.nat(80), jitterMs: fc.oneof(fc.constant(0), fc.nat(60)) });
  const conversation = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 40 }),
    there: network,
    back: network,
    pace: fc.constantFrom<[number, number][]>([20, 20], [60, 20], [200, 20], [200, 60], [200, 100]),
    jitter: fc.infiniteStream(fc.nat(1_000)),
  });

  it("is played in order and whole, never far ahead, and the ledger never claims too much", () => {
    fc.assert(
      fc.property(conversation, ({ steps, there, back, pace: [leadMs, messageMs], jitter }) => {
        const queueMs = 1_000;
        let nowMs = 10_000.5;
        let generation = 0;
        /** By generation: the bytes that were taken, filled up where utterances ended, and those that were sent. */
        const said: number[][] = [[]];
        const sent: number[][] = [[]];
        let bufferedUntilMs = 0;
        let lastHeardMs = 0;
        let voice = 0;
        const toTwilio = new Wire<Sent>();
        const fromTwilio = new Wire<string>();
        const player = new Player();
        const delay = ({ leastMs, jitterMs }: { leastMs: number; jitterMs: number }) =>
          leastMs + Math.round((jitterMs * (jitter.next().value as number)) / 1_000);
        const names = new Set<string>();

        const track = new OutboundTrack(
          { leadMs, markEveryMs: 200, queueMs, messageMs, markPrefix: "m" },
          {
            sendMedia(mulaw, start, end) {
              const ms = (end - start) / 8;
              assert.ok(ms % FRAME_MS === 0 && ms <= messageMs);
              if (bufferedUntilMs < nowMs) assert.equal(ms, FRAME_MS, "what ends a silence is not held up");
              sent[generation]!.push(...mulaw.subarray(start, end));
              bufferedUntilMs = Math.max(bufferedUntilMs, nowMs) + ms;
              assert.ok(bufferedUntilMs - nowMs <= leadMs, "never further ahead than allowed");
              assert.ok(track.lateMs >= 0 && track.lateMs < 1, "the pump is called in time");
              const atMs = nowMs + delay(there);
              for (let n = 0; n < ms; n += FRAME_MS) toTwilio.send({ kind: "media", generation }, atMs);
            },
            sendMark(name) {
              assert.ok(!names.has(name), "a mark's name is unique");
              names.add(name);
              toTwilio.send({ kind: "mark", name }, nowMs + delay(there));
            },
            sendClear: () => toTwilio.send({ kind: "clear" }, nowMs + delay(there)),
          },
        );
        const echo = (name: string) => fromTwilio.send(name, nowMs + delay(back));

        const fillFrame = () => {
          while (said[generation]!.length % FRAME !== 0) said[generation]!.push(SILENCE);
        };
        const tick = () => {
          for (const message of toTwilio.arrived(nowMs)) player.receive(message, echo);
          for (const name of fromTwilio.arrived(nowMs)) {
            const isCurrent = name.startsWith(`m${generation}-`);
            assert.equal(track.markEchoed(name, nowMs), isCurrent, name);
          }
          if (nowMs >= track.nextDueMs()) {
            const waiting = said[generation]!.length - sent[generation]!.length;
            if (waiting < FRAME) fillFrame(); // it has waited long enough for its rest
            track.pump(nowMs);
          }
          assert.ok(track.nextDueMs() > nowMs, "what is due has been sent");
          assert.equal(track.sentMs * 8, sent[generation]!.length);
          assert.equal(track.queuedMs * 8, said[generation]!.length - sent[generation]!.length);

          const heardMs = track.heardMs(nowMs);
          const playedMs = player.playedMs[generation] ?? 0;
          assert.ok(heardMs >= lastHeardMs && heardMs <= track.sentMs);
          assert.ok(heardMs <= playedMs + there.jitterMs + 1, `claims ${heardMs} of ${playedMs} ms`);
          lastHeardMs = heardMs;
          player.play(echo);
          nowMs++;
        };
        const endUtterance = () => {
          track.endUtterance(nowMs);
          fillFrame();
        };

        for (const { waitMs, act } of steps) {
          for (const until = nowMs + waitMs; nowMs < until; ) tick();
          if (act.kind === "say") {
            const bytes = Uint8Array.from({ length: act.bytes }, () => voice++ % 251);
            const taken = track.push(bytes, nowMs);
            const room = queueMs * 8 - (said[generation]!.length - sent[generation]!.length);
            assert.equal(taken, Math.min(act.bytes, room));
            said[generation]!.push(...bytes.subarray(0, taken));
          } else if (act.kind === "end") endUtterance();
          else {
            const heardMs = track.heardMs(nowMs);
            assert.equal(track.clear(nowMs), heardMs);
            [lastHeardMs, bufferedUntilMs] = [0, 0];
            generation++;
            said.push([]);
            sent.push([]);
          }
        }
        endUtterance();
        for (const until = nowMs + queueMs + 1_000; nowMs < until; ) tick();

        for (const [index, bytes] of sent.entries())
          assert.deepEqual(bytes, index < generation ? said[index]!.slice(0, bytes.length) : said[index]);
        assert.equal(player.playedMs[generation] ?? 0, track.sentMs);
        assert.equal(track.heardMs(nowMs), track.sentMs);
        assert.ok(track.idle);
      }),
      { numRuns: 300 },
    );
  });

  const paces = fc.constantFrom<[number, number][]>([60, 20], [200, 20], [200, 100]);
  it("is known to within a round trip while the agent speaks on", () => {
    fc.assert(
      fc.property(fc.nat(150), fc.nat(150), paces, (thereMs, backMs, [leadMs, messageMs]) => {
        let nowMs = 0;
        const toTwilio = new Wire<Sent>();
        const fromTwilio = new Wire<string>();
        const player = new Player();
        const echo = (name: string) => fromTwilio.send(name, nowMs + backMs);
        const track = new OutboundTrack(
          { leadMs, markEveryMs: 200, queueMs: 30_000, messageMs, markPrefix: "m" },
          {
            sendMedia(_, start, end) {
              for (let at = start; at < end; at += FRAME)
                toTwilio.send({ kind: "media", generation: 0 }, nowMs + thereMs);
            },
            sendMark: (name) => toTwilio.send({ kind: "mark", name }, nowMs + thereMs),
            sendClear: () => assert.fail(),
          },
        );
        track.push(new Uint8Array(3_000 * 8), nowMs);
        for (; nowMs < 3_000; nowMs++) {
          for (const message of toTwilio.arrived(nowMs)) player.receive(message, echo);
          for (const name of fromTwilio.arrived(nowMs)) track.markEchoed(name, nowMs);
          track.pump(nowMs);
          const lagMs = (player.playedMs[0] ?? 0) - track.heardMs(nowMs);
          const firstMarkIsBack = nowMs > thereMs + FRAME_MS + backMs;
          assert.ok(
            lagMs >= -1 && lagMs <= backMs + (firstMarkIsBack ? 1 : FRAME_MS),
            `${lagMs} ms at ${nowMs}`,
          );
          player.play(echo);
        }
      }),
    );
  });
});
