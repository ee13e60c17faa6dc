// What a worker tells of a call while it goes on: for the call's timeline and for the metrics. Rare, a few to a turn,
// never one per frame. Crosses the lane as a record of its own kind, so that it keeps its order with the call's audio
// and comes before its end. Where a text stands, it is what was said on the phone: for the record, never for a log.

/** Why an agent's server could not be reached. Labels `linecard_agent_connect_failures_total`. */
export const CONNECT_FAILURES = [
  "address", //   not allowed: not public, not wss, or it resolves to what is not
  "dns",
  "refused",
  "timeout", //   no connection, handshake or `ready` in time
  "tls",
  "status", //    its server answered, but with something else than an upgrade
  "protocol", //  its first words were not what the protocol wants
  "closed", //    it closed before it was ready
  "breaker", //   not tried: it has failed again and again just now
] as const;
export type ConnectFailure = (typeof CONNECT_FAILURES)[number];

/** What of an agent's messages was not obeyed. Labels `linecard_agent_messages_refused_total`. */
export const AGENT_MESSAGE_REFUSALS = [
  "malformed", //      not JSON, not of the schema, or an odd number of bytes
  "not_supported", //  send_digits, transfer
  "early", //          before `ready`
  "too_many", //       faster than an agent may send
  "stale_audio", //    of an utterance that was interrupted; counted in frames
] as const;
export type AgentMessageRefusal = (typeof AGENT_MESSAGE_REFUSALS)[number];

/** What the gateway itself says to the caller. */
export const PROMPTS = ["comfort", "apology", "announcement"] as const;
export type Prompt = (typeof PROMPTS)[number];
/** Each as mu-law in whole frames, over memory that the threads share. */
export type Prompts = Readonly<Record<Prompt, Uint8Array>>;

/** Levels are dB below full scale (negative), rounded to whole numbers. */
export type News =
  | {
      readonly kind: "agent_connected";
      /** From the first try to `ready`. */
      readonly tookMs: number;
      readonly tries: number;
      readonly isResumed: boolean;
      readonly hears: string; //   such as `mulaw/8000`
      readonly speaks: string;
      readonly path: "passthrough" | "transcoded" | "mixed";
    }
  | { readonly kind: "agent_connect_failed"; readonly failure: ConnectFailure; readonly detail: string }
  /** In mid-call; `result` says what came of the one try to find it again. */
  | {
      readonly kind: "agent_dropped";
      readonly code: number;
      readonly result: "reconnected" | "failed";
      readonly awayMs: number;
    }
  /** Its socket is not read from: it is as far ahead as an agent may be. */
  | { readonly kind: "agent_paused"; readonly queuedMs: number }
  /** It reads too slowly, so that the caller's oldest audio was dropped. */
  | { readonly kind: "agent_behind"; readonly behindMs: number }
  | { readonly kind: "agent_refused"; readonly what: AgentMessageRefusal; readonly count: number }
  /** What the agent says went wrong with it. */
  | { readonly kind: "agent_error"; readonly text: string }
  | {
      readonly kind: "speech_started";
      readonly levelDb: number;
      readonly floorDb: number;
      /** What the level had to be over: the floor or the agent's own echo, with a margin. */
      readonly thresholdDb: number;
      readonly isAgentSpeaking: boolean;
      readonly isInterrupting: boolean;
    }
  | {
      readonly kind: "speech_stopped";
      readonly levelDb: number;
      readonly floorDb: number;
      readonly lastedMs: number;
    }
  | {
      readonly kind: "interrupted";
      readonly by: "caller" | "agent";
      /** Audio that had been queued or sent and was not heard. */
      readonly droppedMs: number;
      /** From the caller's first sound, or the agent's word, to the clear that was handed to the socket's thread. */
      readonly tookMs: number;
    }
  /** One utterance of the agent's is over: heard, or cut. */
  | {
      readonly kind: "utterance";
      readonly id: string;
      readonly generatedMs: number;
      readonly sentMs: number;
      readonly heardMs: number;
      readonly isInterrupted: boolean;
      readonly text: string;
      /** As much of the text as the heard part of the audio holds, by length. */
      readonly heardText: string;
    }
  | { readonly kind: "transcript"; readonly role: "caller" | "agent"; readonly text: string }
  /** One turn: from the end of the caller's speech. Absent where it didn't come to that. */
  | {
      readonly kind: "turn";
      /** To the first byte of the agent's answer. */
      readonly agentMs: number;
      /** From there until its first frame was handed to the socket's thread. */
      readonly forwardMs: number;
      /** From the end of the caller's speech until the answer's first frame was heard. */
      readonly heardMs: number;
    }
  /** The first agent audio of the call: from the webhook's task to the frame handed over. */
  | { readonly kind: "first_audio"; readonly sinceTaskMs: number; readonly sinceStreamMs: number }
  | { readonly kind: "prompt"; readonly prompt: Prompt; readonly why: string }
  /** Twilio takes our audio and confirms none of it. */
  | { readonly kind: "playout_stalled"; readonly behindMs: number }
  | {
      readonly kind: "recording";
      readonly state: "started" | "finished" | "failed";
      readonly file: string;
      readonly lastedMs: number;
      readonly droppedMs: number;
      /** Of one that failed: in a word, such as the system's `ENOSPC`. */
      readonly why?: string;
    };

export type NewsKind = News["kind"];

/** As it crosses the lane. */
export interface ToldNews {
  /** On the clock that all threads share. */
  readonly atMs: number;
  readonly news: News;
}

/** Told per call at most; what is over is counted, and not told. Twenty minutes of quick talk have a thousand… */
export const NEWS_MAX = 2_000;
/** …and an hour of it has some hundred thousand bytes of text, each said, heard and written down. */
export const NEWS_BYTES_MAX = 1_024 * 1_024;
