// Which types of agent a workflow may name, for the front thread.
import { echoReader } from "./echo/settings.ts";
import { byType } from "./extra.ts";
import type { AgentReader } from "./port.ts";

// biome-ignore lint/suspicious/noExplicitAny: one map of types that differ in their settings
export type AgentReaders = ReadonlyMap<string, AgentReader<any>>;

/** The built-in types, and those that are the default exports of `modules` (URLs). */
export function loadAgentReaders(modules: readonly string[]): Promise<AgentReaders> {
  return byType([echoReader], modules);
}
