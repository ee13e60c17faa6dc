// The API's operations on phone numbers. Saving one tells Twilio where its calls go, as far as Twilio can be told;
// what it can't be stays as a warning on the number.
import { z } from "zod";
import type { Clock } from "../domain/clock.ts";
import { FieldsInvalid, GatewayError } from "../domain/errors.ts";
import { ConfigurationId, NumberId, WorkflowId } from "../domain/ids.ts";
import { Encoded, idSchema, lineSchema, momentSchema, type Operation, operation } from "../http/operation.ts";
import type { Store } from "../store/store.ts";
import { readAddress } from "./address.ts";
import type { Directory } from "./directory.ts";
import { numberAnswer } from "./numberAnswer.ts";
import type { NumberFields, StoredNumber } from "./numbers.store.ts";
import { isWanted } from "./sync/settle.ts";
import type { VoiceUrlSync } from "./sync/sync.ts";
import { type May, SYNC_STATES } from "./sync/syncState.ts";
import { leftAtTwilio } from "./sync/syncWords.ts";

export interface NumberParts {
  readonly store: Pick<Store, "numbers">;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly sync: VoiceUrlSync;
}

const tag = "Phone numbers";
const BASE = "/api/v1/organizations/telephony-configs/{config_id}/phone-numbers";
const ofConfiguration = z.object({ config_id: idSchema });
const params = z.object({ config_id: idSchema, phone_number_id: idSchema });

const syncSchema = z
  .object({
    ok: z.boolean().describe("False: calls may not come here, or something of ours is left at Twilio."),
    message: z.string().nullable().describe("What is the matter and what to do about it."),
    state: z.enum(SYNC_STATES),
    remedy: z.string().nullable().describe("What to do about it, by itself."),
    checked_at: momentSchema.nullable(),
    voice_url: z.string().nullable().describe("What the number's VoiceUrl at Twilio should be."),
  })
  .meta({ id: "ProviderSync", description: "How a number stands with Twilio." });

const numberSchema = z
  .object({
    id: z.int(),
    telephony_configuration_id: z.int(),
    address: z.string().describe("As it was typed."),
    address_normalized: z.string(),
    address_type: z.enum(["pstn", "sip_uri"]),
    country_code: z.string().nullable(),
    label: z.string().nullable(),
    inbound_workflow_id: z.int().nullable(),
    inbound_workflow_name: z.string().nullable(),
    is_active: z.boolean(),
    is_default_caller_id: z.boolean(),
    extra_metadata: z.record(z.string(), z.unknown()),
    created_at: momentSchema,
    updated_at: momentSchema,
    warnings: z
      .array(z.string())
      .describe("What looks odd about the number, or keeps calls from being answered."),
    provider_sync: syncSchema,
  })
  .meta({ id: "PhoneNumber" });

const label = lineSchema.max(64).nullish();
const countryCode = z.string().length(2).nullish().describe("ISO 3166, such as US.");
const workflow = z.int().min(1).max(Number.MAX_SAFE_INTEGER).nullish();
const metadata = z.record(z.string(), z.unknown());

const newNumberSchema = z
  .strictObject({
    address: z
      .string()
      .min(1)
      .max(255)
      .describe("E.164, a national number with country_code, or a sip: URI."),
    country_code: countryCode,
    label,
    inbound_workflow_id: workflow,
    is_active: z.boolean().default(true),
    is_default_caller_id: z.boolean().default(false),
    extra_metadata: metadata.default({}),
  })
  .meta({ id: "PhoneNumberToMake" });

const changesSchema = z
  .strictObject({
    label: label.describe("Null or empty takes it away."),
    inbound_workflow_id: workflow.describe("Null leaves it as it is."),
    clear_inbound_workflow: z
      .boolean()
      .default(false)
      .describe("No workflow, whatever inbound_workflow_id says."),
    is_active: z.boolean().nullish(),
    country_code: countryCode,
    extra_metadata: metadata.nullish(),
  })
  .meta({ id: "PhoneNumberChanges" });

export function numberOperations({ store, directory, clock, sync }: NumberParts): readonly Operation[] {
  const now = () => Math.round(clock.wallMs());
  const answerOf = (number: StoredNumber) => numberAnswer(number, sync.places());

  function configurationOf(id: number): ConfigurationId {
    const configuration = directory.configuration(ConfigurationId(id));
    if (configuration === undefined) throw new GatewayError("NOT_FOUND", "Telephony configuration not found");
    return configuration.id;
  }

  async function numberOf({ config_id, phone_number_id }: z.output<typeof params>): Promise<StoredNumber> {
    const configurationId = configurationOf(config_id);
    const number = await store.numbers.get(NumberId(phone_number_id));
    return known(number?.configurationId === configurationId ? number : undefined);
  }

  function workflowOf(id: number | null | undefined): WorkflowId | undefined {
    if (id == null) return undefined;
    if (directory.workflow(WorkflowId(id)) === undefined)
      throw new GatewayError("NOT_FOUND", "Workflow not found");
    return WorkflowId(id);
  }

  /** The number as it is once Twilio was told, or after a few seconds. */
  async function settled(number: StoredNumber, may: May): Promise<StoredNumber> {
    return (await sync.order(number.id, may)) ?? number;
  }

  return [
    operation({
      method: "GET",
      path: BASE,
      tag,
      summary: "Lists a configuration's numbers, with how each stands with Twilio.",
      params: ofConfiguration,
      answer: z.object({ phone_numbers: z.array(numberSchema) }).meta({ id: "PhoneNumbers" }),
      errors: [404],
      run: async ({ params }) => {
        const id = configurationOf(params.config_id);
        return new Encoded("application/json", await store.numbers.listed(id, sync.places()));
      },
    }),
    operation({
      method: "POST",
      path: BASE,
      tag,
      summary:
        "Adds a number. With a workflow, its calls are sent here at Twilio; provider_sync says whether they are.",
      params: ofConfiguration,
      body: newNumberSchema,
      answer: numberSchema,
      errors: [404, 409],
      run: async ({ params, body }) => {
        const configurationId = configurationOf(params.config_id);
        const fields = readNewNumber(body, workflowOf(body.inbound_workflow_id));
        const number = await store.numbers.add(configurationId, fields, now());
        directory.putNumber(number);
        return answerOf(await settled(number, "replace"));
      },
    }),
    operation({
      method: "GET",
      path: `${BASE}/{phone_number_id}`,
      tag,
      summary: "Shows a number and how it stands with Twilio.",
      params,
      answer: numberSchema,
      errors: [404],
      run: async ({ params }) => answerOf(await numberOf(params)),
    }),
    operation({
      method: "PUT",
      path: `${BASE}/{phone_number_id}`,
      tag,
      summary:
        "Changes a number; what is left out stays. A label is taken away by null or empty text, the workflow by clear_inbound_workflow. Giving a workflow sends the number's calls here, whatever answered them before; taking it away puts that back.",
      params,
      body: changesSchema,
      answer: numberSchema,
      errors: [404],
      run: async ({ params, body }) => {
        const before = await numberOf(params);
        checkCountry(body.country_code);
        const given = workflowOf(body.inbound_workflow_id);
        const changes = {
          label: body.label === undefined ? undefined : body.label || null,
          inboundWorkflowId: body.clear_inbound_workflow ? null : given,
          isActive: body.is_active ?? undefined,
          countryCode: body.country_code?.toUpperCase(),
          extraMetadata: body.extra_metadata ?? undefined,
        };
        const number = known(await store.numbers.update(before.id, changes, now()));
        directory.putNumber(number);
        // A new label is none of Twilio's business.
        if (isWanted(number) ? isWanted(before) && given === undefined : !isWanted(before))
          return answerOf(number);
        return answerOf(await settled(number, isWanted(number) ? "replace" : "keep"));
      },
    }),
    operation({
      method: "POST",
      path: `${BASE}/{phone_number_id}/set-default-caller`,
      tag,
      summary: "Makes a number the caller ID of its configuration's calls, unless they name another.",
      params,
      answer: numberSchema,
      errors: [404],
      run: async ({ params }) => {
        const { id } = await numberOf(params);
        const number = known(await store.numbers.setDefault(id, now()));
        directory.putNumber(number);
        return answerOf(number);
      },
    }),
    operation({
      method: "POST",
      path: `${BASE}/{phone_number_id}/sync`,
      tag,
      summary: "Looks at Twilio now, and has the number's calls come here whatever else they were sent to.",
      params,
      query: z.object({
        clear_override: z
          .stringbool()
          .default(false)
          .describe("Also takes the number off a SIP trunk or TwiML app that answers its calls."),
      }),
      answer: numberSchema,
      errors: [404],
      run: async ({ params, query }) => {
        const number = await numberOf(params);
        return answerOf(await settled(number, query.clear_override ? "release" : "replace"));
      },
    }),
    operation({
      method: "DELETE",
      path: `${BASE}/{phone_number_id}`,
      tag,
      summary:
        "Deletes a number. What answered its calls at Twilio before is put back as far as Twilio lets us.",
      params,
      answer: z.object({ message: z.string(), provider_sync: syncSchema.pick({ ok: true, message: true }) }),
      errors: [404],
      run: async ({ params }) => {
        const number = await numberOf(params);
        const why = await sync.release(number, async () => {
          await store.numbers.remove(number.id);
          directory.removeNumber(number.id);
        });
        const left = why === undefined ? null : leftAtTwilio([number.address], why);
        const message = `Phone number ${number.address} was deleted.`;
        return {
          message: left === null ? message : `${message} ${left}`,
          provider_sync: { ok: left === null, message: left },
        };
      },
    }),
  ];
}

function known(number: StoredNumber | undefined): StoredNumber {
  if (number === undefined) throw new GatewayError("NOT_FOUND", "Phone number not found");
  return number;
}

function readNewNumber(
  body: z.output<typeof newNumberSchema>,
  inboundWorkflowId: WorkflowId | undefined,
): NumberFields {
  checkCountry(body.country_code);
  const read = readAddress(body.address, body.country_code);
  if ("problem" in read) throw new FieldsInvalid([{ path: ["body", "address"], message: read.problem }]);
  const { type, normalized, countryCode, warning } = read.ok;
  return {
    typed: body.address,
    address: normalized,
    type,
    countryCode,
    warning,
    label: body.label || undefined,
    inboundWorkflowId,
    isActive: body.is_active,
    isDefaultCallerId: body.is_default_caller_id,
    extraMetadata: body.extra_metadata,
  };
}

const ANY_NUMBER = "+14155550100";

/** Throws FieldsInvalid for what is no country, so that it is not the number that gets the blame. */
function checkCountry(countryCode: string | null | undefined): void {
  const read = readAddress(ANY_NUMBER, countryCode);
  if ("problem" in read) throw new FieldsInvalid([{ path: ["body", "country_code"], message: read.problem }]);
}
