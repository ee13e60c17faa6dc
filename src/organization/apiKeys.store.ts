// API keys in the database: their hash, never the key.
import type { ApiKeyId } from "../domain/ids.ts";
import type { Db } from "../store/open.ts";

export interface StoredApiKey {
  readonly id: ApiKeyId;
  readonly name: string;
  /** The key's first characters, for the person who has several. */
  readonly prefix: string;
  /** SHA-256 of the key. */
  readonly hash: Uint8Array;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number | undefined;
  /** Set while it doesn't count. */
  readonly archivedAtMs: number | undefined;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly key_prefix: string;
  readonly key_hash: Uint8Array;
  readonly created_at_ms: number;
  readonly last_used_at_ms: number | null;
  readonly archived_at_ms: number | null;
}

export function apiKeyStore(db: Db) {
  const insert = db.prepare<[string, string, Uint8Array, number], Row>(
    "INSERT INTO api_keys (name, key_prefix, key_hash, created_at_ms) VALUES (?, ?, ?, ?) RETURNING *",
  );
  const all = db.prepare<[], Row>("SELECT * FROM api_keys ORDER BY id");
  const archive = db.prepare<[number | null, number], Row>(
    "UPDATE api_keys SET archived_at_ms = ? WHERE id = ? RETURNING *",
  );
  const used = db.prepare<[number, number]>("UPDATE api_keys SET last_used_at_ms = ? WHERE id = ?");
  return {
    add(name: string, prefix: string, hash: Uint8Array, atMs: number): StoredApiKey {
      return keyOf(insert.get(name, prefix, hash, atMs)!);
    },
    all(): StoredApiKey[] {
      return all.all().map(keyOf);
    },
    /** `atMs` undefined: it counts again. */
    archive(id: ApiKeyId, atMs: number | undefined): StoredApiKey | undefined {
      const row = archive.get(atMs ?? null, id);
      return row && keyOf(row);
    },
    used(id: ApiKeyId, atMs: number): void {
      used.run(Math.round(atMs), id);
    },
  };
}

function keyOf(row: Row): StoredApiKey {
  return {
    id: row.id as ApiKeyId,
    name: row.name,
    prefix: row.key_prefix,
    hash: row.key_hash,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms ?? undefined,
    archivedAtMs: row.archived_at_ms ?? undefined,
  };
}
