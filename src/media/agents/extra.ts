// Types of agent beside the built-in ones: modules that an operator or a test names.

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
