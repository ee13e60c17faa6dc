// Twilio configurations in the database, their secrets sealed. What leaves this file is open, and goes to the front
// thread's directory alone.

import { GatewayError } from "../../domain/errors.ts";
import type { AccountSid, ConfigurationId } from "../../domain/ids.ts";
import type { Db } from "../../store/open.ts";
import type { SealedColumns, Vault } from "../../store/vault.ts";
import type { Configuration } from "../directory.ts";
import { taken } from "../taken.ts";

/** How Twilio took the credentials when they were last tried. */
export type CredentialsState = "unchecked" | "valid" | "rejected" | "suspended" | "unreachable";

export interface CredentialsCheck {
  readonly state: CredentialsState;
  /** For the operator; undefined when there is nothing to say. */
  readonly message: string | undefined;
  readonly atMs: number | undefined;
  /** `Trial` or `Full`, as Twilio calls them. */
  readonly accountType: string | undefined;
}

export interface StoredConfiguration extends Configuration {
  readonly check: CredentialsCheck;
  readonly updatedAtMs: number;
}

/** What a user gives. */
export interface ConfigurationFields {
  readonly name: string;
  readonly accountSid: AccountSid;
  readonly authToken: string;
  /** The token that will be the account's after a rotation: accepted in signatures beside the first. */
  readonly secondaryAuthToken: string | undefined;
  readonly apiKey: { readonly sid: string; readonly secret: string } | undefined;
  readonly region: string | undefined;
  readonly edge: string | undefined;
  readonly amdEnabled: boolean;
  readonly isDefaultOutbound: boolean;
  readonly isDemo: boolean;
}

/** What may change of a configuration; what is undefined stays, null takes it away. */
export interface ConfigurationChanges {
  readonly name?: string | undefined;
  readonly accountSid?: AccountSid | undefined;
  readonly authToken?: string | undefined;
  readonly secondaryAuthToken?: string | null | undefined;
  readonly apiKey?: ConfigurationFields["apiKey"] | null | undefined;
  readonly region?: string | null | undefined;
  readonly edge?: string | null | undefined;
  readonly amdEnabled?: boolean | undefined;
  readonly isDemo?: boolean | undefined;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly account_sid: string;
  readonly auth_token: Uint8Array;
  readonly secondary_auth_token: Uint8Array | null;
  readonly api_key_sid: string | null;
  readonly api_key_secret: Uint8Array | null;
  readonly region: string | null;
  readonly edge: string | null;
  readonly amd_enabled: number;
  readonly is_default_outbound: number;
  readonly is_demo: number;
  readonly credentials_state: CredentialsState;
  readonly credentials_message: string | null;
  readonly credentials_checked_at_ms: number | null;
  readonly account_type: string | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

type SealedColumn = "auth_token" | "secondary_auth_token" | "api_key_secret";

/** For whoever seals them anew. */
export const SEALED: SealedColumns<SealedColumn> = {
  table: "configurations",
  columns: ["auth_token", "secondary_auth_token", "api_key_secret"],
  placeOf: (id, column) => `configurations/${id}/${column}`,
};

export function configurationStore(db: Db, vault: Vault) {
  const all = db.prepare<[], Row>("SELECT * FROM configurations ORDER BY id");
  const one = db.prepare<[number], Row>("SELECT * FROM configurations WHERE id = ?");
  const insert = db.prepare(
    "INSERT INTO configurations (name, account_sid, auth_token, created_at_ms, updated_at_ms) VALUES (?, ?, x'', ?, ?)",
  );
  const write = db.prepare(
    `UPDATE configurations SET name = ?, account_sid = ?, auth_token = ?, secondary_auth_token = ?, api_key_sid = ?,
       api_key_secret = ?, region = ?, edge = ?, amd_enabled = ?, is_demo = ?, updated_at_ms = ? WHERE id = ?`,
  );
  const demote = db.prepare(
    "UPDATE configurations SET is_default_outbound = 0 WHERE is_default_outbound = 1",
  );
  const promote = db.prepare(
    "UPDATE configurations SET is_default_outbound = 1, updated_at_ms = ? WHERE id = ?",
  );
  const setCheck = db.prepare(
    `UPDATE configurations SET credentials_state = ?, credentials_message = ?, credentials_checked_at_ms = ?,
       account_type = coalesce(?, account_type) WHERE id = ?`,
  );
  const forgetCheck = db.prepare(
    `UPDATE configurations SET credentials_state = 'unchecked', credentials_message = NULL,
       credentials_checked_at_ms = NULL, account_type = NULL WHERE id = ?`,
  );
  const remove = db.prepare("DELETE FROM configurations WHERE id = ?");
  const clash = db.prepare<[string, number], { readonly address: string; readonly name: string }>(
    `SELECT n.address_normalized AS address, c.name FROM numbers n
     JOIN numbers o ON o.account_sid = ? AND o.address_normalized = n.address_normalized AND o.provider = n.provider
       AND o.configuration_id <> n.configuration_id
     JOIN configurations c ON c.id = o.configuration_id
     WHERE n.configuration_id = ? ORDER BY n.id LIMIT 1`,
  );

  const sealed = (id: number, column: SealedColumn, secret: string | undefined) =>
    secret === undefined ? null : vault.seal(secret, SEALED.placeOf(id, column));
  const get = (id: number): StoredConfiguration | undefined => {
    const row = one.get(id);
    return row && configurationOf(row, vault);
  };
  const setDefault = (id: number, atMs: number) => {
    demote.run();
    promote.run(atMs, id);
  };
  const put = (id: number, fields: ConfigurationFields, atMs: number) => {
    write.run(
      fields.name,
      fields.accountSid,
      sealed(id, "auth_token", fields.authToken),
      sealed(id, "secondary_auth_token", fields.secondaryAuthToken),
      fields.apiKey?.sid ?? null,
      sealed(id, "api_key_secret", fields.apiKey?.secret),
      fields.region ?? null,
      fields.edge ?? null,
      fields.amdEnabled ? 1 : 0,
      fields.isDemo ? 1 : 0,
      atMs,
      id,
    );
    if (fields.isDefaultOutbound) setDefault(id, atMs);
    return get(id)!;
  };

  return {
    all(): StoredConfiguration[] {
      return all.all().map((row) => configurationOf(row, vault));
    },
    get,
    /** Throws GatewayError CONFLICT when the name is taken. */
    add: db.transaction((fields: ConfigurationFields, atMs: number) => {
      const { lastInsertRowid } = namely(fields.name, () =>
        insert.run(fields.name, fields.accountSid, atMs, atMs),
      );
      return put(Number(lastInsertRowid), fields, atMs);
    }) as (fields: ConfigurationFields, atMs: number) => StoredConfiguration,
    /** Its numbers follow it to another account. Throws GatewayError CONFLICT for a name or a number that is taken. */
    update: db.transaction((id: ConfigurationId, changes: ConfigurationChanges, atMs: number) => {
      const stored = get(id);
      if (stored === undefined) return undefined;
      const fields = changed(fieldsOf(stored), changes);
      const clashing = clash.get(fields.accountSid, id);
      if (clashing !== undefined) throw taken(clashing.address, clashing.name);
      if (fields.accountSid !== stored.accountSid) forgetCheck.run(id);
      return namely(fields.name, () => put(id, fields, atMs));
    }) as (
      id: ConfigurationId,
      changes: ConfigurationChanges,
      atMs: number,
    ) => StoredConfiguration | undefined,
    setDefault: db.transaction((id: ConfigurationId, atMs: number) => {
      if (get(id) !== undefined) setDefault(id, atMs);
      return get(id);
    }) as (id: ConfigurationId, atMs: number) => StoredConfiguration | undefined,
    /** How Twilio took these credentials; it says nothing of others that were saved meanwhile. */
    setCheck: db.transaction(
      (tried: Configuration, { state, message, atMs, accountType }: CredentialsCheck) => {
        const stored = get(tried.id);
        if (stored === undefined || credentialsIn(stored) !== credentialsIn(tried)) return;
        setCheck.run(state, message ?? null, atMs ?? null, accountType ?? null, tried.id);
      },
    ) as (tried: Configuration, check: CredentialsCheck) => void,
    remove(id: ConfigurationId): boolean {
      return remove.run(id).changes > 0;
    },
  };
}

/** What the database's unique names mean to a user. */
function namely<Value>(name: string, act: () => Value): Value {
  try {
    return act();
  } catch (cause) {
    const { message } = cause as Error;
    if (message.includes("configurations.name")) {
      throw new GatewayError(
        "CONFLICT",
        `A configuration named '${name}' exists already; choose another name.`,
        { cause },
      );
    }
    throw cause;
  }
}

function credentialsIn({ accountSid, authTokens, apiKey, region, edge }: Configuration): string {
  return JSON.stringify([accountSid, authTokens[0], apiKey?.sid, apiKey?.secret, region, edge]);
}

function fieldsOf({ authTokens, ...stored }: StoredConfiguration): ConfigurationFields {
  return { ...stored, authToken: authTokens[0]!, secondaryAuthToken: authTokens[1] };
}

function changed(fields: ConfigurationFields, changes: ConfigurationChanges): ConfigurationFields {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...fields, ...Object.fromEntries(given.map(([name, value]) => [name, value ?? undefined])) };
}

function configurationOf(row: Row, vault: Vault): StoredConfiguration {
  const open = (column: SealedColumn) => {
    const bytes = row[column];
    return bytes === null ? undefined : vault.open(bytes, SEALED.placeOf(row.id, column));
  };
  const secret = open("api_key_secret");
  return {
    id: row.id as ConfigurationId,
    name: row.name,
    accountSid: row.account_sid as AccountSid,
    authTokens: [open("auth_token")!, open("secondary_auth_token")].filter((token) => token !== undefined),
    apiKey: row.api_key_sid === null || secret === undefined ? undefined : { sid: row.api_key_sid, secret },
    region: row.region ?? undefined,
    edge: row.edge ?? undefined,
    amdEnabled: row.amd_enabled === 1,
    isDefaultOutbound: row.is_default_outbound === 1,
    isDemo: row.is_demo === 1,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    check: {
      state: row.credentials_state,
      message: row.credentials_message ?? undefined,
      atMs: row.credentials_checked_at_ms ?? undefined,
      accountType: row.account_type ?? undefined,
    },
  };
}
