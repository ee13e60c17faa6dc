// An agent type that throws at the moment its settings name.
import { z } from "zod";
import type { Agent, AgentType, Line } from "../../../../src/media/agents/port.ts";
import { agentSettings, NO_SILENCE_LIMITS } from "../../../../src/media/agents/settings.ts";

const { schema, parse } = agentSettings("throwing", { ...NO_SILENCE_LIMITS, at: z.string() });
const FORMAT = { encoding: "pcm16", rateHz: 16_000 } as const;
const SECOND = FORMAT.rateHz;
type Settings = z.output<typeof schema>;

class ThrowingAgent implements Agent {
  readonly #at: string;
  readonly #line: Line;

  constructor({ at }: Settings, line: Line) {
    this.#at = at;
    this.#line = line;
    this.#reach("create");
  }

  started(): void {
    this.#line.ready(FORMAT, FORMAT);
    this.#reach("started");
    // So that there is something to interrupt, and a mark that comes back.
    this.#line.say(new Int16Array(SECOND));
    this.#line.mark("at its end");
  }

  hear(): void {
    this.#reach("hear");
  }

  dtmf(): void {
    this.#reach("dtmf");
  }

  tick(): void {
    this.#reach("tick");
  }

  marked(): void {
    this.#reach("marked");
  }

  interrupted(): void {
    this.#reach("interrupted");
  }

  ended(): void {
    this.#reach("ended");
  }

  #reach(moment: string): void {
    if (moment === this.#at) throw new Error(`thrown at ${moment}`);
  }
}

const type: AgentType<Settings> = {
  type: "throwing",
  parse,
  create: (settings, line) => new ThrowingAgent(settings, line),
};

export default type;
