// Who may ring here and who answers, as one immutable value in memory: a webhook is answered without a query,
// and a change of configuration replaces the whole.
import type { Refusal } from "../domain/endings.ts";
import type { AccountSid, ConfigurationId, NumberId, WorkflowId } from "../domain/ids.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import { type AgentSettings, readDefinition, type Workflow } from "../workflows/workflow.ts";

/** A Twilio account. */
export interface Configuration {
  readonly id: ConfigurationId;
  readonly name: string;
  readonly accountSid: AccountSid;
  /** What Twilio may sign with: the auth token, and during a rotation the next one. */
  readonly authTokens: readonly string[];
}

export interface PhoneNumber {
  readonly id: NumberId;
  readonly configurationId: ConfigurationId;
  /** E.164. */
  readonly address: string;
  readonly isActive: boolean;
  readonly inboundWorkflowId: WorkflowId | undefined;
}

/** Everything routing is made from. */
export interface DirectoryContents {
  readonly configurations: readonly Configuration[];
  readonly numbers: readonly PhoneNumber[];
  readonly workflows: readonly Workflow[];
}

/** Who answers a number, or why nobody does. */
export type Route =
  | {
      readonly numberId: NumberId;
      readonly workflowId: WorkflowId;
      readonly workflowVersion: number;
      readonly agent: AgentSettings;
    }
  | { readonly numberId: NumberId | undefined; readonly refusal: Refusal };

/** Where routing is looked up. The value is replaced whole, so one look-up sees one state. */
export interface Directory {
  readonly routing: RoutingSnapshot;
}

export class RoutingSnapshot {
  readonly #tokens = new Map<AccountSid, string[]>();
  readonly #routes = new Map<string, Route>();

  constructor(contents: DirectoryContents, types: AgentReaders) {
    const workflows = new Map(contents.workflows.map((workflow) => [workflow.id, workflow]));
    const accounts = new Map<ConfigurationId, AccountSid>();
    for (const { id, accountSid, authTokens } of contents.configurations) {
      accounts.set(id, accountSid);
      this.#tokens.set(accountSid, [...(this.#tokens.get(accountSid) ?? []), ...authTokens]);
    }
    for (const number of contents.numbers) {
      const accountSid = accounts.get(number.configurationId);
      if (accountSid === undefined) continue;
      this.#routes.set(routingKey(accountSid, number.address), routeOf(number, workflows, types));
    }
  }

  /** The auth tokens of every configuration with that account; none for a stranger. */
  tokensOf(accountSid: AccountSid): readonly string[] {
    return this.#tokens.get(accountSid) ?? [];
  }

  /** `address` is E.164, or undefined for what is no telephone number. */
  route(accountSid: AccountSid, address: string | undefined): Route {
    const route = address === undefined ? undefined : this.#routes.get(routingKey(accountSid, address));
    return route ?? { numberId: undefined, refusal: "number_unknown" };
  }
}

function routingKey(accountSid: AccountSid, address: string): string {
  return `${accountSid} ${address}`;
}

function routeOf(
  number: PhoneNumber,
  workflows: ReadonlyMap<WorkflowId, Workflow>,
  types: AgentReaders,
): Route {
  const refuse = (refusal: Refusal): Route => ({ numberId: number.id, refusal });
  if (!number.isActive) return refuse("number_inactive");
  const workflow =
    number.inboundWorkflowId === undefined ? undefined : workflows.get(number.inboundWorkflowId);
  if (workflow === undefined) return refuse("workflow_missing");
  if (workflow.status === "archived") return refuse("workflow_archived");
  const read = readDefinition(workflow.definition, types);
  if ("problems" in read) return refuse("workflow_invalid");
  return {
    numberId: number.id,
    workflowId: workflow.id,
    workflowVersion: workflow.version,
    agent: read.agent,
  };
}
