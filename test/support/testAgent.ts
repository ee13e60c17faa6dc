// An agent for stories: does what the caller's keys tell it, and otherwise listens. It runs in a media worker
// like any other.
import { setTimeout as delay } from "node:timers/promises";
import type { Agent, AgentType, CallFacts, Line } from "../../src/media/agents/port.ts";
import { agentSettings, NO_SILENCE_LIMITS } from "../../src/media/agents/settings.ts";

/** A second of it. */
export const WORDS = "Good morning, what can I do for you?";

const RATE_HZ = 8_000;
const FORMAT = { encoding: "pcm16", rateHz: RATE_HZ } as const;
const { schema, parse } = agentSettings("test", NO_SILENCE_LIMITS);

/** Half a second of a tone, about −12 dBFS. */
function tone(hz: number, ms = 500): Int16Array {
  return Int16Array.from({ length: (RATE_HZ * ms) / 1_000 }, (_, n) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * hz * n) / RATE_HZ)),
  );
}

/**
 * Keys: 1 says a second of a 700 Hz tone; 2 says it and hangs up once it was heard; 3 hangs up now; 4 throws while
 * the key is handled; 5 throws later, after a wait; 6 rejects a promise nobody looks at; 7 ends the worker's
 * process; 8 never returns; 9 fails as an agent may; 0 says ten seconds; * unsays what was not heard; # says a
 * tone of 1,000 Hz if this agent took over from one whose worker died, else of 400 Hz. A writes down what the caller
 * said, and says WORDS. C collects the worker's garbage, where node was told to expose that; D needs more memory from
 * then on, 20 MB each 20 ms, until there is none.
 */
class TestAgent implements Agent {
  readonly #line: Line;
  readonly #facts: CallFacts;

  constructor(line: Line, facts: CallFacts) {
    this.#line = line;
    this.#facts = facts;
  }

  dtmf(digit: string): void {
    const line = this.#line;
    switch (digit) {
      case "1":
        line.say(tone(700, 1_000));
        return line.endUtterance();
      case "2":
        line.say(tone(700, 1_000));
        return line.hangUp("heard");
      case "3":
        return line.hangUp("now");
      case "4":
        throw new Error("the test agent was told to throw");
      case "5":
        void delay(5).then(() => {
          process.nextTick(() => {
            throw new Error("the test agent was told to throw later");
          });
        });
        return;
      case "6":
        void Promise.reject(new Error("the test agent was told to reject"));
        return;
      case "7":
        return process.exit(7);
      case "8":
        for (;;);
      case "9":
        return line.fail("the test agent was told to fail");
      case "0":
        line.say(tone(700, 10_000));
        return line.endUtterance();
      case "*":
        line.clear();
        return;
      case "#":
        line.say(tone(this.#facts.resumed === undefined ? 400 : 1_000));
        return line.endUtterance();
      case "A":
        line.transcript("caller", "Is anyone there?");
        line.beginUtterance("words", WORDS);
        line.say(tone(700, 1_000));
        return line.endUtterance();
      case "D":
        return this.#leak();
      case "C":
        return (globalThis as { gc?: () => void }).gc?.();
    }
  }

  #leak(): void {
    const held: number[][] = [];
    setInterval(() => {
      for (let n = 0; n < 20; n++) held.push(new Array<number>(125_000).fill(0.5));
    }, 20);
  }

  started(): void {
    this.#line.ready(FORMAT, FORMAT);
  }

  hear(): void {}
  marked(): void {}
  interrupted(): void {}
  tick(): void {}
  ended(): void {}
}

const type: AgentType<typeof schema._output> = {
  type: "test",
  parse,
  create: (_settings, line, facts) => new TestAgent(line, facts),
};

export default type;
