// The stories' agent once more, as a type that has secrets.
import { z } from "zod";
import type { AgentType } from "../../src/media/agents/port.ts";
import { agentSettings, NO_SILENCE_LIMITS } from "../../src/media/agents/settings.ts";
import testAgent from "./testAgent.ts";

/** As short as a secret of this type may be; a mask is shorter. */
export const SECRET_CHARS_MIN = 12;

const { schema, parse } = agentSettings("secretive", {
  ...NO_SILENCE_LIMITS,
  agent_secret: z.string().min(SECRET_CHARS_MIN).optional(),
  other_secret: z.string().optional(),
  greeting: z.string().optional(),
});

const type: AgentType<typeof schema._output> = {
  type: "secretive",
  secrets: ["agent_secret", "other_secret"],
  parse,
  create: (settings, line, facts) => testAgent.create({ ...settings, type: "test" }, line, facts),
};

export default type;
