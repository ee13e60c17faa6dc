// The agent that is somebody's server: any WebSocket that speaks the protocol of docs/agents.md. This file owns the
// connection's life: dialled while Twilio is still being answered, found again when it is lost, watched, closed.

import type { EndReason } from "../../../domain/endings.ts";
import type { Agent, AgentMaker, Audio, CallFacts, Cut, Line } from "../port.ts";
import { Breaker } from "./breaker.ts";
import { Conversation } from "./conversation.ts";
import { Cuts } from "./cuts.ts";
import { DEAF_MS, Ear } from "./ear.ts";
import * as protocol from "./protocol.ts";
import { Refusals } from "./refusals.ts";
import { Resolver } from "./resolver.ts";
import type { WebsocketSettings } from "./settings.ts";
import { type AgentServer, AgentSocket, type Failure } from "./socket.ts";
import { AGAIN, FIRST, nextTryMs, type Patience } from "./tries.ts";

/** Two losses within this long are one too many. */
const LOSS_EVERY_MS = 10_000;
/** Ticks further apart than this mean that this thread stood still, and what came meanwhile has not been read yet. */
const STALL_MS = 250;
/** Messages before `ready` that are put up with. */
const EARLY_MAX = 300;
/** Keys, marks and cuts that wait for a connection. */
const WAITING_MAX = 64;
/** Close codes of a server that is done, and not broken. */
const DONE_CODES = [1_000, 1_005];

/** What the agents of one worker share. */
export interface WebsocketTools {
  readonly privateHosts: readonly string[];
  readonly resolver: Resolver;
  readonly breaker: Breaker;
}

/** All tries for one connection. */
interface Series {
  readonly patience: Patience;
  readonly beganMs: number;
  tries: number;
  /** Set in mid-call. */
  readonly loss: { readonly code: number; readonly why: string } | undefined;
}

type State =
  | { readonly name: "waiting"; readonly series: Series; readonly dueMs: number }
  | {
      readonly name: "dialling";
      readonly series: Series;
      readonly socket: AgentSocket;
      readonly isOpen: boolean;
      untilMs: number;
      early: number;
    }
  | {
      readonly name: "talking";
      readonly socket: AgentSocket;
      readonly conversation: Conversation;
      readonly ready: protocol.Ready;
      readonly ear: Ear;
    }
  /** The server has closed in good order; what it had said is still being taken. */
  | { readonly name: "leaving"; readonly conversation: Conversation }
  /** Nothing more is to be done, though the call may go on for a moment. */
  | { readonly name: "over" };

class WebsocketAgent implements Agent {
  readonly #line: Line;
  readonly #facts: CallFacts;
  readonly #tools: WebsocketTools;
  readonly #server: AgentServer;
  readonly #refusals = new Refusals();
  #state: State | undefined;
  /** Of this connection, or of the next when there is none. */
  #cuts = new Cuts();
  /** What the next connection is to be told once it is ready. */
  #waiting: string[] = [];
  #resumeId: string;
  #lostMs = Number.NEGATIVE_INFINITY;
  #utterances = 0;
  #tickedMs = Number.POSITIVE_INFINITY;

  constructor(settings: WebsocketSettings, line: Line, facts: CallFacts, tools: WebsocketTools) {
    this.#line = line;
    this.#facts = facts;
    this.#tools = tools;
    this.#resumeId = facts.resumed?.resumeId ?? "";
    const { privateHosts } = tools;
    this.#server = { url: new URL(settings.url), secret: settings.agent_secret, privateHosts };
  }

  started(): void {}

  hear(frame: Audio): void {
    if (this.#state?.name === "talking") this.#state.ear.hear(frame);
  }

  dtmf(digit: string): void {
    this.#send(protocol.dtmf(digit));
  }

  marked(name: string, heardMs: number): void {
    this.#send(protocol.mark(name, heardMs));
  }

  interrupted(cut: Cut): void {
    const state = this.#state;
    if (state?.name === "talking") return state.conversation.interrupted(cut);
    this.#cuts.interrupted(this.#line.nowMs());
    this.#send(protocol.interrupted(cut, this.#cuts.number));
  }

  tick(nowMs: number): void {
    this.#refusals.tell(nowMs, (news) => this.#line.tell(news));
    // The line may not be used before this, so it is also where everything begins.
    this.#state ??= { name: "waiting", series: series(FIRST, nowMs, undefined), dueMs: nowMs };
    const state = this.#state;
    const stalledMs = nowMs - this.#tickedMs;
    this.#tickedMs = nowMs;
    if (stalledMs > STALL_MS) excuse(state, stalledMs);
    switch (state.name) {
      case "waiting":
        if (nowMs >= state.dueMs) this.#try(state.series, nowMs);
        return;
      case "dialling":
        if (nowMs >= state.untilMs) this.#timedOut(state);
        return;
      case "talking":
        state.conversation.tick(nowMs);
        if (this.#state === state) this.#look(state, nowMs);
        return;
      case "leaving":
        return this.#leave(state.conversation, nowMs);
    }
  }

  ended(reason: EndReason): void {
    const state = this.#state;
    this.#state = { name: "over" };
    if (state?.name !== "dialling" && state?.name !== "talking") return;
    const isOpen = state.name === "talking" || state.isOpen;
    if (isOpen) state.socket.close(1_000, protocol.ended(reason));
    else state.socket.terminate();
  }

  // Finding the server.

  #try(series: Series, nowMs: number): void {
    const { breaker, resolver } = this.#tools;
    const { url } = this.#server;
    const isNewCall = series.loss === undefined && this.#facts.resumed === undefined;
    if (isNewCall && series.tries === 0 && !breaker.allows(url.href, nowMs)) {
      const detail = `${url.hostname} has failed again and again just now`;
      return this.#failed(series, { failure: "breaker", detail, isFinal: true });
    }
    series.tries++;
    const socket = new AgentSocket(this.#server, resolver, nowMs, {
      opened: () => this.#opened(series, socket),
      received: (bytes, isBinary) => this.#received(bytes, isBinary),
      pinged: () => this.#pinged(),
      ponged: (payload) => {
        if (this.#state?.name === "talking") this.#state.ear.ponged(payload);
        this.#pinged();
      },
      failed: (failure) => this.#failed(series, failure),
      lost: (code, why, reason) => this.#closed(series, code, why, reason),
    });
    const untilMs = series.beganMs + series.patience.openWithinMs;
    this.#state = { name: "dialling", series, socket, isOpen: false, untilMs, early: 0 };
  }

  #opened(series: Series, socket: AgentSocket): void {
    const nowMs = this.#line.nowMs();
    const untilMs = series.patience.readyByMs(series.beganMs, nowMs);
    this.#state = { name: "dialling", series, socket, isOpen: true, untilMs, early: 0 };
    const takeover = this.#takeover(series, nowMs);
    socket.sendText(protocol.hello(this.#facts, takeover !== undefined));
    if (takeover !== undefined) socket.sendText(protocol.resumed(takeover));
  }

  #takeover({ loss, beganMs }: Series, nowMs: number): protocol.Takeover | undefined {
    const resumeId = this.#resumeId;
    const { resumed } = this.#facts;
    if (loss !== undefined)
      return { lost: "socket", heardMs: this.#line.heardMs, resumeId, awayMs: nowMs - beganMs };
    if (resumed === undefined) return undefined;
    return { lost: "worker", heardMs: resumed.heardMs, resumeId, awayMs: undefined };
  }

  #timedOut(state: State & { name: "dialling" }): void {
    state.socket.terminate();
    const { hostname } = this.#server.url;
    const what = state.isOpen ? "is connected, but did not say ready in time" : "did not answer in time";
    this.#failed(state.series, { failure: "timeout", detail: `${hostname} ${what}`, isFinal: true });
  }

  #failed(series: Series, { failure, detail, isFinal }: Failure): void {
    const nowMs = this.#line.nowMs();
    this.#line.tell({ kind: "agent_connect_failed", failure, detail });
    // A server that answers what it will always answer costs no wait: another workflow's secret may be right.
    const isQuick = failure === "address" || failure === "breaker" || (failure === "status" && isFinal);
    if (!isQuick) this.#tools.breaker.failed(this.#server.url.href, nowMs);
    const dueMs = isFinal ? undefined : nextTryMs(series.patience, series.beganMs, series.tries, nowMs);
    if (dueMs !== undefined) {
      this.#state = { name: "waiting", series, dueMs };
      return;
    }
    if (series.loss === undefined) return this.#giveUp(`the agent's server could not be reached: ${detail}`);
    this.#tellDropped(series, "failed", nowMs);
    this.#giveUp(`${series.loss.why}, and could not be reached again: ${detail}`);
  }

  #giveUp(why: string): void {
    this.#state = { name: "over" };
    this.#line.fail(why);
  }

  // What it says.

  #received(bytes: Buffer, isBinary: boolean): void {
    const state = this.#state;
    if (state?.name === "talking") return state.conversation.received(bytes, isBinary);
    if (state?.name !== "dialling") return;
    const message = isBinary ? undefined : protocol.readMessage(bytes);
    if (message?.type === "ready") return this.#ready(state, message);
    if (message?.type === "malformed" && message.of === "ready")
      return this.#refused(state, `its ready was not understood: ${message.why}`);
    this.#refusals.add("early");
    if (state.early++ === 0)
      state.socket.sendText(
        protocol.error("early", "ready comes first", isBinary ? "audio" : typeOf(message)),
      );
    if (state.early > EARLY_MAX) this.#refused(state, "it sends much, and no ready");
  }

  /** Pings and pongs are messages too, to whoever has to read them. */
  #pinged(): void {
    const state = this.#state;
    if (state?.name === "talking") state.conversation.pinged();
    else if (state?.name === "dialling" && state.early++ > EARLY_MAX)
      this.#refused(state, "it pings, and is not ready");
  }

  /** Its first words are not of this protocol. */
  #refused({ series, socket }: State & { name: "dialling" }, why: string): void {
    socket.close(1_002, protocol.error("malformed", why, "ready"));
    this.#failed(series, {
      failure: "protocol",
      detail: `${this.#server.url.hostname}: ${why}`,
      isFinal: true,
    });
  }

  #ready({ series, socket }: State & { name: "dialling" }, ready: protocol.Ready): void {
    const line = this.#line;
    const nowMs = line.nowMs();
    const { hears, speaks } = ready;
    this.#tools.breaker.succeeded(this.#server.url.href);
    this.#cuts.cleared(); // whatever it says on this connection is new
    const conversation = new Conversation({
      line,
      socket,
      speaks,
      cuts: this.#cuts,
      refusals: this.#refusals,
      utteranceId: () => `utterance-${++this.#utterances}`,
      flooded: (why) => {
        this.#refusals.add("too_many");
        socket.close(1_008, protocol.error("too_many", why, null));
        this.#giveUp(why);
      },
    });
    this.#state = { name: "talking", socket, conversation, ready, ear: new Ear(socket, ready, nowMs) };
    if (ready.resumeId !== undefined) {
      this.#resumeId = ready.resumeId;
      line.leaveBehind(ready.resumeId);
    }
    if (series.loss === undefined) {
      const isPassthrough = [hears, speaks].map(({ encoding }) => encoding === "mulaw");
      line.tell({
        kind: "agent_connected",
        tookMs: Math.round(nowMs - series.beganMs),
        tries: series.tries,
        isResumed: this.#facts.resumed !== undefined,
        hears: `${hears.encoding}/${hears.rateHz}`,
        speaks: `${speaks.encoding}/${speaks.rateHz}`,
        path:
          isPassthrough[0] !== isPassthrough[1] ? "mixed" : isPassthrough[0] ? "passthrough" : "transcoded",
      });
    } else this.#tellDropped(series, "reconnected", nowMs);
    for (const text of this.#waiting.splice(0)) socket.sendText(text);
    line.ready(hears, speaks);
  }

  // How it is.

  #look({ conversation, ear, socket, ready }: State & { name: "talking" }, nowMs: number): void {
    const line = this.#line;
    const changed = ear.look(nowMs, !conversation.isPaused);
    if (changed === undefined) return;
    if (changed === "caught_up") return line.ready(ready.hears, ready.speaks);
    if (changed === "lost") {
      socket.terminate();
      return this.#lost(1_006, `${this.#server.url.hostname} has read nothing for ${DEAF_MS / 1_000} s`);
    }
    line.hold();
    line.tell({ kind: "agent_behind", behindMs: Math.round(changed.behindMs) });
  }

  #closed(series: Series, code: number, why: string, reason: string): void {
    const state = this.#state;
    // For the call's record alone: what a server says may be anything, and a log has no place for that.
    if (reason !== "" && !DONE_CODES.includes(code)) this.#line.tell({ kind: "agent_error", text: reason });
    if (state?.name === "dialling")
      return this.#failed(series, {
        failure: code === 1_002 ? "protocol" : "closed",
        detail: why,
        isFinal: false,
      });
    if (state?.name !== "talking") return;
    if (state.conversation.hasEnded) {
      this.#state = { name: "over" };
    } else if (DONE_CODES.includes(code)) {
      this.#state = { name: "leaving", conversation: state.conversation };
      this.#leave(state.conversation, this.#line.nowMs());
    } else this.#lost(code, why);
  }

  /** Once everything it had sent is said, the call ends as if it had hung up. */
  #leave(conversation: Conversation, nowMs: number): void {
    conversation.tick(nowMs);
    if (!conversation.isDone || this.#state?.name !== "leaving") return;
    this.#state = { name: "over" };
    this.#line.hangUp("heard");
  }

  #lost(code: number, why: string): void {
    const nowMs = this.#line.nowMs();
    const again = series(AGAIN, nowMs, { code, why });
    const isOften = nowMs - this.#lostMs < LOSS_EVERY_MS;
    this.#lostMs = nowMs;
    if (isOften) {
      this.#tellDropped(again, "failed", nowMs);
      return this.#giveUp(`${why}, for the second time within ${LOSS_EVERY_MS / 1_000} s`);
    }
    this.#cuts = new Cuts();
    this.#line.hold();
    this.#try(again, nowMs);
  }

  #tellDropped({ loss, beganMs }: Series, result: "reconnected" | "failed", nowMs: number): void {
    const awayMs = Math.round(nowMs - beganMs);
    this.#line.tell({ kind: "agent_dropped", code: loss!.code, result, awayMs });
  }

  /** Tells the server, or the one that is found in its place. */
  #send(text: string): void {
    const state = this.#state;
    if (state?.name === "talking") return state.socket.sendText(text);
    if (state?.name === "leaving" || state?.name === "over") return;
    this.#waiting.push(text);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }
}

/** What is awaited of a server is awaited for so much longer. */
function excuse(state: State, stalledMs: number): void {
  if (state.name === "dialling") state.untilMs += stalledMs;
  if (state.name === "talking") state.ear.excuse(stalledMs);
}

function series(patience: Patience, beganMs: number, loss: Series["loss"]): Series {
  return { patience, beganMs, tries: 0, loss };
}

function typeOf(message: protocol.FromAgent | protocol.Malformed | undefined): string | null {
  return message === undefined || message.type === "malformed" ? (message?.of ?? null) : message.type;
}

/** For a worker whose operator allows these hosts although they are not public. */
export function websocketMaker(
  privateHosts: readonly string[],
  tools: Partial<WebsocketTools> = {},
): AgentMaker<WebsocketSettings> {
  const shared = { privateHosts, resolver: new Resolver(), breaker: new Breaker(), ...tools };
  return {
    type: "websocket",
    create: (settings, line, facts) => new WebsocketAgent(settings, line, facts, shared),
  };
}
