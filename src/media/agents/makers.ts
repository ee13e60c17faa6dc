// Which types of agent a worker can make.
import { echoMaker } from "./echo/echo.ts";
import { byType } from "./extra.ts";
import type { AgentMaker } from "./port.ts";

// A type's own reader made the settings that its own maker is given.
// biome-ignore lint/suspicious/noExplicitAny: one map of types that differ in their settings
export type AgentMakers = ReadonlyMap<string, AgentMaker<any>>;

/** The built-in types, and those that are the default exports of `modules` (URLs). */
export function loadAgentMakers(modules: readonly string[]): Promise<AgentMakers> {
  return byType([echoMaker], modules);
}
