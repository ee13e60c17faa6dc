// Canaries through every route: whatever is asked of the API, with a key and without, well formed and not, no secret
// comes back out of it, and none is in the log, the metrics or the database's bytes. Numbers of people are in the
// records, and nowhere in the log.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { it } from "node:test";
import { z } from "zod";
import type { Operation } from "../../../src/http/operation.ts";
import { ApiClient } from "../../support/api.ts";
import { API_KEY, ECHO_NUMBER } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { newExchange } from "../calls/outboundRig.ts";
import { startApi } from "./rig.ts";

const canary = (what: string) => `canary-${what}-${randomBytes(8).toString("hex")}`;
const METRICS_TOKEN = canary("metrics");
const SECRETS = {
  auth_token: canary("token"),
  secondary_auth_token: canary("second"),
  api_key_secret: canary("secret"),
};
const AGENT_SECRET = canary("agent");
const AGENT = { type: "secretive", agent_secret: AGENT_SECRET };
const ACCOUNT = {
  account_sid: `AC${"5".repeat(32)}`,
  api_key_sid: `SK${"6".repeat(32)}`,
  ...SECRETS,
};
const CALLEE = "+14155550188";

/** As its type wants it, and in every way that is refused. */
const AGENTS = [
  AGENT,
  { ...AGENT, agent_secrets: AGENT_SECRET },
  { ...AGENT, agent_secret: [AGENT_SECRET] },
  { ...AGENT, other_secret: `****${AGENT_SECRET}` },
  { ...AGENT, type: "echo" },
  { ...AGENT, type: AGENT_SECRET },
  { ...AGENT, type: "websocket", url: "wss://agent.example.com/call" },
  { ...AGENT, type: "websocket", url: `wss://${AGENT_SECRET}@127.0.0.1/` },
  { ...AGENT, type: "websocket", agent_secret: `with a space ${AGENT_SECRET}` },
];
const defining = (agent: object) => ({ name: "Canary", workflow_definition: { agent } });

type Schema = { readonly [name: string]: unknown };

/** What clients write where no secret belongs: stored and answered, but nobody's business in a log. */
const TEXT = canary("text");

/** Bodies that an operation's schema describes, secrets where they belong, and what is like such a body. */
function bodiesOf({ body }: Operation): unknown[] {
  if (body === undefined) return [undefined];
  const filled = fill(z.toJSONSchema(body, { io: "input", unrepresentable: "any" }) as Schema, TEXT);
  const { auth_token: secret } = SECRETS;
  return [
    filled,
    { ...(filled as object), [TEXT]: secret },
    ...(Object.hasOwn(filled as object, "workflow_definition") ? AGENTS.map(defining) : []),
    `{"auth_token": "${secret}`,
    [secret],
    `"${secret}"`,
  ];
}

function fill(schema: Schema, text: string): unknown {
  const options = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
  if (options !== undefined) return fill(options[0]!, text);
  if (schema.properties !== undefined) {
    const entries = Object.entries(schema.properties as Record<string, Schema>);
    return Object.fromEntries(
      entries.map(([name, property]) => [
        name,
        fill(property, SECRETS[name as keyof typeof SECRETS] ?? text),
      ]),
    );
  }
  switch (schema.type) {
    case "integer":
    case "number":
      return 1;
    case "boolean":
      return false;
    case "array":
      return [text];
    case "object":
      return { [text]: text };
    default:
      return schema.const ?? (schema.enum as readonly unknown[] | undefined)?.[0] ?? text;
  }
}

it("no secret leaves the gateway by any route, its log, its metrics or its database", async (t) => {
  const exchange = await newExchange();
  const story = await startApi(t, {
    env: {
      TWILIO_API_BASE_URL: exchange.url,
      METRICS_TOKEN,
      PUBLIC_BASE_URL: "https://gw.example.com",
      HOST: "127.0.0.1",
    },
  });
  const { client, gateway, twilio, origin } = story;
  exchange.setGateway(gateway.settings.publicBase.href, origin);
  exchange.people.set(CALLEE, { does: "busy" });
  const configurations = "/api/v1/organizations/telephony-configs";
  const saved = await client.post(configurations, { name: "Canary", config: ACCOUNT });
  assert.equal(saved.status, 200);
  const made = await client.post("/api/v1/user/api-keys", { name: "Canary" });
  const secrets = [
    API_KEY,
    METRICS_TOKEN,
    made.body.api_key as string,
    AGENT_SECRET,
    ...Object.values(SECRETS),
  ];
  // Shown once, to whoever makes it: nowhere else from here on.
  const inAnswers: string[] = [JSON.stringify(saved.body)];

  const call = await twilio.dial({ to: ECHO_NUMBER, from: CALLEE });
  await (await call.connect()).hasPlayed(20);
  await call.hangUp();
  assert.equal((await client.put("/api/v1/workflow/1", defining(AGENT))).status, 200);
  const second = await twilio.dial({ to: ECHO_NUMBER, from: CALLEE });
  await second.connect();
  await second.hangUp();
  await client.post("/api/v1/telephony/initiate-call", { workflow_id: 1, phone_number: CALLEE });

  let asked = 0;
  const bearers = secrets.map((secret) => ({ Authorization: `Bearer ${secret}x` }));
  for (const operation of gateway.operations) {
    const path = operation.path.replace(/\{\w+\}/g, "1");
    for (const headers of [{}, ...bearers, { "X-API-Key": API_KEY }]) {
      for (const body of bodiesOf(operation)) {
        const response = await fetch(origin + path, {
          method: operation.method,
          headers,
          ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
        });
        asked++;
        const answer = await response.text();
        inAnswers.push(answer);
        assert.notEqual(response.status, 500, `${operation.method} ${path}: ${answer}`);
      }
    }
  }
  t.diagnostic(`${asked} requests to ${gateway.operations.length} operations`);
  assert.ok(asked > gateway.operations.length * 5);

  const shown = await client.get("/api/v1/workflow/fetch/1");
  assert.deepEqual(shown.body.workflow_definition.agent, {
    ...AGENT,
    agent_secret: `****${AGENT_SECRET.slice(-4)}`,
  });

  await until("outbound calls to be over", () => gateway.dialer.pending === 0);
  await gateway.records.committed();
  const metrics = await new ApiClient(origin, { Authorization: `Bearer ${METRICS_TOKEN}` }).get("/metrics");
  assert.equal(metrics.status, 200);
  const places: Readonly<Record<string, string>> = {
    answers: inAnswers.join("\n"),
    log: story.log(),
    metrics: metrics.body,
    database: story.bytes().toString("latin1"),
  };
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) {
      assert.ok(!text.includes(secret), `${secret} is in the ${place}`);
    }
  }
  for (const place of ["log", "metrics"]) {
    for (const told of [TEXT, CALLEE.slice(1), ECHO_NUMBER.slice(1)])
      assert.ok(!places[place]!.includes(told), `${told} is in the ${place}`);
  }
  await exchange.close();
});

it("an auth token is in no answer and in no byte of the database, also when it is refused", async (t) => {
  const story = await startApi(t);
  const { client } = story;
  const base = "/api/v1/organizations/telephony-configs";
  const saved = await client.post(base, { name: "Canary", config: ACCOUNT });
  const taken = await client.post(base, { name: "Canary", config: ACCOUNT });
  const wrong = await client.post(base, { name: "Other", config: { ...ACCOUNT, account_sid: "AC1" } });
  const unknown = await client.post(base, {
    name: "Other",
    config: { ...ACCOUNT, auth_tokn: SECRETS.auth_token },
  });
  assert.deepEqual(
    [saved, taken, wrong, unknown].map(({ status }) => status),
    [200, 409, 422, 422],
  );
  const read = await client.get(`${base}/${saved.body.id}`);
  const listed = await client.get(base);
  const changed = await client.put(`${base}/${saved.body.id}`, { config: read.body.credentials });
  assert.equal(changed.status, 200);
  const seen = JSON.stringify([saved, taken, wrong, unknown, read, listed, changed].map(({ body }) => body));
  const bytes = story.bytes().toString("latin1");
  for (const secret of Object.values(SECRETS)) {
    for (const [place, text] of Object.entries({ seen, bytes, log: story.log() }))
      assert.ok(!text.includes(secret), `${secret} is in ${place}`);
    assert.ok(seen.includes(`****${secret.slice(-4)}`), "masked");
  }
  const kept = (await story.store.configurations.all()).find(({ name }) => name === "Canary");
  assert.deepEqual(kept?.authTokens, [SECRETS.auth_token, SECRETS.secondary_auth_token]);
  assert.equal(kept?.apiKey?.secret, SECRETS.api_key_secret);
});
