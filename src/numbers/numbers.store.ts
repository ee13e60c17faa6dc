// Phone numbers in the database, and how each stands with Twilio.

import { GatewayError } from "../domain/errors.ts";
import type { AccountSid, ConfigurationId, NumberId, WorkflowId } from "../domain/ids.ts";
import type { Db } from "../store/open.ts";
import type { PhoneNumber } from "./directory.ts";

export interface StoredNumber extends PhoneNumber {
  readonly accountSid: AccountSid;
  /** As it was typed. */
  readonly typed: string;
  readonly countryCode: string | undefined;
  readonly label: string | undefined;
  /** What is odd about the number, though it was taken. */
  readonly warning: string | undefined;
  readonly inboundWorkflowName: string | undefined;
  readonly extraMetadata: Readonly<Record<string, unknown>>;
  /** sync.ts's own record of how the number stands with Twilio. */
  readonly sync: unknown;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface NumberFields {
  readonly typed: string;
  readonly address: string;
  readonly type: PhoneNumber["type"];
  readonly countryCode: string | undefined;
  readonly label: string | undefined;
  readonly warning: string | undefined;
  readonly inboundWorkflowId: WorkflowId | undefined;
  readonly isActive: boolean;
  readonly isDefaultCallerId: boolean;
  readonly extraMetadata: Readonly<Record<string, unknown>>;
}

interface Row {
  readonly id: number;
  readonly configuration_id: number;
  readonly account_sid: string;
  readonly address: string;
  readonly address_normalized: string;
  readonly address_type: PhoneNumber["type"];
  readonly country_code: string | null;
  readonly label: string | null;
  readonly warning: string | null;
  readonly inbound_workflow_id: number | null;
  readonly workflow_name: string | null;
  readonly is_active: number;
  readonly is_default_caller_id: number;
  readonly extra_metadata: string;
  readonly sync: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

const SELECT =
  "SELECT n.*, w.name AS workflow_name FROM numbers n LEFT JOIN workflows w ON w.id = n.inbound_workflow_id";

export function numberStore(db: Db) {
  const all = db.prepare<[], Row>(`${SELECT} ORDER BY n.id`);
  const one = db.prepare<[number], Row>(`${SELECT} WHERE n.id = ?`);
  const ofConfiguration = db.prepare<[number], Row>(`${SELECT} WHERE n.configuration_id = ? ORDER BY n.id`);
  const insert = db.prepare(
    `INSERT INTO numbers (configuration_id, account_sid, address, address_normalized, address_type, country_code,
       label, warning, inbound_workflow_id, is_active, extra_metadata, created_at_ms, updated_at_ms)
     VALUES (?, (SELECT account_sid FROM configurations WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const write = db.prepare(
    `UPDATE numbers SET country_code = ?, label = ?, warning = ?, inbound_workflow_id = ?, is_active = ?,
       extra_metadata = ?, updated_at_ms = ? WHERE id = ?`,
  );
  const demote = db.prepare(
    "UPDATE numbers SET is_default_caller_id = 0 WHERE configuration_id = ? AND is_default_caller_id = 1",
  );
  const promote = db.prepare("UPDATE numbers SET is_default_caller_id = 1, updated_at_ms = ? WHERE id = ?");
  const setSync = db.prepare("UPDATE numbers SET sync = ? WHERE id = ?");
  const remove = db.prepare("DELETE FROM numbers WHERE id = ?");
  const holder = db
    .prepare(
      `SELECT c.name FROM numbers n JOIN configurations c ON c.id = n.configuration_id
       WHERE n.account_sid = (SELECT account_sid FROM configurations WHERE id = ?) AND n.address_normalized = ?`,
    )
    .pluck();

  const get = (id: number): StoredNumber | undefined => {
    const row = one.get(id);
    return row && numberOf(row);
  };
  const setDefault = ({ id, configurationId }: PhoneNumber, atMs: number) => {
    demote.run(configurationId);
    promote.run(atMs, id);
  };

  return {
    all(): StoredNumber[] {
      return all.all().map(numberOf);
    },
    of(configurationId: ConfigurationId): StoredNumber[] {
      return ofConfiguration.all(configurationId).map(numberOf);
    },
    get,
    /** Throws GatewayError CONFLICT, with who has it, when the account has the number already. */
    add: db.transaction((configurationId: ConfigurationId, fields: NumberFields, atMs: number) => {
      const values = [
        fields.typed,
        fields.address,
        fields.type,
        fields.countryCode ?? null,
        fields.label ?? null,
      ];
      const rest = [fields.warning ?? null, fields.inboundWorkflowId ?? null, fields.isActive ? 1 : 0];
      const other = holder.get(configurationId, fields.address) as string | undefined;
      if (other !== undefined) throw taken(fields.address, other);
      const metadata = JSON.stringify(fields.extraMetadata);
      const { lastInsertRowid } = insert.run(
        configurationId,
        configurationId,
        ...values,
        ...rest,
        metadata,
        atMs,
        atMs,
      );
      const number = get(Number(lastInsertRowid))!;
      if (fields.isDefaultCallerId) setDefault(number, atMs);
      return get(number.id)!;
    }) as (configurationId: ConfigurationId, fields: NumberFields, atMs: number) => StoredNumber,
    /** Everything but the address, which never changes. */
    update: db.transaction((id: NumberId, fields: NumberFields, atMs: number) => {
      write.run(
        fields.countryCode ?? null,
        fields.label ?? null,
        fields.warning ?? null,
        fields.inboundWorkflowId ?? null,
        fields.isActive ? 1 : 0,
        JSON.stringify(fields.extraMetadata),
        atMs,
        id,
      );
      return get(id);
    }) as (id: NumberId, fields: NumberFields, atMs: number) => StoredNumber | undefined,
    setDefault: db.transaction((id: NumberId, atMs: number) => {
      const number = get(id);
      if (number !== undefined) setDefault(number, atMs);
      return get(id);
    }) as (id: NumberId, atMs: number) => StoredNumber | undefined,
    setSync(id: NumberId, sync: unknown): void {
      setSync.run(JSON.stringify(sync), id);
    },
    remove(id: NumberId): boolean {
      return remove.run(id).changes > 0;
    },
  };
}

function taken(address: string, configurationName: string): GatewayError {
  return new GatewayError(
    "CONFLICT",
    `Phone number ${address} is registered already, under the configuration '${configurationName}' of the same Twilio ` +
      "account. A call to it could not be routed if it stood there twice.",
  );
}

function numberOf(row: Row): StoredNumber {
  return {
    id: row.id as NumberId,
    configurationId: row.configuration_id as ConfigurationId,
    accountSid: row.account_sid as AccountSid,
    typed: row.address,
    address: row.address_normalized,
    type: row.address_type,
    countryCode: row.country_code ?? undefined,
    label: row.label ?? undefined,
    warning: row.warning ?? undefined,
    inboundWorkflowId: (row.inbound_workflow_id ?? undefined) as WorkflowId | undefined,
    inboundWorkflowName: row.workflow_name ?? undefined,
    isActive: row.is_active === 1,
    isDefaultCallerId: row.is_default_caller_id === 1,
    extraMetadata: JSON.parse(row.extra_metadata),
    sync: JSON.parse(row.sync),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
