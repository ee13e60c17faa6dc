// What the settings of every agent have in common, and how a type's own are read beside them.
import { z } from "zod";
import type { AgentReader, FieldProblem } from "./port.ts";

const HOUR_MS = 3_600_000;

/** Fields every agent has. Longest call: a day, which is also Twilio's. */
const common = {
  max_duration_ms: z
    .int()
    .min(0)
    .max(24 * HOUR_MS)
    .default(HOUR_MS),
};

const silence = z.int().min(0).max(HOUR_MS);
/** Fields of every agent that has something to say. 0 switches one off. */
const silenceLimits = {
  first_speech_timeout_ms: silence.default(5_000),
  max_silence_ms: silence.default(30_000),
};

/** For a type whose silence means nothing unless its workflow says so: to be spread into its own fields. */
export const NO_SILENCE_LIMITS = {
  first_speech_timeout_ms: silence.default(0),
  max_silence_ms: silence.default(0),
};

/** The settings of a type as `AgentReader.parse` wants them: its own fields beside the common ones, and no others. */
export function agentSettings<Type extends string, Fields extends z.core.$ZodLooseShape>(
  type: Type,
  fields: Fields,
) {
  return bareSettings(type, { ...silenceLimits, ...fields });
}

/** The same for an agent that has nothing of its own to say, so that its silence has no limit. */
export function bareSettings<Type extends string, Fields extends z.core.$ZodLooseShape>(
  type: Type,
  fields: Fields,
) {
  const schema = z.strictObject({ type: z.literal(type), ...common, ...fields });
  const parse: AgentReader<z.output<typeof schema>>["parse"] = (agent) => {
    const read = schema.safeParse(agent);
    if (read.success) return { settings: read.data };
    return { problems: problemsOf(read.error) };
  };
  return { schema, parse };
}

/** What a schema found wrong, field by field. */
export function problemsOf(error: z.ZodError): readonly FieldProblem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.filter((step) => typeof step !== "symbol");
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: [...path, key], message: "there is no such setting" }));
  });
}
