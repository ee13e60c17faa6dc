// Which request each idempotency key stands for, and the run that came of it. Holds neither a key's owner nor a
// request in the clear.
import type { RunId } from "../../domain/ids.ts";
import type { Db } from "../../store/open.ts";

/** An idempotency key belongs to the API key it came with; 0 stands for the environment's. */
export interface ClaimedRequest {
  readonly requestHash: string;
  readonly run: RunId;
}

export function idempotencyStore(db: Db) {
  const find = db.prepare<[number, string], { request_hash: string; run_id: number }>(
    "SELECT request_hash, run_id FROM idempotency WHERE key_id = ? AND idempotency_key = ?",
  );
  const claim = db.prepare(
    `INSERT INTO idempotency (key_id, idempotency_key, request_hash, run_id, created_at_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET request_hash = excluded.request_hash, run_id = excluded.run_id,
       created_at_ms = excluded.created_at_ms`,
  );
  const release = db.prepare("DELETE FROM idempotency WHERE key_id = ? AND idempotency_key = ?");
  const purge = db.prepare("DELETE FROM idempotency WHERE created_at_ms < ?");
  return {
    find(keyId: number, idempotencyKey: string): ClaimedRequest | undefined {
      const row = find.get(keyId, idempotencyKey);
      return row && { requestHash: row.request_hash, run: row.run_id as RunId };
    },
    claim(keyId: number, idempotencyKey: string, { requestHash, run }: ClaimedRequest, atMs: number): void {
      claim.run(keyId, idempotencyKey, requestHash, run, Math.round(atMs));
    },
    /** The key is worth nothing any more. */
    release(keyId: number, idempotencyKey: string): void {
      release.run(keyId, idempotencyKey);
    },
    /** Forgets what is older. */
    purge(beforeMs: number): void {
      purge.run(Math.round(beforeMs));
    },
  };
}
