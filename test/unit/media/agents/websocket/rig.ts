// One websocket agent with a real connection and nothing of a call around it but a line that writes down what it is
// told. Time is the machine's, and can be put forward.
import { after } from "node:test";
import type { EndReason } from "../../../../../src/domain/endings.ts";
import { AccountSid, CallSid, RunId } from "../../../../../src/domain/ids.ts";
import type { News, NewsKind } from "../../../../../src/lane/news.ts";
import type {
  Agent,
  Audio,
  AudioFormat,
  CallFacts,
  Cut,
  Line,
} from "../../../../../src/media/agents/port.ts";
import { type WebsocketTools, websocketMaker } from "../../../../../src/media/agents/websocket/websocket.ts";
import { until } from "../../../../support/until.ts";

export const FACTS: CallFacts = {
  callSid: CallSid("CA0123456789abcdef0123456789abcdef"),
  accountSid: AccountSid("AC0123456789abcdef0123456789abcdef"),
  run: RunId(7),
  direction: "inbound",
  from: "+14155550142",
  to: "+12025550100",
  workflow: { id: 3, name: "Reception", version: 2 },
  variables: { company: "Example" },
  parameters: { customer: 17 },
  resumed: undefined,
};

const TICK_MS = 5;

/** What a call would have done, one word or line each, in order; audio is kept apart. */
export class RecordingLine implements Line {
  readonly did: string[] = [];
  readonly news: News[] = [];
  readonly said: Audio[] = [];
  speaks: AudioFormat = { encoding: "mulaw", rateHz: 8_000 };
  queuedMs = 0;
  heardMs = 0;
  isOver = false;
  /** What `clear` returns. */
  cut: Cut = { by: "agent", utterance: "u1", heardMs: 420.4, heardText: "Hello" };
  #aheadMs = 0;

  get saidBytes(): number {
    return this.said.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  ready(hears: AudioFormat, speaks: AudioFormat): void {
    this.speaks = speaks;
    this.did.push(`ready ${hears.encoding}/${hears.rateHz} ${speaks.encoding}/${speaks.rateHz}`);
  }
  hold(): void {
    this.did.push("hold");
  }
  beginUtterance(id: string, text: string): void {
    this.did.push(`begin ${id} “${text}”`);
  }
  say(audio: Audio): number {
    this.said.push(audio.slice());
    this.queuedMs += (1_000 * audio.length) / this.speaks.rateHz;
    return audio.length;
  }
  endUtterance(text?: string): void {
    this.did.push(text === undefined ? "end" : `end “${text}”`);
  }
  mark(name: string): void {
    this.did.push(`mark ${name}`);
  }
  clear(): Cut {
    this.did.push("clear");
    this.queuedMs = 0;
    return this.cut;
  }
  transcript(role: string, text: string): void {
    this.did.push(`${role}: ${text}`);
  }
  hangUp(when: string): void {
    this.did.push(`hang up ${when}`);
  }
  fail(why: string): void {
    this.did.push(`fail: ${why}`);
  }
  leaveBehind(resumeId: string): void {
    this.did.push(`leave behind ${resumeId}`);
  }
  tell(news: News): void {
    this.news.push(news);
  }
  nowMs(): number {
    return performance.now() + this.#aheadMs;
  }
  /** Puts the clock forward. */
  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  told<Kind extends NewsKind>(kind: Kind): (News & { kind: Kind })[] {
    return this.news.filter((news): news is News & { kind: Kind } => news.kind === kind);
  }

  get failure(): string | undefined {
    return this.did.find((what) => what.startsWith("fail: "));
  }
}

export interface Rig {
  readonly line: RecordingLine;
  readonly agent: Agent;
  /** Once the line has been told something that begins so. */
  does(what: string): Promise<void>;
  /** Time passes, tick by tick, and nothing comes over any socket. */
  elapse(ms: number): void;
  end(reason?: EndReason): void;
}

/** An agent that dials `url`, ticked until it is ended or the test file is done. */
export function startAgent(
  url: string,
  {
    settings = {},
    facts = {},
    tools = {},
    privateHosts = ["127.0.0.1"],
  }: {
    settings?: object;
    facts?: Partial<CallFacts>;
    tools?: Partial<WebsocketTools>;
    privateHosts?: readonly string[];
  } = {},
): Rig {
  const line = new RecordingLine();
  const all = {
    type: "websocket" as const,
    url,
    interruption: "on" as const,
    max_duration_ms: 0,
    first_speech_timeout_ms: 0,
    max_silence_ms: 0,
    ...settings,
  };
  const agent = websocketMaker(privateHosts, tools).create(all, line, { ...FACTS, ...facts });
  const tick = () => agent.tick!(line.nowMs());
  const timer = setInterval(tick, TICK_MS);
  const elapse = (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      line.pass(Math.min(left, 100));
      tick();
    }
  };
  const end = (reason: EndReason = "caller_hung_up") => {
    if (line.isOver) return;
    line.isOver = true;
    clearInterval(timer);
    agent.ended(reason);
  };
  after(() => end());
  const does = (what: string) =>
    until(`the line to be told ${what}; it was told ${line.did.join(", ")}`, () =>
      line.did.some((did) => did.startsWith(what)),
    );
  return { line, agent, does, elapse, end };
}
