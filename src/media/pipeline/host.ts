// All the calls of one worker: their tasks, their end of the lane, the media tick, and the guard that keeps one
// call's exception from being any other call's.
import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import { type Clock, LONG_AGO_MS, type Stop } from "../../domain/clock.ts";
import type { EndReason } from "../../domain/endings.ts";
import { assertNever } from "../../domain/errors.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import { LaneEnd, RecordKind } from "../../lane/lane.ts";
import type { Prompts } from "../../lane/news.ts";
import type { CallRemains } from "../../lane/remains.ts";
import type { CallTicket, TaskReport } from "../../lane/ticket.ts";
import type { AgentRules } from "../agents/extra.ts";
import { type AgentMakers, loadAgentMakers } from "../agents/makers.ts";
import { type Codec, codecOf } from "../audio/codec.ts";
import { loadKernels } from "../kernels/kernels.ts";
import { MediaMessages } from "../protocol/mediaMessages.ts";
import { Call, type CallSurroundings } from "./call.ts";
import type { MakeRecorder } from "./recorder.ts";
import { Seats } from "./seats.ts";

const TICK_MS = 1;
/** Ticks without a call before ticking stops: a call that follows soon finds it running. */
const LINGER_TICKS = 100;
/** An agent's tick may come so much before its time or after it: so that it comes with a frame, when all is at hand. */
const LEEWAY_MS = 5;
/** A call in which nothing is due is looked at all the same: what it may have had enough of counts in seconds. */
const LOOK_EVERY_MS = 100;
const NEVER_BEGAN = { reason: "call_error", heardMs: 0, digits: 0 } as const;
const NOTHING = new Uint8Array(0);
const utf8 = new TextDecoder();

/** What calls need of what a worker has loaded. */
export interface Equipment {
  readonly agents: AgentMakers;
  readonly codec: Codec;
  readonly messages: MediaMessages;
  readonly prompts: Prompts;
  readonly createRecorder: MakeRecorder;
}

/** Loads all of it but what records, once per worker. `agentModules` are URLs of modules with types of agent beside the built-in ones. */
export async function loadEquipment(
  agentModules: readonly string[],
  prompts: Prompts,
  rules?: AgentRules,
): Promise<Omit<Equipment, "createRecorder">> {
  const [agents, kernels] = await Promise.all([loadAgentMakers(agentModules, rules), loadKernels()]);
  return { agents, codec: codecOf(kernels), messages: new MediaMessages(kernels), prompts };
}

/** What a worker shares with the front thread. */
export interface SharedMemory {
  readonly remains: CallRemains;
  readonly counts: WorkerCounts;
  readonly heartbeat: Int32Array;
}

/** A task's place in the worker: found by slot for its records, by async context for its exceptions. */
interface Seat {
  readonly slot: number;
  readonly epoch: number;
  readonly report: (report: TaskReport) => void;
  call: Call | undefined;
}

export class CallHost {
  readonly #lane: LaneEnd;
  readonly #counts: WorkerCounts;
  readonly #remains: CallRemains;
  readonly #clock: Clock;
  readonly #heartbeat: Int32Array;
  readonly #equipment: Equipment;
  readonly #tellStray: (error: string) => void;
  readonly #seats: Seats<Seat>;
  readonly #surroundings: CallSurroundings;
  readonly #whose = new AsyncLocalStorage<Seat>();
  #stopTicking: Stop | undefined;
  #idleTicks = 0;
  /** While a record is taken, time stands still: reading it again and again costs more than it tells. Else long ago. */
  #heldMs = LONG_AGO_MS;

  /** `tellStray` hears of errors that no call is to be ended for. */
  constructor(
    lane: SharedArrayBuffer,
    equipment: Equipment,
    shared: SharedMemory,
    clock: Clock,
    tellStray: (error: string) => void,
  ) {
    this.#clock = clock;
    this.#equipment = equipment;
    this.#tellStray = tellStray;
    this.#remains = shared.remains;
    this.#seats = new Seats(shared.remains.slots);
    this.#counts = shared.counts;
    this.#heartbeat = shared.heartbeat;
    this.#lane = new LaneEnd(
      lane,
      "worker",
      clock,
      (kind, slot, epoch, bytes) => this.#receive(kind, slot, epoch, bytes),
      () => {},
      [equipment.messages.inbox],
    );
    this.#surroundings = this.#makeSurroundings();
  }

  /** Runs one call to its end. Never rejects. */
  run(ticket: CallTicket): Promise<TaskReport> {
    this.#lane.poll(); // what other calls were sent before this one came is done first: it may be deadly
    return new Promise((report) => {
      const { slot, epoch } = ticket;
      const seat: Seat = { slot, epoch, report, call: undefined };
      this.#seats.take(slot, seat);
      this.#startTicking();
      this.#begun(ticket);
      this.#within(seat, () => {
        seat.call = new Call(ticket, this.#surroundings);
        this.#lane.write(RecordKind.ready, slot, epoch, NOTHING);
        seat.call.resume();
      });
    });
  }

  /** Takes an uncaught error, and ends the call in whose code it arose. */
  uncaught(error: unknown): void {
    this.#blame(this.#whose.getStore(), error);
  }

  /** Leaves word that from here on the call may be what this worker died of. */
  #begun({ slot, epoch, resumed }: CallTicket): void {
    const left = resumed?.remains;
    const playheadMs = left?.playheadMs ?? LONG_AGO_MS;
    this.#remains.write(slot, epoch, left?.heardMs ?? 0, playheadMs, left?.resumeId ?? "");
  }

  /** One for all calls. */
  #makeSurroundings(): CallSurroundings {
    const { agents, codec, messages, createRecorder, prompts } = this.#equipment;
    return {
      lane: this.#lane,
      counts: this.#counts,
      remains: this.#remains,
      nowMs: () => this.#nowMs(),
      wakeBy: (slot, ms) => this.#seats.wakeBy(slot, ms),
      codec,
      messages,
      prompts,
      createRecorder,
      createAgent: (settings, line, facts) => {
        const type = agents.get(settings.type);
        if (type === undefined) throw new Error(`no agent type ${settings.type} in this worker`);
        return type.create(settings, line, facts);
      },
      ended: (slot, report) => this.#ended(this.#seats.at(slot)!, report),
    };
  }

  #receive(kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array): void {
    // Under overload the tick comes late while records are still taken: busy is not stuck.
    this.#beat();
    const seat = this.#seats.at(slot);
    // A record that comes after its call's end is nobody's.
    if (seat?.call === undefined || seat.epoch !== epoch) return;
    const nowMs = this.#wholeMs();
    this.#heldMs = nowMs;
    try {
      this.#within(seat, deliver, seat.call, kind, bytes);
      if (kind !== RecordKind.media) this.#seats.wakeBy(slot, Number.NEGATIVE_INFINITY);
      // What the call has is at hand: its tick costs less now than when it is due.
      else if (this.#seats.dueMs(slot) <= nowMs + 2 * LEEWAY_MS) this.#tickCall(seat, slot);
    } finally {
      this.#heldMs = LONG_AGO_MS;
    }
  }

  #nowMs(): number {
    const heldMs = this.#heldMs;
    return heldMs === LONG_AGO_MS ? this.#wholeMs() : heldMs;
  }

  /** Calls count in whole milliseconds: their fields hold those without an object for each. */
  #wholeMs(): number {
    return Math.floor(this.#clock.nowMs());
  }

  #tick(): void {
    this.#beat();
    this.#lane.poll();
    const seats = this.#seats;
    const nowMs = this.#wholeMs();
    for (let slot = seats.nextDue(0, nowMs); slot >= 0; slot = seats.nextDue(slot + 1, nowMs))
      this.#tickCall(seats.at(slot)!, slot);
    this.#lane.flush();
    this.#idleTicks = seats.isEmpty && !this.#lane.isHolding ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks > LINGER_TICKS) {
      this.#stopTicking?.();
      this.#stopTicking = undefined;
      this.#lane.rest();
    }
  }

  #beat(): void {
    Atomics.add(this.#heartbeat, 0, 1);
  }

  /** No agent's code runs in a call's own tick, so one that ends nothing needs no context. */
  #tickCall(seat: Seat, slot: number): void {
    const { call } = seat;
    this.#seats.rest(slot);
    if (call === undefined) return;
    const nowMs = this.#nowMs();
    try {
      const reason = call.tick(nowMs);
      if (reason !== undefined) return this.#within(seat, endCall, call, reason);
      if (nowMs >= call.agentDueMs - LEEWAY_MS) this.#within(seat, tickAgent, call, nowMs);
      this.#seats.wakeBy(slot, Math.min(call.agentDueMs + LEEWAY_MS, nowMs + LOOK_EVERY_MS));
    } catch (error) {
      this.#blame(seat, error);
    }
  }

  /**
   * Runs what may be an agent's code: what it throws now is blamed on its call, and so is what fails later in
   * anything it begins now.
   */
  #within<Args extends unknown[]>(seat: Seat, act: (...args: Args) => void, ...args: Args): void {
    try {
      this.#whose.run(seat, act, ...args);
    } catch (error) {
      this.#blame(seat, error);
    }
  }

  #startTicking(): void {
    this.#idleTicks = 0;
    this.#stopTicking ??= this.#clock.every(TICK_MS, () => this.#tick());
  }

  #blame(seat: Seat | undefined, error: unknown): void {
    const isOver = seat === undefined || this.#seats.at(seat.slot) !== seat;
    if (isOver) return this.#stray(error);
    this.#counts.add("callErrors");
    try {
      if (seat.call === undefined) this.#ended(seat, { ...NEVER_BEGAN, error: textOf(error) });
      else seat.call.end("call_error", { error: textOf(error) });
    } catch (another) {
      this.#stray(another); // while it was being put away; the call has been reported by then
    }
  }

  #stray(error: unknown): void {
    this.#counts.add("strayErrors");
    this.#tellStray(textOf(error));
  }

  #ended(seat: Seat, report: TaskReport): void {
    this.#seats.leave(seat.slot);
    // The front reads the lane before it acts on the task's promise, so the last frames go out first.
    this.#lane.afterwards(() => seat.report(report));
  }
}

function textOf(error: unknown): string {
  if (error instanceof Error) return error.stack ?? error.message;
  return typeof error === "string" ? error : inspect(error); // not everything has a string of its own
}

function endCall(call: Call, reason: EndReason): void {
  call.end(reason);
}

function tickAgent(call: Call, nowMs: number): void {
  call.tickAgent(nowMs);
}

function deliver(call: Call, kind: RecordKind, bytes: Uint8Array): void {
  switch (kind) {
    case RecordKind.media:
    case RecordKind.control:
      return call.receive(bytes);
    case RecordKind.closed:
      return call.end("media_lost");
    case RecordKind.end:
      return call.end(utf8.decode(bytes) as EndReason);
    case RecordKind.ready:
    case RecordKind.news:
      throw new Error("a record for the front thread came to a worker");
    default:
      assertNever(kind);
  }
}
