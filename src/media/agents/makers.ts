// Which types of agent a worker can make.
import { echoMaker } from "./echo/echo.ts";
import { type AgentRules, byType, NO_RULES } from "./extra.ts";
import type { AgentMaker } from "./port.ts";
import { websocketMaker } from "./websocket/websocket.ts";

// A type's own reader made the settings that its own maker is given.
// biome-ignore lint/suspicious/noExplicitAny: one map of types that differ in their settings
type AnyMaker = AgentMaker<any>;
export type AgentMakers = ReadonlyMap<string, AnyMaker>;

/** The built-in types, and those that are the default exports of `modules` (URLs). */
export function loadAgentMakers(
  modules: readonly string[],
  { privateHosts }: AgentRules = NO_RULES,
): Promise<AgentMakers> {
  return byType<AnyMaker>([echoMaker, websocketMaker(privateHosts)], modules);
}
