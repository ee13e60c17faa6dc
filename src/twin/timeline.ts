// What happened on a call, in order, on its time axis: 0 is the moment the first webhook was sent.
import type { TwinClock } from "./clock.ts";
import { type Complaint, type ComplaintCode, complaint } from "./complaints.ts";
import type { Verb } from "./twiml.ts";

/** Whose doing something was. "network": the connection broke. */
export type Party = "twilio" | "gateway" | "network";

export type CallEvent = { readonly atMs: number } & (
  | { readonly kind: "webhook"; readonly to: string; readonly status: number; readonly tookMs: number }
  | { readonly kind: "twiml"; readonly verbs: readonly Verb[] }
  | { readonly kind: "upgrade"; readonly status: number }
  | { readonly kind: "start"; readonly streamSid: string }
  /** Audio from the gateway; `playsAtMs` is null when the buffer was full. */
  | { readonly kind: "media"; readonly ms: number; readonly playsAtMs: number | null }
  /** The gateway sets a mark, or Twilio sends it back; `cleared`: because of a clear. */
  | { readonly kind: "mark"; readonly by: Party; readonly name: string; readonly cleared?: boolean }
  | { readonly kind: "clear"; readonly droppedMs: number }
  | { readonly kind: "dtmf"; readonly digit: string }
  | { readonly kind: "action"; readonly callStatus: string; readonly status: number; readonly tookMs: number }
  | { readonly kind: "close"; readonly by: Party; readonly code: number; readonly reason: string }
);

/** An event before it is put on the time axis. */
export type Happening = CallEvent extends infer Event
  ? Event extends CallEvent
    ? Omit<Event, "atMs">
    : never
  : never;

export class Timeline {
  readonly events: CallEvent[] = [];
  readonly complaints: Complaint[] = [];
  /** Called for each event as it happens. */
  onEvent: (event: CallEvent) => void = () => {};
  /** The same for complaints. */
  onComplaint: (complaint: Complaint) => void = () => {};
  readonly #clock: TwinClock;
  readonly #originMs: number;

  constructor(clock: TwinClock) {
    this.#clock = clock;
    this.#originMs = clock.nowMs();
  }

  /** Milliseconds since the axis began. */
  nowMs(): number {
    return this.#clock.nowMs() - this.#originMs;
  }

  add(happening: Happening): void {
    const event = { atMs: this.nowMs(), ...happening } as CallEvent;
    this.events.push(event);
    this.onEvent(event);
  }

  complain(code: ComplaintCode, detail?: string): Complaint {
    const made = complaint(code, this.nowMs(), detail);
    this.complaints.push(made);
    this.onComplaint(made);
    return made;
  }
}
