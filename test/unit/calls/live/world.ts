// Live calls in a world of the test's making: time stands still until it is moved, sockets and tasks do what they
// are told, and all that calls tell anyone is kept.
import assert from "node:assert/strict";
import type { LiveCall } from "../../../../src/calls/live/liveCall.ts";
import { LiveCalls } from "../../../../src/calls/live/liveCalls.ts";
import type { Sent, StreamHandler, StreamSocket } from "../../../../src/calls/live/stream.ts";
import { BACKLOG_MAX, CallLog } from "../../../../src/calls/log/callLog.ts";
import type { CallRecord } from "../../../../src/calls/log/records.ts";
import type { CallObserver } from "../../../../src/calls/observer.ts";
import type { Clock, Stop } from "../../../../src/domain/clock.ts";
import type { EndReason, Outcome, StreamViolation } from "../../../../src/domain/endings.ts";
import {
  AccountSid,
  CallSid,
  ConfigurationId,
  DefinitionId,
  NumberId,
  type RunId,
  WorkflowId,
} from "../../../../src/domain/ids.ts";
import type { News, ToldNews } from "../../../../src/lane/news.ts";
import { Directory } from "../../../../src/numbers/directory.ts";
import { Placement } from "../../../../src/pool/placement.ts";
import { briefing } from "../../../support/briefing.ts";
import { MemoryKeeper } from "../../../support/memoryKeeper.ts";

const ACCOUNT = "AC1";
const start = (changes: object = {}) => ({
  event: "start",
  sequenceNumber: "1",
  streamSid: "MZ1",
  start: {
    accountSid: ACCOUNT,
    streamSid: "MZ1",
    callSid: "CA of the call",
    tracks: ["inbound"],
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
    ...changes,
  },
});

/** Messages of a stream; the call's own SID stands where a message says so. */
export const CONTROLS = {
  connected: { event: "connected", protocol: "Call", version: "1.0.0" },
  start: start(),
  mismatched: start({ callSid: "CA9999" }),
  otherAccount: start({ accountSid: "AC9999" }),
  otherFormat: start({ mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 16_000, channels: 1 } }),
  media: {
    event: "media",
    sequenceNumber: "2",
    media: { track: "inbound", chunk: "1", timestamp: "100", payload: "////" },
    streamSid: "MZ1",
  },
  binary: start(),
} as const;

/** What calls told whoever counts. */
export interface Happenings {
  readonly violations: StreamViolation[];
  readonly ended: { readonly run: RunId; readonly outcome: Outcome }[];
  readonly refused: string[];
  readonly told: { readonly run: RunId; readonly news: News }[];
  /** Frames that a call's socket took no more. */
  readonly framesRefused: number[];
  /** Streams that nobody reads. */
  readonly silent: RunId[];
}

class StillClock implements Clock {
  #nowMs = 0;
  readonly #ticks = new Set<() => void>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  every(_periodMs: number, tick: () => void): Stop {
    this.#ticks.add(tick);
    return () => this.#ticks.delete(tick);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const tick of [...this.#ticks]) tick();
  }

  get running(): number {
    return this.#ticks.size;
  }
}

/** A socket that tells its handler of its closing before `close` returns, as the real one does. */
class PlayedSocket implements StreamSocket {
  readonly closings: (number | "cut")[] = [];
  /** What becomes of the messages to come, in order. */
  readonly fates: Sent[] = [];
  pings = 0;
  #handler: StreamHandler | undefined;

  constructor(handler: StreamHandler) {
    this.#handler = handler;
  }

  get isOpen(): boolean {
    return this.#handler !== undefined;
  }

  send(): Sent {
    return this.isOpen ? (this.fates.shift() ?? "sent") : "closed";
  }

  sendBoth(): readonly [Sent, Sent] {
    return [this.send(), this.send()];
  }

  ping(): void {
    this.pings++;
  }

  close(code: number): void {
    this.#close(code, code);
  }

  drop(): void {
    this.#close("cut", 1006);
  }

  /** The other end goes away. */
  die(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(1006);
  }

  #close(how: number | "cut", code: number): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    this.closings.push(how);
    handler.closed(code);
  }
}

interface Played {
  readonly callSid: CallSid;
  readonly run: RunId;
  readonly token: string;
  readonly placement: Placement;
  handler: StreamHandler | undefined;
  socket: PlayedSocket | undefined;
}

/** What can be seen of a call from outside. */
export interface Seen {
  readonly live: LiveCall | undefined;
  readonly isFound: boolean;
  readonly record: CallRecord | undefined;
  readonly endings: readonly Outcome[];
  readonly placement: Placement;
  readonly isSocketOpen: boolean;
  /** Close codes the call gave its socket. */
  readonly closings: readonly (number | "cut")[];
  readonly pings: number;
}

export class World {
  readonly clock = new StillClock();
  readonly happenings: Happenings = {
    violations: [],
    ended: [],
    refused: [],
    told: [],
    framesRefused: [],
    silent: [],
  };
  readonly calls: LiveCalls;
  readonly #records: CallLog;
  readonly #played: Played[] = [];
  #lastPlaced: Placement | undefined;

  constructor({
    callsMax,
    mediaGapMs = 10_000,
  }: { readonly callsMax: number; readonly mediaGapMs?: number }) {
    const { violations, ended, refused, told, framesRefused, silent } = this.happenings;
    const observer: CallObserver = {
      webhookAnswered() {},
      ended: ({ run }, _direction, outcome) => ended.push({ run, outcome }),
      replaced() {},
      told: ({ run }, news) => told.push({ run, news }),
      streamRefused: (reason) => refused.push(reason),
      streamViolated: (_call, violation) => violations.push(violation),
      streamSilent: ({ run }) => silent.push(run),
      statusLate() {},
      framesRefused: (frames) => framesRefused.push(frames),
      hint() {},
    };
    this.#records = new CallLog(new MemoryKeeper(), { lastRun: 0, records: [] }, this.clock, {
      onStalled: (why) => assert.fail(why),
      onResumed() {},
      onRefused: (run) => assert.fail(`the record of run ${run} was refused`),
    });
    this.calls = new LiveCalls({
      clock: this.clock,
      directory: new Directory({ configurations: [], numbers: [], workflows: [] }, new Map(), true),
      records: this.#records,
      tasks: {
        isReady: true,
        place: (order, listener) => {
          this.#lastPlaced = new Placement(order, 0, listener, 0);
          return this.#lastPlaced;
        },
      },
      strength: { refuses: () => false, taken() {} },
      observer,
      limits: { callsMax, mediaGapMs, pongMs: 10_000 },
      streamBase: () => "ws://127.0.0.1:1",
    });
  }

  /** As many records wait to be written as may; resolves once they are. */
  fillLog(): Promise<void> {
    const facts = {
      ...{ callSid: undefined, accountSid: undefined, configurationId: undefined, numberId: undefined },
      ...{ direction: "inbound" as const, from: "", to: "" },
      ...{ workflowId: undefined, workflowVersion: undefined, definitionId: undefined },
    };
    for (let n = 0; n < BACKLOG_MAX; n++) this.#records.open(facts, 0);
    return this.#records.committed();
  }

  /** A call is admitted; returns its number in this world. */
  ring(callSid = CallSid(`CA${this.#played.length + 1}`)): number {
    let token = "";
    const facts = {
      callSid,
      accountSid: AccountSid(ACCOUNT),
      direction: "inbound",
      from: "",
      to: "",
    } as const;
    const known = {
      configurationId: ConfigurationId(1),
      numberId: NumberId(1),
      workflowId: WorkflowId(1),
      workflowVersion: 1,
      definitionId: DefinitionId(1),
    };
    const run = this.#records.open({ ...facts, ...known }, this.clock.wallMs());
    this.calls.admit({ ...facts, run }, briefing({ type: "test", max_duration_ms: 0 }), (_run, streamUrl) => {
      token = streamUrl.slice("ws://127.0.0.1:1/media/".length);
      return "";
    });
    assert(this.#lastPlaced !== undefined, "an admitted call is placed");
    const placement = this.#lastPlaced;
    return this.#played.push({ callSid, run, token, placement, handler: undefined, socket: undefined }) - 1;
  }

  callSidOf(index: number): CallSid {
    return this.#played[index]!.callSid;
  }

  /** Twilio knocks with the call's token. */
  upgrade(index: number): string {
    const played = this.#played[index]!;
    const { token } = played;
    const verdict = this.calls.door.admit({ token, path: `/media/${token}`, signature: "" });
    if (typeof verdict === "string") return verdict;
    played.handler = verdict;
    played.socket = new PlayedSocket(verdict);
    verdict.opened(played.socket);
    return "opened";
  }

  /** One message on the call's stream; nothing once its socket is closed. */
  say(index: number, message: object, isBinary = false): void {
    const { callSid, handler, socket } = this.#played[index]!;
    if (handler === undefined || !socket?.isOpen) return;
    handler.message(Buffer.from(JSON.stringify(message).replace("CA of the call", callSid)), isBinary);
  }

  pong(index: number): void {
    this.#played[index]!.handler?.ponged();
  }

  /** Its task has audio for the stream, and something that follows it; the socket does this with them. */
  speak(index: number, audio: Uint8Array, control: Uint8Array, fates: readonly Sent[]): void {
    const { socket, placement } = this.#played[index]!;
    socket?.fates.push(...fates);
    placement.listener.frameAndControl(audio, control);
  }

  /** The stream's connection breaks. */
  cut(index: number): void {
    this.#played[index]!.socket?.die();
  }

  endTask(index: number, reason: EndReason): void {
    this.#played[index]!.placement.listener.ended({ reason, heardMs: 0, digits: 0 });
  }

  /** The call's worker tells of it, as it was so long ago. */
  tell(index: number, news: News, agoMs = 0): void {
    const told: ToldNews = { atMs: this.clock.nowMs() - agoMs, news };
    this.#played[index]!.placement.listener.told(Buffer.from(JSON.stringify(told)));
  }

  seen(index: number): Seen {
    const { callSid, run, placement, socket } = this.#played[index]!;
    const live = this.calls.find(run);
    assert.equal(this.calls.find(callSid), live, "found by CallSid and by run alike");
    return {
      live,
      isFound: live !== undefined,
      record: this.#records.get(run),
      endings: this.happenings.ended.filter((ended) => ended.run === run).map(({ outcome }) => outcome),
      placement,
      isSocketOpen: socket?.isOpen ?? false,
      closings: socket?.closings ?? [],
      pings: socket?.pings ?? 0,
    };
  }
}
