// A configuration as the API shows it, its secrets as masks.
import { z } from "zod";
import { mask } from "../../http/masks.ts";
import { moment, momentSchema } from "../../http/operation.ts";
import type { CredentialsCheck, StoredConfiguration } from "./configurations.store.ts";
import { FORM } from "./providerForm.ts";
import { CONSOLE_URL, type outboundReadiness, type setupChecklist } from "./readiness.ts";

const connectivity = z.enum(["api", "sip"]);
const heading = {
  id: z.int(),
  name: z.string(),
  provider: z.string(),
  connectivity,
  is_default_outbound: z.boolean(),
  inactive: z.boolean(),
  inactive_since: momentSchema.nullable(),
  inactive_reason: z.string().nullable(),
  created_at: momentSchema,
  updated_at: momentSchema,
};

export const listSchema = z
  .object({
    configurations: z.array(
      z.object({
        ...heading,
        phone_number_count: z.int().describe("Active ones."),
        is_ready_for_outbound: z.boolean(),
        outbound_blocked_reason: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: "TelephonyConfigurations" });

export const detailSchema = z
  .object({
    ...heading,
    credentials: z
      .record(z.string(), z.unknown())
      .describe("Secrets as masks: **** and the last four characters."),
    setup_checklist: z.object({
      ready_for_outbound: z.boolean(),
      outbound_blocked_reason: z.string().nullable(),
      steps: z.array(
        z.object({
          key: z.string(),
          title: z.string(),
          description: z.string(),
          complete: z.boolean(),
          blocks_outbound: z.boolean(),
        }),
      ),
      docs_url: z.string().nullable(),
    }),
    credentials_check: z
      .object({
        state: z.enum(["unchecked", "valid", "rejected", "suspended", "unreachable"]),
        message: z.string().nullable(),
        checked_at: momentSchema.nullable(),
        account_type: z.string().nullable().describe("Trial or Full."),
      })
      .describe("How Twilio took the credentials when they were last tried."),
    warnings: z.array(z.string()).describe("What was saved but may not be what was meant."),
  })
  .meta({ id: "TelephonyConfiguration" });

export const metadataSchema = z
  .object({
    providers: z.array(
      z.object({
        provider: z.string(),
        display_name: z.string(),
        connectivity,
        fields: z.array(
          z.object({
            name: z.string(),
            label: z.string(),
            type: z.string(),
            required: z.boolean(),
            sensitive: z.boolean(),
            description: z.string().nullable(),
            placeholder: z.string().nullable(),
            section: z.string().nullable(),
          }),
        ),
        docs_url: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: "TelephonyProviders" });

function headingOf({ id, name, isDefaultOutbound, createdAtMs, updatedAtMs }: StoredConfiguration) {
  return {
    id: id as number,
    name,
    provider: "twilio",
    connectivity: "api" as const,
    is_default_outbound: isDefaultOutbound,
    inactive: false,
    inactive_since: null,
    inactive_reason: null,
    created_at: moment(createdAtMs),
    updated_at: moment(updatedAtMs),
  };
}

export function itemOf(stored: StoredConfiguration, readiness: ReturnType<typeof outboundReadiness>) {
  return {
    ...headingOf(stored),
    phone_number_count: readiness.activeNumbers,
    is_ready_for_outbound: readiness.isReady,
    outbound_blocked_reason: readiness.blockedReason ?? null,
  };
}

export function detailOf(
  stored: StoredConfiguration,
  checklist: ReturnType<typeof setupChecklist>,
  warnings: readonly string[],
): z.input<typeof detailSchema> {
  const { accountSid, authTokens, apiKey, region, edge, amdEnabled, check } = stored;
  const masked = (secret: string | undefined) => (secret === undefined ? null : mask(secret));
  return {
    ...headingOf(stored),
    credentials: {
      provider: "twilio",
      account_sid: mask(accountSid),
      auth_token: masked(authTokens[0]),
      amd_enabled: amdEnabled,
      secondary_auth_token: masked(authTokens[1]),
      api_key_sid: masked(apiKey?.sid),
      api_key_secret: masked(apiKey?.secret),
      region: region ?? null,
      edge: edge ?? null,
    },
    setup_checklist: checklist,
    credentials_check: checkOf(check),
    warnings: [...warnings, ...(check.message === undefined ? [] : [check.message])],
  };
}

function checkOf({ state, message, atMs, accountType }: CredentialsCheck) {
  return {
    state,
    message: message ?? null,
    checked_at: atMs === undefined ? null : moment(atMs),
    account_type: accountType ?? null,
  };
}

export const METADATA: z.input<typeof metadataSchema> = {
  providers: [
    {
      provider: "twilio",
      display_name: "Twilio",
      connectivity: "api",
      fields: FORM.map(({ placeholder = null, section = null, ...field }) => ({
        ...field,
        placeholder,
        section,
      })),
      docs_url: CONSOLE_URL,
    },
  ],
};
