// Which settings of an agent are secret, as its type says, and where they stand: apart from the definition from the
// moment it comes in. They are joined with it for its agent's type alone, and everyone else sees masks.
import { FOREIGN_MASK, mask, sentAs } from "../http/masks.ts";
import type { FieldProblem } from "../media/agents/port.ts";
import type { AgentReaders } from "../media/agents/readers.ts";

/** By the setting's name. */
export type AgentSecrets = Readonly<Record<string, string>>;

/** A definition, and the secrets that belong into its `agent`. */
export interface PartedDefinition {
  readonly definition: unknown;
  readonly secrets: AgentSecrets;
}

/** As it came in: a setting that was sent as a mask is in `masks` alone. */
export interface SentDefinition extends PartedDefinition {
  readonly masks: AgentSecrets;
}

/** Parts what was sent. A secret that is null or empty is none. */
export function parted(sent: unknown, types: AgentReaders): SentDefinition {
  const agent = agentIn(sent);
  const kept: Record<string, unknown> = { ...agent };
  const secrets: Record<string, string> = {};
  const masks: Record<string, string> = {};
  for (const name of secretsOf(agent, types)) {
    if (!Object.hasOwn(kept, name)) continue;
    const value = kept[name];
    // What is no text is left for the type to refuse.
    if (typeof value !== "string" && value !== null) continue;
    delete kept[name];
    if (value === null || value === "") continue;
    if (sentAs(value, undefined) === "clear") secrets[name] = value;
    else masks[name] = value;
  }
  return { definition: agent === undefined ? sent : { ...(sent as object), agent: kept }, secrets, masks };
}

/**
 * What is to be stored: masks stand for what `stored` has, unless its agent is of another type or at another address:
 * what one server was trusted with is not for another, and nobody can have it sent elsewhere without knowing it.
 */
export function unmasked(
  { definition, secrets, masks }: SentDefinition,
  stored: PartedDefinition | undefined,
): PartedDefinition | { readonly problems: readonly FieldProblem[] } {
  const isSameServer = trusteeOf(stored?.definition) === trusteeOf(definition);
  const known = isSameServer ? (stored?.secrets ?? {}) : {};
  const kept: Record<string, string> = {};
  const problems: FieldProblem[] = [];
  for (const [name, text] of Object.entries(masks)) {
    const secret = Object.hasOwn(known, name) ? known[name] : undefined;
    if (secret !== undefined && sentAs(text, secret) === "stored") kept[name] = secret;
    else problems.push({ path: ["agent", name], message: FOREIGN_MASK });
  }
  return problems.length > 0 ? { problems } : { definition, secrets: { ...secrets, ...kept } };
}

/** The whole definition, for its agent's type to read. */
export function joined({ definition, secrets }: PartedDefinition): unknown {
  return withAgent(definition, secrets);
}

/** The definition as it may be shown. */
export function masked({ definition, secrets }: PartedDefinition): unknown {
  const masks = Object.entries(secrets).map(([name, secret]) => [name, mask(secret)]);
  return withAgent(definition, Object.fromEntries(masks));
}

function withAgent(definition: unknown, settings: AgentSecrets): unknown {
  const agent = agentIn(definition);
  if (agent === undefined) return definition;
  return { ...(definition as object), agent: { ...agent, ...settings } };
}

/** Whom an agent's secrets are for. */
function trusteeOf(definition: unknown): string {
  const { type, url } = agentIn(definition) ?? {};
  const origin = typeof url === "string" && URL.canParse(url) ? new URL(url).origin : undefined;
  return JSON.stringify([type, origin]);
}

function secretsOf(agent: Readonly<Record<string, unknown>> | undefined, types: AgentReaders) {
  const type = typeof agent?.type === "string" ? types.get(agent.type) : undefined;
  return type?.secrets ?? [];
}

function agentIn(definition: unknown): Readonly<Record<string, unknown>> | undefined {
  const { agent } = (definition ?? {}) as { readonly agent?: unknown };
  const isObject = typeof agent === "object" && agent !== null && !Array.isArray(agent);
  return isObject ? (agent as Readonly<Record<string, unknown>>) : undefined;
}
