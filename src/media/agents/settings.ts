// What the settings of every agent have in common, and how a type's own are read beside them.
import { z } from "zod";
import type { AgentReader } from "./port.ts";

const HOUR_MS = 3_600_000;

/** Fields every agent has. Longest call: a day, which is also Twilio's. */
const common = {
  max_duration_ms: z
    .int()
    .min(0)
    .max(24 * HOUR_MS)
    .default(HOUR_MS),
};

/** The settings of a type as `AgentReader.parse` wants them: its own fields beside the common ones, and no others. */
export function agentSettings<Type extends string, Fields extends z.core.$ZodLooseShape>(
  type: Type,
  fields: Fields,
) {
  const schema = z.strictObject({ type: z.literal(type), ...common, ...fields });
  const parse: AgentReader<z.output<typeof schema>>["parse"] = (agent) => {
    const read = schema.safeParse(agent);
    if (read.success) return { settings: read.data };
    return {
      problems: read.error.issues.flatMap((issue) => {
        const path = issue.path.filter((step) => typeof step !== "symbol");
        if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
        return issue.keys.map((key) => ({ path: [...path, key], message: "there is no such setting" }));
      }),
    };
  };
  return { schema, parse };
}
