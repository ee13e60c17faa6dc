// The API's operations on Twilio configurations. Secrets go in and come back as masks.
import { z } from "zod";
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import { ConfigurationId, type WorkflowId } from "../../domain/ids.ts";
import { idSchema, nameSchema, type Operation, operation } from "../../http/operation.ts";
import type { Store } from "../../store/store.ts";
import type { TwilioAccess, TwilioRest } from "../../twilio/rest.ts";
import type { Configuration, Directory } from "../directory.ts";
import type { VoiceUrlSync } from "../sync/sync.ts";
import { leftAtTwilio } from "../sync/syncWords.ts";
import {
  detailOf,
  detailSchema,
  itemOf,
  listSchema,
  METADATA,
  metadataSchema,
} from "./configurationAnswer.ts";
import { accountSchema, readAccountChanges, readNewAccount } from "./configurationForm.ts";
import type { ConfigurationChanges, StoredConfiguration } from "./configurations.store.ts";
import { checkCredentials } from "./credentials.ts";
import { outboundReadiness, setupChecklist } from "./readiness.ts";

export interface ConfigurationParts {
  readonly store: Pick<Store, "configurations">;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly rest: TwilioRest;
  readonly accessOf: (configuration: Configuration) => TwilioAccess;
  readonly sync: VoiceUrlSync;
}

const tag = "Telephony configurations";
const BASE = "/api/v1/organizations/telephony-configs";
const params = z.object({ config_id: idSchema });
const configurationName = nameSchema.max(64);
/** Changes name another provider only to be told that it can't be. */
const changesSchema = z
  .strictObject({
    name: configurationName.nullish(),
    config: z.strictObject({ ...accountSchema.shape, provider: z.string().default("twilio") }).nullish(),
  })
  .meta({ id: "TelephonyConfigurationChanges" });

export function configurationOperations(parts: ConfigurationParts): readonly Operation[] {
  const { store, directory, clock, accessOf, sync } = parts;
  const now = () => Math.round(clock.wallMs());

  /** NOT_FOUND for a demo that doesn't count here, too. */
  async function configurationOf(id: number): Promise<StoredConfiguration> {
    const stored = await store.configurations.get(ConfigurationId(id));
    return known(stored && directory.configuration(stored.id) && stored);
  }

  /** Tries the credentials and keeps what came of it. */
  async function tried(stored: StoredConfiguration): Promise<StoredConfiguration> {
    const check = await checkCredentials(parts, stored);
    await store.configurations.setCheck(stored, check);
    return known(await store.configurations.get(stored.id));
  }

  const answers = (workflow: WorkflowId) => "brief" in directory.answererOf(workflow);
  const answerOf = (stored: StoredConfiguration, warnings: readonly string[] = []) =>
    detailOf(stored, setupChecklist(directory.numbersOf(stored.id), stored.check, answers), warnings);

  return [
    operation({
      method: "GET",
      path: "/api/v1/organizations/telephony-providers/metadata",
      tag,
      summary: "Describes the form of each provider's account.",
      answer: metadataSchema,
      run: () => METADATA,
    }),
    operation({
      method: "GET",
      path: BASE,
      tag,
      summary: "Lists the configurations, the default for outbound calls first.",
      answer: listSchema,
      run: async () => {
        const stored = new Map((await store.configurations.all()).map((each) => [each.id, each]));
        const shown = directory.configurations().map(({ id }) => stored.get(id));
        return {
          configurations: shown
            .filter((each) => each !== undefined)
            .map((each) => itemOf(each, outboundReadiness(directory.numbersOf(each.id)))),
        };
      },
    }),
    operation({
      method: "POST",
      path: BASE,
      tag,
      summary: "Saves a Twilio account. Its credentials are tried, and kept whatever comes of it.",
      body: z
        .strictObject({
          name: configurationName,
          is_default_outbound: z.boolean().default(false),
          config: accountSchema,
        })
        .meta({ id: "TelephonyConfigurationToMake" }),
      answer: detailSchema,
      errors: [409],
      run: async ({ body }) => {
        const { fields, warnings } = readNewAccount(body.config);
        const { name, is_default_outbound: isDefaultOutbound } = body;
        const stored = await store.configurations.add(
          { ...fields, name, isDefaultOutbound, isDemo: false },
          now(),
        );
        directory.putConfiguration(stored);
        return answerOf(await tried(stored), warnings);
      },
    }),
    operation({
      method: "GET",
      path: `${BASE}/{config_id}`,
      tag,
      summary: "Shows a configuration, its secrets masked.",
      params,
      answer: detailSchema,
      errors: [404],
      run: async ({ params }) => answerOf(await configurationOf(params.config_id)),
    }),
    operation({
      method: "PUT",
      path: `${BASE}/{config_id}`,
      tag,
      summary:
        "Changes a configuration. A secret's mask keeps the secret; optional credentials that are left out stay, null takes them away.",
      params,
      body: changesSchema,
      answer: detailSchema,
      errors: [400, 404, 409],
      run: async ({ params, body }) => {
        const stored = await configurationOf(params.config_id);
        const { changes, warnings } = readChanges(body, stored);
        const saved = known(await store.configurations.update(stored.id, changes, now()));
        directory.putConfiguration(saved);
        if (body.config == null) return answerOf(saved);
        if (saved.accountSid === stored.accountSid) {
          sync.recheck(saved.id);
          return answerOf(await tried(saved), warnings);
        }
        const [checked, left] = await Promise.all([tried(saved), sync.moved(saved, accessOf(stored))]);
        return answerOf(checked, [...warnings, ...leftOf(left)]);
      },
    }),
    operation({
      method: "POST",
      path: `${BASE}/{config_id}/set-default-outbound`,
      tag,
      summary: "Makes a configuration the one that outbound calls use unless they name another.",
      params,
      answer: detailSchema,
      errors: [404],
      run: async ({ params }) => {
        const { id } = await configurationOf(params.config_id);
        const stored = known(await store.configurations.setDefault(id, now()));
        directory.putConfiguration(stored);
        return answerOf(stored);
      },
    }),
    operation({
      method: "DELETE",
      path: `${BASE}/{config_id}`,
      tag,
      summary:
        "Deletes a configuration and its numbers; what their calls did at Twilio before is put back as far as Twilio lets us.",
      params,
      answer: z.object({ message: z.string() }),
      errors: [404],
      run: async ({ params }) => {
        const stored = await configurationOf(params.config_id);
        const left = await sync.releaseAll(stored, async () => {
          await store.configurations.remove(stored.id);
          directory.removeConfiguration(stored.id);
        });
        return { message: [`Configuration '${stored.name}' was deleted.`, ...leftOf(left)].join(" ") };
      },
    }),
  ];
}

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new GatewayError("NOT_FOUND", "Telephony configuration not found");
  return value;
}

function readChanges(body: z.output<typeof changesSchema>, stored: StoredConfiguration) {
  const name = body.name ?? undefined;
  if (body.config == null) return { changes: { name }, warnings: [] };
  const { provider, ...account } = body.config;
  if (provider !== "twilio") {
    throw new GatewayError(
      "NOT_POSSIBLE",
      "A configuration's provider can't be changed: make a new configuration instead.",
    );
  }
  const { fields, warnings } = readAccountChanges({ provider, ...account }, stored);
  const isOther = fields.accountSid !== undefined && fields.accountSid !== stored.accountSid;
  // The demo account is known by its SID; whatever else is put in its place is somebody's own.
  const changes: ConfigurationChanges = { ...fields, name, ...(isOther && { isDemo: false }) };
  return { changes, warnings };
}

function leftOf({
  addresses,
  why,
}: {
  readonly addresses: readonly string[];
  readonly why: string | undefined;
}) {
  return addresses.length === 0 ? [] : [leftAtTwilio(addresses, why ?? "")];
}
