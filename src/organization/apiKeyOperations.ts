// The API's operations on its own keys. A key is in one answer only: that to its making.
import { z } from "zod";
import { GatewayError } from "../domain/errors.ts";
import { ApiKeyId } from "../domain/ids.ts";
import { idSchema, moment, momentSchema, nameSchema, type Operation, operation } from "../http/operation.ts";
import type { StoredApiKey } from "./apiKeys.store.ts";
import type { ApiKeys } from "./apiKeys.ts";

const shared = {
  id: z.int(),
  name: z.string(),
  key_prefix: z.string().describe("The key's first characters, to tell it from others."),
  created_at: momentSchema,
};
const apiKeySchema = z
  .object({
    ...shared,
    is_active: z.boolean().describe("Whether requests with it are answered."),
    last_used_at: momentSchema.nullable(),
    archived_at: momentSchema.nullable(),
  })
  .meta({ id: "ApiKey", description: "An API key, without the key." });
const newApiKeySchema = z
  .object({ ...shared, api_key: z.string().describe("The key itself, shown this once and kept nowhere.") })
  .meta({ id: "NewApiKey" });
const params = z.object({ api_key_id: idSchema });
const tag = "API keys";

export function apiKeyOperations(keys: ApiKeys): readonly Operation[] {
  return [
    operation({
      method: "GET",
      path: "/api/v1/user/api-keys",
      tag,
      summary: "Lists the API keys, without the keys themselves.",
      query: z.object({ include_archived: z.stringbool().default(false) }),
      answer: z.array(apiKeySchema),
      run: ({ query }) =>
        keys
          .list()
          .filter(({ archivedAtMs }) => query.include_archived || archivedAtMs === undefined)
          .map(answerOf),
    }),
    operation({
      method: "POST",
      path: "/api/v1/user/api-keys",
      tag,
      summary: "Makes an API key; this answer is the only one that shows it.",
      body: z.strictObject({ name: nameSchema }).meta({ id: "ApiKeyToMake" }),
      answer: newApiKeySchema,
      errors: [400],
      run: async ({ body }) => {
        const { stored, key } = await keys.create(body.name);
        return { ...sharedOf(stored), api_key: key };
      },
    }),
    operation({
      method: "DELETE",
      path: "/api/v1/user/api-keys/{api_key_id}",
      tag,
      summary: "Archives an API key: from the next request on it doesn't count.",
      params,
      answer: apiKeySchema,
      errors: [404],
      run: async ({ params }) => answerOf(found(await keys.archive(ApiKeyId(params.api_key_id)))),
    }),
    operation({
      method: "PUT",
      path: "/api/v1/user/api-keys/{api_key_id}/reactivate",
      tag,
      summary: "Lets an archived API key count again.",
      params,
      answer: apiKeySchema,
      errors: [400, 404],
      run: async ({ params }) => answerOf(found(await keys.reactivate(ApiKeyId(params.api_key_id)))),
    }),
  ];
}

function found(stored: StoredApiKey | undefined): StoredApiKey {
  if (stored === undefined) throw new GatewayError("NOT_FOUND", "API key not found");
  return stored;
}

function sharedOf({ id, name, prefix, createdAtMs }: StoredApiKey) {
  return { id, name, key_prefix: prefix, created_at: moment(createdAtMs) };
}

function answerOf(stored: StoredApiKey): z.input<typeof apiKeySchema> {
  const { lastUsedAtMs, archivedAtMs } = stored;
  return {
    ...sharedOf(stored),
    is_active: archivedAtMs === undefined,
    last_used_at: lastUsedAtMs === undefined ? null : moment(lastUsedAtMs),
    archived_at: archivedAtMs === undefined ? null : moment(archivedAtMs),
  };
}
