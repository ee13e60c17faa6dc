// An agent type that throws at the moment its settings name.
import { z } from "zod";
import type { Agent, AgentType } from "../../../../src/media/agents/port.ts";
import { agentSettings, NO_SILENCE_LIMITS } from "../../../../src/media/agents/settings.ts";

const { schema, parse } = agentSettings("throwing", { ...NO_SILENCE_LIMITS, at: z.string() });
type Settings = z.output<typeof schema>;

class ThrowingAgent implements Agent {
  readonly hears = { encoding: "pcm16", rateHz: 16_000 } as const;
  readonly speaks = this.hears;
  readonly #at: string;

  constructor({ at }: Settings) {
    this.#at = at;
    this.#reach("create");
  }

  started(): void {
    this.#reach("started");
  }

  hear(): void {
    this.#reach("hear");
  }

  dtmf(): void {
    this.#reach("dtmf");
  }

  marked(): void {}

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
  create: (settings) => new ThrowingAgent(settings),
};

export default type;
