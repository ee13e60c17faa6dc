// An agent type whose module cannot be loaded while the file that its own address names is there.
import { existsSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import type { AgentType } from "../../../src/media/agents/port.ts";
import { agentSettings, NO_SILENCE_LIMITS } from "../../../src/media/agents/settings.ts";

const obstacle = new URL(import.meta.url).searchParams.get("obstacle");
if (!isMainThread && obstacle !== null && existsSync(obstacle)) throw new Error("this agent is in a mood");

const { schema, parse } = agentSettings("moody", NO_SILENCE_LIMITS);

const type: AgentType<typeof schema._output> = {
  type: "moody",
  parse,
  create: () => ({
    started() {},
    hear() {},
    dtmf() {},
    marked() {},
    interrupted() {},
    tick() {},
    ended() {},
  }),
};

export default type;
