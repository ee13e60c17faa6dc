// Small facts about the installation that are nobody else's: what was done once and must not be done again.
import type { Db } from "./open.ts";

export function metaStore(db: Db) {
  const select = db.prepare("SELECT value FROM meta WHERE key = ?").pluck();
  const upsert = db.prepare(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  return {
    get(key: string): string | undefined {
      return select.get(key) as string | undefined;
    },
    set(key: string, value: string): void {
      upsert.run(key, value);
    },
  };
}
