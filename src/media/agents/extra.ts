// What an operator decides about agents: types beside the built-in ones, as modules, and where their servers may be.

export interface AgentRules {
  /** Hosts that agents' servers may have although they are not public, spelled as `URL.hostname` spells them. */
  readonly privateHosts: readonly string[];
}

export const NO_RULES: AgentRules = { privateHosts: [] };

/** Built-in ones and the default exports of `modules` (URLs), by type; a named one may replace a built-in. */
export async function byType<Known extends { readonly type: string }>(
  builtIn: readonly Known[],
  modules: readonly string[],
): Promise<ReadonlyMap<string, Known>> {
  const types = new Map(builtIn.map((known) => [known.type, known]));
  for (const url of modules) {
    const loaded = (await import(url)) as { default: Known };
    types.set(loaded.default.type, loaded.default);
  }
  return types;
}
