// A call's events as lines for people. Audio and marks come fifty times a second, so a run of them is one line.
import type { Complaint } from "../twin/complaints.ts";
import type { CallEvent } from "../twin/timeline.ts";
import type { Verb } from "../twin/twiml.ts";

/** Audio that pauses for longer than this begins a new line. */
const RUN_GAP_MS = 1_000;

type Media = Extract<CallEvent, { kind: "media" }>;

/** Turns events into lines, in order; hands each to `print` as soon as it is complete. */
export class Narrator {
  readonly #print: (line: string) => void;
  #run: Media[] = [];
  #marks = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  tell(event: CallEvent): void {
    if (event.kind === "mark") {
      if (event.by === "gateway") this.#marks++;
    } else if (event.kind === "media") {
      const last = this.#run.at(-1);
      if (last !== undefined && event.atMs - last.atMs > RUN_GAP_MS) this.finish();
      this.#run.push(event);
    } else {
      this.finish();
      this.#print(timed(event.atMs, sentence(event)));
    }
  }

  complain({ atMs, code, text }: Complaint): void {
    this.finish();
    this.#print(timed(atMs, `Twilio would log ${code}: ${text}`));
  }

  /** Prints what is still held back. */
  finish(): void {
    const [first] = this.#run;
    if (first !== undefined) this.#print(timed(first.atMs, this.#runSentence(first)));
    this.#run = [];
    this.#marks = 0;
  }

  #runSentence(first: Media): string {
    const ms = this.#run.reduce((sum, media) => sum + media.ms, 0);
    const from = first.playsAtMs === null ? "not played" : `played from ${Math.round(first.playsAtMs)} ms on`;
    const marks = this.#marks === 0 ? "" : ` and ${count(this.#marks, "mark")}`;
    return `the agent's audio: ${Math.round(ms)} ms in ${count(this.#run.length, "message")}${marks}, ${from}`;
  }
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** A line of the timeline. */
export function timed(atMs: number, sentence: string): string {
  return `${Math.round(atMs).toString().padStart(7)} ms  ${sentence}`;
}

function sentence(event: Exclude<CallEvent, { kind: "media" | "mark" }>): string {
  switch (event.kind) {
    case "webhook":
      return `the webhook was ${answered(event.status)} in ${Math.round(event.tookMs)} ms`;
    case "twiml":
      return `TwiML: ${event.verbs.map(verbWords).join(", then ") || "nothing"}`;
    case "upgrade":
      return event.status === 101
        ? "the stream's socket is open"
        : `the upgrade was ${answered(event.status)}`;
    case "start":
      return `stream ${event.streamSid} starts`;
    case "clear":
      return `clear: ${Math.round(event.droppedMs)} ms of waiting audio dropped`;
    case "dtmf":
      return `the caller presses ${event.digit}`;
    case "action":
      return `the action (call ${event.callStatus}) was ${answered(event.status)} in ${Math.round(event.tookMs)} ms`;
    case "close":
      return `the stream is closed by ${CLOSERS[event.by]} (${[event.code, event.reason].filter(Boolean).join(", ")})`;
  }
}

const CLOSERS = { twilio: "this side", gateway: "the gateway", network: "a broken connection" };

function answered(status: number): string {
  return status === 0 ? "not answered" : `answered with ${status}`;
}

function verbWords(verb: Verb): string {
  switch (verb.verb) {
    case "Connect":
      return "connect the media stream";
    case "Say":
      return `say “${verb.text}”`;
    case "Play":
      return `play ${verb.url}`;
    case "Pause":
      return `pause for ${verb.lengthS} s`;
    case "Redirect":
      return `ask ${verb.url}`;
    case "Reject":
      return `reject (${verb.reason})`;
    case "Hangup":
      return "hang up";
  }
}
