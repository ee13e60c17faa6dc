// The websocket agent's settings, as a workflow holds them.
import { z } from "zod";
import { INTERRUPTIONS } from "../../../domain/agentSettings.ts";
import type { AgentReader } from "../port.ts";
import { agentSettings } from "../settings.ts";
import { urlProblem } from "./address.ts";

const URL_MAX = 2_048;

function fieldsFor(privateHosts: readonly string[]) {
  return agentSettings("websocket", {
    url: z
      .string()
      .max(URL_MAX)
      .superRefine((text, context) => {
        const message = urlProblem(text, privateHosts);
        if (message !== undefined) context.addIssue({ code: "custom", message });
      }),
    /** Sent as a bearer token, by which the server knows who calls. */
    agent_secret: z
      .string()
      .regex(/^[\x21-\x7e]{1,512}$/, "must be 1 to 512 ASCII characters without spaces")
      .optional(),
    interruption: z.enum(INTERRUPTIONS).default("on"),
  });
}

export type WebsocketSettings = z.output<ReturnType<typeof fieldsFor>["schema"]>;

/** For a gateway whose operator allows these hosts although they are not public. */
export function websocketReader(privateHosts: readonly string[]): AgentReader<WebsocketSettings> {
  return { type: "websocket", secrets: ["agent_secret"], parse: fieldsFor(privateHosts).parse };
}
