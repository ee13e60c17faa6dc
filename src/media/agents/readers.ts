// Which types of agent a workflow may name, for the front thread.
import { echoReader } from "./echo/settings.ts";
import { type AgentRules, byType, NO_RULES } from "./extra.ts";
import type { AgentReader } from "./port.ts";
import { websocketReader } from "./websocket/settings.ts";

// biome-ignore lint/suspicious/noExplicitAny: one map of types that differ in their settings
type AnyReader = AgentReader<any>;
export type AgentReaders = ReadonlyMap<string, AnyReader>;

/** The built-in types, and those that are the default exports of `modules` (URLs). */
export function loadAgentReaders(
  modules: readonly string[],
  { privateHosts }: AgentRules = NO_RULES,
): Promise<AgentReaders> {
  return byType<AnyReader>([echoReader, websocketReader(privateHosts)], modules);
}
