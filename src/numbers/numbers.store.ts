// Phone numbers in the database, and how each stands with Twilio.

import { GatewayError } from "../domain/errors.ts";
import type { AccountSid, ConfigurationId, NumberId, WorkflowId } from "../domain/ids.ts";
import type { Db } from "../store/open.ts";
import type { PhoneNumber } from "./directory.ts";
import { numberAnswer } from "./numberAnswer.ts";
import type { NumberSync, Places } from "./sync/syncState.ts";
import { taken } from "./taken.ts";

export interface StoredNumber extends PhoneNumber {
  readonly accountSid: AccountSid;
  /** As it was typed. */
  readonly typed: string;
  readonly countryCode: string | undefined;
  readonly label: string | undefined;
  /** What is odd about the number, though it was taken. */
  readonly warning: string | undefined;
  readonly inboundWorkflowName: string | undefined;
  /** Then calls are refused. */
  readonly isInboundWorkflowArchived: boolean;
  readonly extraMetadata: Readonly<Record<string, unknown>>;
  readonly sync: NumberSync;
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

/** What may change of a number; what is undefined stays. */
export interface NumberChanges {
  readonly countryCode?: string | undefined;
  /** Null: none. */
  readonly label?: string | null | undefined;
  /** Null: none. */
  readonly inboundWorkflowId?: WorkflowId | null | undefined;
  readonly isActive?: boolean | undefined;
  readonly extraMetadata?: Readonly<Record<string, unknown>> | undefined;
}

export interface SyncReplacement {
  readonly id: NumberId;
  readonly was: NumberSync;
  readonly becomes: NumberSync;
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
  readonly workflow_status: string | null;
  readonly is_active: number;
  readonly is_default_caller_id: number;
  readonly extra_metadata: string;
  readonly sync: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

const SELECT = `
SELECT n.*, w.name AS workflow_name, w.status AS workflow_status
FROM numbers n LEFT JOIN workflows w ON w.id = n.inbound_workflow_id`;

export function numberStore(db: Db) {
  const all = db.prepare<[], Row>(`${SELECT} ORDER BY n.id`);
  const one = db.prepare<[number], Row>(`${SELECT} WHERE n.id = ?`);
  const ofConfiguration = db.prepare<[number], Row>(`${SELECT} WHERE n.configuration_id = ? ORDER BY n.id`);
  const page = db.prepare<[number, number, number], Row>(
    `${SELECT} WHERE n.configuration_id = ? AND n.id > ? ORDER BY n.id LIMIT ?`,
  );
  const insert = db.prepare(
    `INSERT INTO numbers (configuration_id, account_sid, address, address_normalized, address_type, country_code,
       label, warning, inbound_workflow_id, is_active, extra_metadata, created_at_ms, updated_at_ms)
     VALUES (?, (SELECT account_sid FROM configurations WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const write = db.prepare(
    `UPDATE numbers SET country_code = ?, label = ?, inbound_workflow_id = ?, is_active = ?, extra_metadata = ?,
       updated_at_ms = ? WHERE id = ?`,
  );
  const demote = db.prepare(
    "UPDATE numbers SET is_default_caller_id = 0 WHERE configuration_id = ? AND is_default_caller_id = 1",
  );
  const promote = db.prepare("UPDATE numbers SET is_default_caller_id = 1, updated_at_ms = ? WHERE id = ?");
  const setSync = db.prepare("UPDATE numbers SET sync = ? WHERE id = ?");
  const replaceSync = db.prepare("UPDATE numbers SET sync = ? WHERE id = ? AND sync = ?");
  const resetSyncs = db.prepare(`UPDATE numbers SET sync = '{"state":"none"}' WHERE configuration_id = ?`);
  const touchSync = db.prepare(
    `UPDATE numbers SET sync = json_set(sync, '$.checkedAtMs', ?)
     WHERE id = ? AND json_extract(sync, '$.state') IN ('in_sync', 'drifted')`,
  );
  const remove = db.prepare("DELETE FROM numbers WHERE id = ?");
  const exists = db.prepare<[number]>("SELECT 1 FROM configurations WHERE id = ?");
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
    /** In the order of their ids, from the one after `afterId` on. */
    page(configurationId: ConfigurationId, afterId: number, limit: number): StoredNumber[] {
      return page.all(configurationId, afterId, limit).map(numberOf);
    },
    /** All of a configuration's as the API shows them, written here: there may be thousands. */
    listed(configurationId: ConfigurationId, places: Places): Uint8Array {
      const answers = ofConfiguration.all(configurationId).map((row) => numberAnswer(numberOf(row), places));
      return new Uint8Array(Buffer.from(JSON.stringify({ phone_numbers: answers })));
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
      // It may have gone since the request was read.
      if (exists.get(configurationId) === undefined) {
        throw new GatewayError("NOT_FOUND", "Telephony configuration not found");
      }
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
    /** The address never changes. */
    update: db.transaction((id: NumberId, changes: NumberChanges, atMs: number) => {
      const stored = get(id);
      if (stored === undefined) return undefined;
      const { countryCode, label, inboundWorkflowId, isActive, extraMetadata } = changes;
      const changed = <Value>(given: Value | null | undefined, kept: Value | undefined): Value | null =>
        given === undefined ? (kept ?? null) : given;
      write.run(
        countryCode ?? stored.countryCode ?? null,
        changed(label, stored.label),
        changed(inboundWorkflowId, stored.inboundWorkflowId),
        (isActive ?? stored.isActive) ? 1 : 0,
        JSON.stringify(extraMetadata ?? stored.extraMetadata),
        atMs,
        id,
      );
      return get(id);
    }) as (id: NumberId, changes: NumberChanges, atMs: number) => StoredNumber | undefined,
    setDefault: db.transaction((id: NumberId, atMs: number) => {
      const number = get(id);
      if (number !== undefined) setDefault(number, atMs);
      return get(id);
    }) as (id: NumberId, atMs: number) => StoredNumber | undefined,
    /** False: there is no such number any more. */
    setSync(id: NumberId, sync: NumberSync): boolean {
      return setSync.run(JSON.stringify(sync), id).changes > 0;
    },
    /** Forgets what is known of Twilio's side of all of a configuration's. */
    resetSyncs(configurationId: ConfigurationId): void {
      resetSyncs.run(configurationId);
    },
    /** Of many numbers in one transaction; those whose sync is no longer what it was keep it. The ids of the rest. */
    replaceSyncs: db.transaction((replacements: readonly SyncReplacement[]) =>
      replacements
        .filter(({ id, was, becomes }) => {
          const { changes } = replaceSync.run(JSON.stringify(becomes), id, JSON.stringify(was));
          return changes > 0;
        })
        .map(({ id }) => id),
    ) as (replacements: readonly SyncReplacement[]) => NumberId[],
    /** Numbers that were found as they were known, all in one transaction. */
    touchSync: db.transaction((ids: readonly NumberId[], atMs: number) => {
      for (const id of ids) touchSync.run(atMs, id);
    }) as (ids: readonly NumberId[], atMs: number) => void,
    remove(id: NumberId): boolean {
      return remove.run(id).changes > 0;
    },
  };
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
    isInboundWorkflowArchived: row.workflow_status === "archived",
    isActive: row.is_active === 1,
    isDefaultCallerId: row.is_default_caller_id === 1,
    extraMetadata: JSON.parse(row.extra_metadata),
    sync: JSON.parse(row.sync),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
