// Who may ring here, who answers, and as whom we may call: all configurations, numbers and workflows in memory, so
// that a webhook is answered without a query. What the store has committed is put in here at once; a look-up sees
// one state, since nothing in here waits.
import type { WorkflowBrief } from "../domain/brief.ts";
import type { Refusal } from "../domain/endings.ts";
import type { AccountSid, ConfigurationId, DefinitionId, NumberId, WorkflowId } from "../domain/ids.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import { joined } from "../workflows/agentSecrets.ts";
import { readDefinition, type Workflow } from "../workflows/workflow.ts";

/** A Twilio account. */
export interface Configuration {
  readonly id: ConfigurationId;
  readonly name: string;
  readonly accountSid: AccountSid;
  /** What Twilio may sign with: the auth token, and during a rotation the next one. */
  readonly authTokens: readonly string[];
  /** What REST requests are made as, where it isn't the account's own token. */
  readonly apiKey: { readonly sid: string; readonly secret: string } | undefined;
  readonly region: string | undefined;
  readonly edge: string | undefined;
  /** Whether machines are listened for on outbound calls. */
  readonly amdEnabled: boolean;
  readonly isDefaultOutbound: boolean;
  /** The account that was made up at first start; it counts only while nobody else can reach us. */
  readonly isDemo: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

export interface PhoneNumber {
  readonly id: NumberId;
  readonly configurationId: ConfigurationId;
  /** Canonical: E.164, or a SIP address. */
  readonly address: string;
  readonly type: "pstn" | "sip_uri";
  readonly isActive: boolean;
  readonly isDefaultCallerId: boolean;
  readonly inboundWorkflowId: WorkflowId | undefined;
}

/** Everything routing is made from. */
export interface DirectoryContents {
  readonly configurations: readonly Configuration[];
  readonly numbers: readonly PhoneNumber[];
  readonly workflows: readonly Workflow[];
}

/** A workflow that can take a call. */
export interface Answerer {
  readonly definitionId: DefinitionId;
  readonly brief: WorkflowBrief;
}

/** Who answers a number, or why nobody does. */
export type Route =
  | ({ readonly configurationId: ConfigurationId; readonly numberId: NumberId } & Answerer)
  | {
      readonly configurationId?: ConfigurationId;
      readonly numberId?: NumberId;
      readonly refusal: Refusal;
    };

interface Readied {
  readonly workflow: Workflow;
  readonly answerer: Answerer | { readonly refusal: Refusal };
}

/** One configuration's, so that it can go, or move to another account, without a look at each of its thousands. */
interface Numbers {
  readonly byId: Map<NumberId, PhoneNumber>;
  readonly byAddress: Map<string, PhoneNumber>;
}

export class Directory {
  readonly #types: AgentReaders;
  readonly #takesDemo: boolean;
  readonly #configurations = new Map<ConfigurationId, Configuration>();
  readonly #byAccount = new Map<AccountSid, Configuration[]>();
  /** There from a configuration's first number on. */
  readonly #numbers = new Map<ConfigurationId, Numbers>();
  /** Whose each number is. */
  readonly #homes = new Map<NumberId, ConfigurationId>();
  readonly #workflows = new Map<WorkflowId, Readied>();
  readonly #byUuid = new Map<string, WorkflowId>();

  /** `takesDemo`: whether the demo account counts. */
  constructor(contents: DirectoryContents, types: AgentReaders, takesDemo: boolean) {
    this.#types = types;
    this.#takesDemo = takesDemo;
    for (const configuration of contents.configurations) this.putConfiguration(configuration);
    for (const workflow of contents.workflows) this.putWorkflow(workflow);
    for (const number of contents.numbers) this.putNumber(number);
  }

  // What webhooks and upgrades ask.

  /** The auth tokens of every configuration with that account; none for a stranger. */
  tokensOf(accountSid: AccountSid): readonly string[] {
    return (this.#byAccount.get(accountSid) ?? []).flatMap(({ authTokens }) => authTokens);
  }

  /** `address` is canonical, or undefined for what is neither a telephone number nor a SIP address. */
  route(accountSid: AccountSid, address: string | undefined): Route {
    const number = address === undefined ? undefined : this.#dialled(accountSid, address);
    if (number === undefined) return { refusal: "number_unknown" };
    const { id: numberId, configurationId, inboundWorkflowId } = number;
    if (!number.isActive) return { configurationId, numberId, refusal: "number_inactive" };
    const readied = inboundWorkflowId === undefined ? undefined : this.#workflows.get(inboundWorkflowId);
    const answerer = readied?.answerer ?? { refusal: "workflow_missing" as const };
    return { configurationId, numberId, ...answerer };
  }

  // What outbound calls ask.

  configuration(id: ConfigurationId): Configuration | undefined {
    return this.#configurations.get(id);
  }

  /** The default for outbound calls first, then in the order they were made. */
  configurations(): readonly Configuration[] {
    const rank = ({ isDefaultOutbound, createdAtMs }: Configuration) => (isDefaultOutbound ? 0 : createdAtMs);
    return [...this.#configurations.values()].sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  }

  number(id: NumberId): PhoneNumber | undefined {
    const home = this.#homes.get(id);
    return home === undefined ? undefined : this.#numbers.get(home)?.byId.get(id);
  }

  numbersOf(id: ConfigurationId): Iterable<PhoneNumber> {
    return this.#numbers.get(id)?.byId.values() ?? [];
  }

  workflow(id: WorkflowId): Workflow | undefined {
    return this.#workflows.get(id)?.workflow;
  }

  workflowOf(uuid: string): Workflow | undefined {
    const id = this.#byUuid.get(uuid);
    return id === undefined ? undefined : this.workflow(id);
  }

  /** Who takes a call for this workflow, or why nobody does. */
  answererOf(id: WorkflowId): Answerer | { readonly refusal: Refusal } {
    return this.#workflows.get(id)?.answerer ?? { refusal: "workflow_missing" };
  }

  /** Who takes a call that began with this version, the newest or not. */
  answererIn(version: Workflow): Answerer | { readonly refusal: Refusal } {
    return answererFor(version, this.#types);
  }

  // What is told by whoever has just written to the store.

  /** Adds it or takes the place of the one with its id. Its numbers follow it to another account. */
  putConfiguration(configuration: Configuration): void {
    if (configuration.isDemo && !this.#takesDemo) return;
    // At most one is the default, and the newest word counts.
    if (configuration.isDefaultOutbound) this.#demoteOthers();
    const { id, accountSid } = configuration;
    if (this.#configurations.get(id)?.accountSid === accountSid) return this.#replace(configuration);
    this.#leaveAccount(id);
    this.#configurations.set(id, configuration);
    this.#byAccount.set(accountSid, [...(this.#byAccount.get(accountSid) ?? []), configuration]);
  }

  /** With its numbers. */
  removeConfiguration(id: ConfigurationId): void {
    this.#leaveAccount(id);
    this.#configurations.delete(id);
    for (const number of this.numbersOf(id)) this.#homes.delete(number.id);
    this.#numbers.delete(id);
  }

  /** Adds it or takes the place of the one with its id; without its configuration it counts for nothing. */
  putNumber(number: PhoneNumber): void {
    this.removeNumber(number.id);
    const { id, configurationId } = number;
    if (!this.#configurations.has(configurationId)) return;
    const numbers = this.#numbers.get(configurationId) ?? { byId: new Map(), byAddress: new Map() };
    this.#numbers.set(configurationId, numbers);
    const set = (one: PhoneNumber) => {
      numbers.byId.set(one.id, one);
      numbers.byAddress.set(one.address, one);
    };
    if (number.isDefaultCallerId) {
      for (const other of numbers.byId.values())
        if (other.isDefaultCallerId) set({ ...other, isDefaultCallerId: false });
    }
    set(number);
    this.#homes.set(id, configurationId);
  }

  removeNumber(id: NumberId): void {
    const home = this.#homes.get(id);
    const numbers = home === undefined ? undefined : this.#numbers.get(home);
    const number = numbers?.byId.get(id);
    if (numbers === undefined || number === undefined) return;
    numbers.byId.delete(id);
    numbers.byAddress.delete(number.address);
    this.#homes.delete(id);
  }

  putWorkflow(workflow: Workflow): void {
    this.#workflows.set(workflow.id, { workflow, answerer: answererFor(workflow, this.#types) });
    this.#byUuid.set(workflow.uuid, workflow.id);
  }

  /** A routing key is in one configuration at most, and an account has hardly ever more than one or two. */
  #dialled(accountSid: AccountSid, address: string): PhoneNumber | undefined {
    for (const { id } of this.#byAccount.get(accountSid) ?? []) {
      const number = this.#numbers.get(id)?.byAddress.get(address);
      if (number !== undefined) return number;
    }
    return undefined;
  }

  #leaveAccount(id: ConfigurationId): void {
    const accountSid = this.#configurations.get(id)?.accountSid;
    if (accountSid === undefined) return;
    const others = this.#byAccount.get(accountSid)!.filter((other) => other.id !== id);
    if (others.length === 0) this.#byAccount.delete(accountSid);
    else this.#byAccount.set(accountSid, others);
  }

  #demoteOthers(): void {
    for (const other of this.#configurations.values()) {
      if (!other.isDefaultOutbound) continue;
      this.#replace({ ...other, isDefaultOutbound: false });
    }
  }

  /** The account is the same. */
  #replace(configuration: Configuration): void {
    const { id, accountSid } = configuration;
    this.#configurations.set(id, configuration);
    const sameAccount = this.#byAccount.get(accountSid)!;
    this.#byAccount.set(
      accountSid,
      sameAccount.map((each) => (each.id === id ? configuration : each)),
    );
  }
}

function answererFor(workflow: Workflow, types: AgentReaders): Answerer | { readonly refusal: Refusal } {
  if (workflow.status === "archived") return { refusal: "workflow_archived" };
  const read = readDefinition(joined(workflow), types);
  if ("problems" in read) return { refusal: "workflow_invalid" };
  const { id, name, version, definitionId, templateContextVariables: variables = {} } = workflow;
  return { definitionId, brief: { workflow: { id, name, version }, ...read, variables } };
}
