// Which types of agent there are. The front thread asks it to check a workflow, a worker to make an agent.

import { echo } from "./echo/echo.ts";
import type { AgentType } from "./port.ts";

// Settings are `any` only here: a type's own parse made what its own create is given.
// biome-ignore lint/suspicious/noExplicitAny: one map of types that differ in their settings
export type AnyAgentType = AgentType<any>;

export type AgentTypes = ReadonlyMap<string, AnyAgentType>;

const BUILT_IN: readonly AnyAgentType[] = [echo];

/** The built-in types, and those that are the default exports of `modules` (URLs). */
export async function loadAgentTypes(modules: readonly string[]): Promise<AgentTypes> {
  const types = new Map(BUILT_IN.map((type) => [type.type, type]));
  for (const url of modules) {
    const loaded = (await import(url)) as { default: AnyAgentType };
    types.set(loaded.default.type, loaded.default);
  }
  return types;
}
