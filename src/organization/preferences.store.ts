// The installation's preferences: one row, made when it is first written.
import type { Db } from "../store/open.ts";

export interface Preferences {
  /** Called when a call is placed without a destination. */
  readonly testPhoneNumber: string | undefined;
  /** An IANA name. */
  readonly timezone: string | undefined;
}

export type PreferenceChanges = { readonly [Name in keyof Preferences]?: Preferences[Name] | null };

export function preferencesStore(db: Db) {
  const select = db.prepare<[], { test_phone_number: string | null; timezone: string | null }>(
    "SELECT test_phone_number, timezone FROM preferences",
  );
  const upsert = db.prepare(
    `INSERT INTO preferences (one, test_phone_number, timezone) VALUES (1, ?, ?)
     ON CONFLICT DO UPDATE SET test_phone_number = excluded.test_phone_number, timezone = excluded.timezone`,
  );
  const get = (): Preferences => {
    const row = select.get();
    return { testPhoneNumber: row?.test_phone_number ?? undefined, timezone: row?.timezone ?? undefined };
  };
  return {
    get,
    /** Changes what is given, clears what is null, and gives what then holds. */
    update: db.transaction((changes: PreferenceChanges) => {
      const known = get();
      const merged = (of: keyof Preferences) => (changes[of] === undefined ? known[of] : changes[of]) ?? null;
      upsert.run(merged("testPhoneNumber"), merged("timezone"));
      return get();
    }) as (changes: PreferenceChanges) => Preferences,
  };
}
