// All calls that are not over: who is admitted, which stream belongs to which call, and the drain. It decides
// upgrades without waiting for anything.
import type { CallBrief } from "../../domain/brief.ts";
import type { Clock, Stop } from "../../domain/clock.ts";
import type { Refusal } from "../../domain/endings.ts";
import type { AccountSid, CallSid, RunId } from "../../domain/ids.ts";
import type { Directory } from "../../numbers/directory.ts";
import type { CallOrder, Placement, PlacementListener } from "../../pool/placement.ts";
import { isUpgradeSigned } from "../../twilio/signature.ts";
import type { CallRecords } from "../log/records.ts";
import type { CallObserver } from "../observer.ts";
import type { Arrival } from "./admission.ts";
import { type CallEnvironment, LiveCall, type LiveFacts } from "./liveCall.ts";
import type { StreamDoor, StreamHandler, StreamRefusal, Upgrade } from "./stream.ts";
import { StreamTokens } from "./streamToken.ts";

/** Deadlines are looked at this often; no call has a timer of its own. */
const SWEEP_MS = 250;

/** Where calls are run. */
export interface MediaTasks {
  readonly isReady: boolean;
  place(order: CallOrder, listener: PlacementListener): Placement;
}

/** Whether there is strength for another call. */
export interface CallStrength {
  refuses(arrival: Arrival): boolean;
  /** A call was taken. */
  taken(): void;
}

export interface LiveCallsParts {
  readonly clock: Clock;
  readonly directory: Directory;
  readonly records: CallRecords & { readonly isFull: boolean };
  readonly tasks: MediaTasks;
  readonly strength: CallStrength;
  readonly observer: CallObserver;
  readonly limits: { readonly callsMax: number; readonly mediaGapMs: number; readonly pongMs: number };
  /** What streams are signed over and dialled at, as `wss://host/prefix` or, on loopback, `ws://…`. */
  readonly streamBase: () => string;
}

export class LiveCalls {
  /** For the media sockets. */
  readonly door: StreamDoor;
  readonly #parts: LiveCallsParts;
  readonly #tokens = new StreamTokens();
  readonly #byCallSid = new Map<CallSid, LiveCall>();
  readonly #byRun = new Map<RunId, LiveCall>();
  readonly #around: CallEnvironment;
  readonly #whenEmpty: (() => void)[] = [];
  #stopSweeping: Stop | undefined;
  #isDraining = false;

  constructor(parts: LiveCallsParts) {
    this.#parts = parts;
    const { records, observer, limits, clock } = parts;
    this.#around = {
      records,
      observer,
      limits,
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      released: (call) => this.#released(call),
    };
    this.door = {
      admit: (upgrade) => {
        const decision = this.#admitStream(upgrade);
        if (typeof decision === "string") observer.streamRefused(decision);
        return decision;
      },
      refused: (reason) => observer.streamRefused(reason),
    };
  }

  /** Calls that hold a slot: reserved, talking, or being put away. */
  get size(): number {
    return this.#byRun.size;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** In the order they came. */
  all(): readonly LiveCall[] {
    return [...this.#byRun.values()];
  }

  find(key: CallSid | RunId): LiveCall | undefined {
    return typeof key === "number" ? this.#byRun.get(key) : this.#byCallSid.get(key);
  }

  /** Why such a call can't be taken now; undefined when it can. */
  refusal(arrival: Arrival = "inbound"): Refusal | undefined {
    // First: it is the one for which a refusal leaves no record either.
    if (this.#parts.records.isFull) return "log_full";
    if (this.#isDraining) return "draining";
    if (this.size >= this.#parts.limits.callsMax) return "calls_at_limit";
    if (!this.#parts.tasks.isReady) return "no_worker";
    return this.#parts.strength.refuses(arrival) ? "overloaded" : undefined;
  }

  /**
   * Reserves a slot for an admitted call, whose record is open, and places its task. `twiml` makes the answer from
   * the stream's URL. The caller has asked `refusal()` and found no live call with this CallSid.
   */
  admit(facts: LiveFacts, brief: CallBrief, twiml: (run: RunId, streamUrl: string) => string): LiveCall {
    const { clock, tasks, streamBase } = this.#parts;
    const { run, callSid, accountSid } = facts;
    const { token, nonce } = this.#tokens.mint(callSid, accountSid, clock.wallMs());
    const answer = { twiml: twiml(run, `${streamBase()}/media/${token}`), nonce };
    const call = new LiveCall(facts, answer, this.#around);
    this.#byCallSid.set(callSid, call);
    this.#byRun.set(run, call);
    this.#stopSweeping ??= clock.every(SWEEP_MS, () => this.#sweep());
    this.#parts.strength.taken();
    call.placed(tasks.place({ ...facts, ...brief }, call));
    return call;
  }

  /** Takes no more calls; resolves when the last one is over. */
  drain(): Promise<void> {
    this.#isDraining = true;
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Ends every call that is still there. Returns how many. */
  cut(): number {
    const calls = this.all();
    for (const call of calls) call.apply({ type: "drain_over" });
    return calls.length;
  }

  #admitStream(upgrade: Upgrade): StreamHandler | StreamRefusal {
    const { clock, directory, streamBase } = this.#parts;
    const claims = this.#tokens.check(upgrade.token, clock.wallMs());
    if (typeof claims === "string") return claims;
    const isSigned = streamBase().startsWith("wss:");
    if (isSigned && !this.#isUpgradeSigned(claims.accountSid, upgrade, directory)) return "signature";
    const call = this.#byCallSid.get(claims.callSid);
    if (call?.nonce !== claims.nonce || call.state.name !== "expected") return "token_used";
    call.apply({ type: "upgraded" });
    return call;
  }

  #isUpgradeSigned(accountSid: AccountSid, upgrade: Upgrade, directory: Directory): boolean {
    const url = `${this.#parts.streamBase()}${upgrade.path}`;
    return isUpgradeSigned(directory.tokensOf(accountSid), upgrade.signature, url);
  }

  #sweep(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const call of this.#byRun.values()) call.sweep(nowMs);
  }

  #released(call: LiveCall): void {
    this.#byRun.delete(call.run);
    if (this.#byCallSid.get(call.callSid) === call) this.#byCallSid.delete(call.callSid);
    if (this.size > 0) return;
    this.#stopSweeping?.();
    this.#stopSweeping = undefined;
    for (const done of this.#whenEmpty.splice(0)) done();
  }
}
