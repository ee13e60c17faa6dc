// What a user gives for a Twilio account, and how its fields are read. Secrets come back
// masked from this API, so a mask that is sent in means what is stored; no other one may take a secret's place.
import { z } from "zod";
import { type FieldFault, FieldsInvalid } from "../../domain/errors.ts";
import { AccountSid } from "../../domain/ids.ts";
import { FOREIGN_MASK, sentAs } from "../../http/masks.ts";
import { isHostLabel } from "../../twilio/rest.ts";
import type {
  ConfigurationChanges,
  ConfigurationFields,
  StoredConfiguration,
} from "./configurations.store.ts";

const TEXT_MAX = 256;
const given = z.string().max(TEXT_MAX);
const optional = given.nullish();

/** The fields of a Twilio account. */
export const accountSchema = z
  .strictObject({
    provider: z.literal("twilio").default("twilio"),
    account_sid: given.describe("AC and 32 hex digits, from the console's first page."),
    auth_token: given.describe("The account's primary auth token; webhooks are signed with it."),
    amd_enabled: z.boolean().default(false).describe("Whether outbound calls are checked for machines."),
    secondary_auth_token: optional.describe("The token that will be the primary one after a rotation."),
    api_key_sid: optional.describe("SK…: requests are made with this key instead of the auth token."),
    api_key_secret: optional,
    region: optional.describe("Such as ie1."),
    edge: optional.describe("Such as dublin."),
    from_numbers: z.array(z.unknown()).optional().describe("Ignored: numbers are added one by one."),
  })
  .meta({ id: "TwilioAccount", description: "A Twilio account as it is saved." });

export type AccountForm = z.output<typeof accountSchema>;

/** A form as it was read; `warnings` are for whoever sent it. */
export interface ReadForm<Fields> {
  readonly fields: Fields;
  readonly warnings: readonly string[];
}

type AccountFields = Omit<ConfigurationFields, "name" | "isDefaultOutbound" | "isDemo">;

/** Throws FieldsInvalid that names every field that is wrong. */
export function readNewAccount(form: AccountForm): ReadForm<AccountFields> {
  const reader = new Reader(form, undefined);
  const fields = {
    accountSid: AccountSid(reader.accountSid() ?? ""),
    authToken: reader.secret("auth_token") ?? "",
    secondaryAuthToken: reader.optionalSecret("secondary_auth_token") ?? undefined,
    apiKey: reader.apiKey() ?? undefined,
    region: reader.label("region") ?? undefined,
    edge: reader.label("edge") ?? undefined,
    amdEnabled: form.amd_enabled,
  };
  return { fields, warnings: reader.finish() };
}

/** What the form changes of what is stored. Optional fields that are not in it stay; null or empty takes them away. */
export function readAccountChanges(
  form: AccountForm,
  stored: StoredConfiguration,
): ReadForm<ConfigurationChanges> {
  const reader = new Reader(form, stored);
  const sid = reader.accountSid();
  const fields = {
    accountSid: sid === undefined ? undefined : AccountSid(sid),
    authToken: reader.secret("auth_token"),
    secondaryAuthToken: reader.optionalSecret("secondary_auth_token"),
    apiKey: reader.apiKey(),
    region: reader.label("region"),
    edge: reader.label("edge"),
    amdEnabled: form.amd_enabled,
  };
  return { fields, warnings: reader.finish() };
}

/** The fields that are text, as they are named outside. */
export type TextField = {
  [Name in keyof AccountForm]: NonNullable<AccountForm[Name]> extends string ? Name : never;
}[keyof AccountForm] &
  string;

const SPOKEN: Readonly<Record<string, string>> = {
  account_sid: "the account SID",
  auth_token: "the auth token",
  secondary_auth_token: "the secondary auth token",
  api_key_sid: "the API key's SID",
  api_key_secret: "the API key's secret",
  region: "the region",
  edge: "the edge",
};
/** White space of any kind, and the invisible marks that copied text carries. */
const AROUND =
  /^[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+|[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+$/gu;
const PRINTABLE = /^[\x21-\x7e]+$/;
const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/;
const KEY_SID = /^SK[0-9a-fA-F]{32}$/;
const ACCOUNT_SID_ADVICE =
  "An account SID is AC and 32 hex digits; it stands on the first page of Twilio's console.";

/** Reads field by field and collects what is wrong and what is to be said. Undefined from it means: as stored. */
class Reader {
  readonly #form: AccountForm;
  readonly #stored: StoredConfiguration | undefined;
  readonly #faults: FieldFault[] = [];
  readonly #warnings: string[] = [];

  constructor(form: AccountForm, stored: StoredConfiguration | undefined) {
    this.#form = form;
    this.#stored = stored;
    if (form.from_numbers !== undefined && form.from_numbers.length > 0) {
      this.#warnings.push("from_numbers were not read: add each number to the configuration by itself.");
    }
  }

  accountSid(): string | undefined {
    const sid = this.#masked("account_sid", this.#stored?.accountSid);
    if (sid === undefined || ACCOUNT_SID.test(sid)) return sid;
    const problem = /^SK/i.test(sid)
      ? "This begins with SK, so it is an API key's SID: that goes into api_key_sid, and its secret into api_key_secret."
      : "This is not an account SID.";
    this.#fault("account_sid", `${problem} ${ACCOUNT_SID_ADVICE}`);
    return undefined;
  }

  /** One that can't be left out. */
  secret(name: "auth_token"): string | undefined {
    const token = this.#masked(name, this.#stored?.authTokens[0]);
    if (token === undefined || PRINTABLE.test(token)) return token;
    this.#fault(
      name,
      token === ""
        ? "An auth token is wanted: it stands below the account SID in Twilio's console."
        : "An auth token has only letters and digits, without a space or line break in it.",
    );
    return undefined;
  }

  optionalSecret(name: "secondary_auth_token"): string | null | undefined {
    const token = this.#optional(name, this.#stored?.authTokens[1]);
    if (token === undefined || token === null || PRINTABLE.test(token)) return token;
    this.#fault(name, "An auth token has only letters and digits, without a space or line break in it.");
    return undefined;
  }

  /** SID and secret come and go together. */
  apiKey(): ConfigurationFields["apiKey"] | null {
    const stored = this.#stored?.apiKey;
    const sid = this.#optional("api_key_sid", stored?.sid);
    const secret = this.#optional("api_key_secret", stored?.secret);
    if (sid === undefined && secret === undefined) return undefined;
    if (sid === null && (secret === null || secret === undefined)) return null;
    const whole = { sid: sid ?? stored?.sid, secret: secret ?? stored?.secret };
    if (sid === null || whole.sid === undefined) {
      this.#fault("api_key_sid", "An API key's secret needs the key's SID beside it: SK and 32 hex digits.");
    } else if (!KEY_SID.test(whole.sid)) {
      this.#fault("api_key_sid", "An API key's SID is SK and 32 hex digits.");
    } else if (secret === null || whole.secret === undefined || !PRINTABLE.test(whole.secret)) {
      this.#fault(
        "api_key_secret",
        "An API key needs its secret, which Twilio shows once when the key is made.",
      );
    } else if (sid !== undefined && sid !== stored?.sid && secret === undefined) {
      this.#fault("api_key_secret", "Another API key needs its own secret.");
    } else {
      return { sid: whole.sid, secret: whole.secret };
    }
    return undefined;
  }

  label(name: "region" | "edge"): string | null | undefined {
    const label = this.#optional(name, undefined);
    if (label === undefined || label === null || isHostLabel(label)) return label;
    this.#fault(
      name,
      "This is a single word in lower case, such as ie1 for a region and dublin for an edge.",
    );
    return undefined;
  }

  finish(): readonly string[] {
    if (this.#faults.length > 0) throw new FieldsInvalid(this.#faults);
    return this.#warnings;
  }

  /** Undefined: not given, or given as its mask. Null: to be taken away. */
  #optional(name: TextField, stored: string | undefined): string | null | undefined {
    const value = this.#form[name];
    if (value === undefined) return undefined;
    const text = value === null ? "" : this.#trimmed(name, value);
    if (text === "") return null;
    return this.#unmasked(name, text, stored);
  }

  #masked(name: TextField, stored: string | undefined): string | undefined {
    return this.#unmasked(name, this.#trimmed(name, this.#form[name] ?? ""), stored);
  }

  #trimmed(name: TextField, text: string): string {
    const trimmed = text.replace(AROUND, "");
    if (trimmed !== text && trimmed !== "")
      this.#warnings.push(`Spaces around ${SPOKEN[name]} were left out.`);
    return trimmed;
  }

  #unmasked(name: TextField, text: string, stored: string | undefined): string | undefined {
    const sent = sentAs(text, stored);
    if (sent === "clear") return text;
    if (sent === "foreign") this.#fault(name, FOREIGN_MASK);
    return undefined;
  }

  #fault(name: TextField, message: string): void {
    this.#faults.push({ path: ["body", "config", name], message });
  }
}
