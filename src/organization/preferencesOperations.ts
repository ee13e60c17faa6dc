// The API's operations on the installation's preferences.
import { z } from "zod";
import { type Operation, operation } from "../http/operation.ts";
import { readAddress } from "../numbers/address.ts";
import type { Store } from "../store/store.ts";
import type { Preferences } from "./preferences.store.ts";

const numberSchema = z.string().transform((text, context) => {
  const read = readAddress(text);
  if ("ok" in read) return read.ok.normalized;
  context.addIssue({ code: "custom", message: read.problem });
  return z.NEVER;
});

const timezoneSchema = z.string().trim().refine(isTimezone, {
  message: "A time zone is wanted by its IANA name, such as Europe/Berlin or UTC.",
});

const changesSchema = z
  .strictObject({
    test_phone_number: z.preprocess(emptyAsNull, numberSchema.nullish()),
    timezone: z.preprocess(emptyAsNull, timezoneSchema.nullish()),
  })
  .meta({
    id: "PreferencesToSave",
    description: "What is left out stays as it is; null or an empty text clears it.",
  });

const preferencesSchema = z
  .object({
    test_phone_number: z.string().nullable().describe("Called when a call is placed without a destination."),
    timezone: z.string().nullable().describe("An IANA name."),
  })
  .meta({ id: "Preferences" });

const place = { path: "/api/v1/organizations/preferences", tag: "Preferences", answer: preferencesSchema };

export function preferencesOperations(parts: { store: Pick<Store, "preferences"> }): readonly Operation[] {
  const { preferences } = parts.store;
  return [
    operation({
      ...place,
      method: "GET",
      summary: "Gets the installation's preferences.",
      run: async () => answerOf(await preferences.get()),
    }),
    operation({
      ...place,
      method: "PUT",
      summary: "Saves preferences.",
      body: changesSchema,
      run: async ({ body: { test_phone_number: testPhoneNumber, timezone } }) =>
        answerOf(await preferences.update({ testPhoneNumber, timezone })),
    }),
  ];
}

function answerOf({ testPhoneNumber, timezone }: Preferences): z.input<typeof preferencesSchema> {
  return { test_phone_number: testPhoneNumber ?? null, timezone: timezone ?? null };
}

/** As forms send a field that was emptied. */
function emptyAsNull(value: unknown): unknown {
  return typeof value === "string" && value.trim() === "" ? null : value;
}

function isTimezone(name: string): boolean {
  // Offsets such as +05:30 are taken too, but they know no summer time.
  if (!/^[a-z]/i.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
