import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CallSid, WorkflowId } from "../../../src/domain/ids.ts";
import { assertBlames } from "../../support/api.ts";
import { assertContractRequest } from "../../support/contract.ts";
import { ECHO_NUMBER } from "../../support/gateway.ts";
import { allFree } from "../../support/until.ts";
import { startApi } from "./rig.ts";

const CREATE = "/api/v1/workflow/create/definition";
const FETCH = "/api/v1/workflow/fetch";
const COUNT = "/api/v1/workflow/count";
/** Workflows that every story has. */
const STORYS = 2;
const place = (id: number, act = "") => `/api/v1/workflow/${id}${act}`;
const echo = (rateHz: number) => ({ agent: { type: "echo", rate_hz: rateHz } });

describe("a workflow", () => {
  it("is made, listed, fetched and counted", async (t) => {
    const { client, gateway, store } = await startApi(t);
    const { directory } = gateway;
    const counted = (await client.get(COUNT)).body;
    assert.deepEqual(counted, { total: STORYS, active: STORYS, archived: 0 });
    const sent = { name: " Reception ", workflow_definition: { agent: { type: "echo" }, nodes: [] } };
    assertContractRequest("POST", CREATE, sent);
    const { body: made } = await client.post(CREATE, sent);
    assert.equal(made.name, "Reception");
    assert.deepEqual(made.workflow_definition, sent.workflow_definition, "as it was sent");
    assert.match(made.workflow_uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const { status, version_number, version_status, total_runs } = made;
    assert.deepEqual([status, version_number, version_status, total_runs], ["active", 1, "published", 0]);
    const { template_context_variables, workflow_configurations, call_disposition_codes } = made;
    assert.deepEqual(
      [template_context_variables, workflow_configurations, call_disposition_codes],
      [null, null, null],
    );

    assert.deepEqual((await client.get(`${FETCH}/${made.id}`)).body, made);
    const { workflow_uuid, name, id, created_at } = made;
    const listed = { id, name, status, created_at, total_runs, workflow_uuid };
    assert.deepEqual((await client.get(FETCH)).body.at(-1), listed);
    const known = (await store.workflows.listed()).at(-1)!;
    assert.ok(!("definition" in known), "the front thread is not given hundreds of definitions for a list");
    assert.deepEqual((await client.get(COUNT)).body, { total: STORYS + 1, active: STORYS + 1, archived: 0 });
    assert.ok("brief" in directory.answererOf(id), "it takes calls at once");
    assert.equal(directory.workflowOf(workflow_uuid)?.id, id);
  });

  it("gets a new version with every update, of which the next call sees the newest", async (t) => {
    const { client, gateway } = await startApi(t);
    const { directory } = gateway;
    const other = (await client.post(CREATE, { name: "Other", workflow_definition: echo(8_000) })).body;
    const first = (await client.post(CREATE, { name: "One", workflow_definition: echo(8_000) })).body;
    const steps = [
      { name: "Two" },
      { workflow_definition: echo(24_000) },
      { template_context_variables: { company: "Linecard" } },
      { workflow_configurations: { max_call_duration: 120, dictionary: "SIP", of_our_own: [1] } },
      { name: "Three", workflow_definition: echo(48_000), workflow_configurations: null },
      { workflow_definition: echo(48_000) },
    ];
    let known = first;
    for (const [index, changes] of steps.entries()) {
      assertContractRequest("PUT", place(first.id), changes);
      const { body } = await client.put(place(first.id), changes);
      const named = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== null));
      assert.equal(body.version_number, index + 2);
      assert.ok(body.current_definition_id > known.current_definition_id);
      const { version_number, current_definition_id } = body;
      assert.deepEqual(body, { ...known, ...named, version_number, current_definition_id });
      assert.deepEqual((await client.get(`${FETCH}/${first.id}`)).body, body);
      const answerer = directory.answererOf(first.id);
      assert.ok("brief" in answerer);
      assert.deepEqual(
        [answerer.brief.agent, answerer.brief.workflow.version, answerer.definitionId],
        [
          { max_duration_ms: 3_600_000, ...body.workflow_definition.agent },
          version_number,
          current_definition_id,
        ],
      );
      known = body;
    }
    assert.deepEqual((await client.get(`${FETCH}/${other.id}`)).body, other, "no other is touched");
  });

  it("gets none from an update that names nothing", async (t) => {
    const { client } = await startApi(t);
    const made = (await client.post(CREATE, { name: "Same", workflow_definition: echo(8_000) })).body;
    const nothing = { name: null, workflow_definition: null, template_context_variables: null };
    for (const changes of [{}, nothing])
      assert.deepEqual((await client.put(place(made.id), changes)).body, made);
    assert.equal((await client.put(place(made.id + 1), {})).status, 404);
  });

  it("loses no update of many at a time, whatever each changes", async (t) => {
    const { client, gateway } = await startApi(t);
    const { directory } = gateway;
    const { id } = (await client.post(CREATE, { name: "Busy", workflow_definition: echo(8_000) })).body;
    const rates = [8_000, 16_000, 24_000, 48_000];
    const changes = Array.from({ length: 40 }, (_, n) => {
      if (n % 4 === 0) return { name: `Name ${n}` };
      if (n % 4 === 1) return { workflow_definition: echo(rates[(n >> 2) % 4]!) };
      if (n % 4 === 2) return { template_context_variables: { n } };
      return { workflow_configurations: { turn_start_min_words: n } };
    });
    const answers = await Promise.all(changes.map((each) => client.put(place(id), each)));
    const inOrder = answers
      .map(({ body }, n) => ({ body, sent: changes[n]! }))
      .sort((a, b) => a.body.version_number - b.body.version_number);
    assert.deepEqual(
      inOrder.map(({ body }) => body.version_number),
      Array.from({ length: 40 }, (_, n) => n + 2),
    );
    let known = inOrder[0]!.body;
    for (const { body, sent } of inOrder) {
      const { version_number, current_definition_id } = body;
      assert.deepEqual(body, { ...known, ...sent, version_number, current_definition_id });
      known = body;
    }
    assert.deepEqual((await client.get(`${FETCH}/${id}`)).body, known);
    const { version, name, definition } = directory.workflow(WorkflowId(id))!;
    assert.deepEqual([version, name, definition], [41, known.name, known.workflow_definition]);
  });

  it("that is archived takes no calls until it is active again", async (t) => {
    const { client, gateway } = await startApi(t);
    const { directory } = gateway;
    const ids = [];
    for (const name of ["A", "B", "C"])
      ids.push((await client.post(CREATE, { name, workflow_definition: echo(8_000) })).body.id);
    const archived = (await client.put(place(ids[1]!, "/status"), { status: "archived" })).body;
    assert.deepEqual([archived.status, archived.version_number], ["archived", 1], "a status is no version");
    assert.deepEqual(directory.answererOf(ids[1]!), { refusal: "workflow_archived" });
    assert.deepEqual((await client.get(COUNT)).body, { total: STORYS + 3, active: STORYS + 2, archived: 1 });
    const listed = async (query: string) =>
      (await client.get(FETCH + query)).body.map(({ name }: { name: string }) => name.slice(-1)).join("");
    assert.equal(await listed(""), "12ABC");
    assert.equal(await listed("?status="), "12ABC");
    assert.equal(await listed("?status=active"), "12AC");
    assert.equal(await listed("?status=archived"), "B");
    assert.equal(await listed("?status=active,archived"), "12ABC");
    assert.equal(await listed("?status=active%2C%20archived"), "12ABC");
    assertBlames(await client.get(`${FETCH}?status=active,gone`), "query.status.1");

    await client.put(place(ids[1]!), { workflow_definition: echo(16_000) });
    assert.deepEqual(
      directory.answererOf(ids[1]!),
      { refusal: "workflow_archived" },
      "an update doesn't wake it",
    );
    await client.put(place(ids[1]!, "/status"), { status: "active" });
    assert.ok("brief" in directory.answererOf(ids[1]!));
  });

  it("answers with the version that was newest when the call came, and each call records its own", async (t) => {
    const story = await startApi(t);
    const { client, gateway, twilio } = story;
    const id = story.workflowId(1);
    const versionOf = (callSid: string) => {
      const record = gateway.records.find(CallSid(callSid))!;
      return [record.workflowVersion, record.definitionId];
    };
    const first = (await client.get(`${FETCH}/${id}`)).body;
    const before = await twilio.dial({ to: ECHO_NUMBER });
    const talk = await before.connect();
    const second = (await client.put(place(id), { workflow_definition: echo(48_000) })).body;
    const after = await twilio.dial({ to: ECHO_NUMBER });
    await after.connect();
    await client.put(place(id, "/status"), { status: "archived" });
    const refused = await twilio.dial({ to: ECHO_NUMBER });
    assert.deepEqual(refused.verbs, [{ verb: "Reject", reason: "rejected" }]);

    talk.say(Int16Array.from({ length: 8_000 }, (_, n) => Math.round(8_000 * Math.sin(n / 3))));
    await talk.hasPlayed(1_000); // it goes on, although its workflow is archived and newer by now
    assert.deepEqual(versionOf(before.sid), [1, first.current_definition_id]);
    assert.deepEqual(versionOf(after.sid), [2, second.current_definition_id]);
    for (const call of [before, after]) await call.hangUp();
    await allFree(story);

    assert.equal(gateway.records.find(CallSid(refused.sid))?.outcome, "workflow_archived");
    await client.put(place(id, "/status"), { status: "active" });
    const again = await twilio.dial({ to: ECHO_NUMBER });
    await again.connect();
    assert.deepEqual(versionOf(again.sid), [2, second.current_definition_id]);
    await again.hangUp();
    await gateway.records.committed();
    assert.ok((await client.get(`${FETCH}/${id}`)).body.total_runs >= 3);
  });

  it("that nobody made is not found", async (t) => {
    const { client } = await startApi(t);
    const answers = [
      await client.get(`${FETCH}/77`),
      await client.put(place(77), { name: "Any" }),
      await client.put(place(77, "/status"), { status: "archived" }),
      await client.post(place(77, "/validate")),
    ];
    for (const { status, body } of answers)
      assert.deepEqual([status, body], [404, { detail: "Workflow not found" }]);
    assertBlames(await client.get(`${FETCH}/seven`), "path.workflow_id");
  });

  it("may hold an agent's secret, which is kept with each version and shown as a mask", async (t) => {
    const { client, gateway, store } = await startApi(t);
    const SECRET = "the first secret of all";
    const define = (settings: object) => ({
      workflow_definition: { agent: { type: "secretive", ...settings } },
    });
    const agentOf = (id: number) => {
      const answerer = gateway.directory.answererOf(WorkflowId(id));
      assert.ok("brief" in answerer);
      return answerer.brief.agent as unknown as Record<string, unknown>;
    };
    const made = (await client.post(CREATE, { name: "Secretive", ...define({ agent_secret: SECRET }) })).body;
    const { id } = made;
    assert.deepEqual(made.workflow_definition.agent, { type: "secretive", agent_secret: "**** all" });
    assert.deepEqual((await client.get(`${FETCH}/${id}`)).body, made);
    assert.equal(agentOf(id).agent_secret, SECRET, "its agent is told");

    // What an editor does: it sends back what it was answered, with something else changed.
    const { agent } = made.workflow_definition;
    const edited = (await client.put(place(id), define({ ...agent, greeting: "Hello" }))).body;
    assert.deepEqual(edited.workflow_definition.agent, { ...agent, greeting: "Hello" });
    assert.deepEqual([agentOf(id).agent_secret, agentOf(id).greeting], [SECRET, "Hello"]);
    await client.put(place(id), { name: "Renamed" });
    assert.equal(
      agentOf(id).agent_secret,
      SECRET,
      "an update that doesn't name the definition leaves it alone",
    );

    const other = "a secret in its place";
    const replaced = (await client.put(place(id), define({ agent_secret: other }))).body;
    assert.equal(replaced.workflow_definition.agent.agent_secret, "****lace");
    assert.equal(agentOf(id).agent_secret, other);
    const validated = (await client.post(place(id, "/validate"))).body;
    assert.deepEqual(validated, { is_valid: true, errors: [] });

    const blamed = "body.workflow_definition.agent.agent_secret";
    for (const wrong of ["**** all", "****", "too short", 7]) {
      const refused = await client.put(place(id), define({ agent_secret: wrong }));
      assertBlames(refused, blamed);
    }
    assertBlames(await client.post(CREATE, { name: "Any", ...define({ agent_secret: "****lace" }) }), blamed);
    assert.equal(agentOf(id).agent_secret, other, "what is refused changes nothing");

    for (const none of [{}, { agent_secret: null }]) {
      const without = (await client.put(place(id), define(none))).body;
      assert.deepEqual(without.workflow_definition.agent, { type: "secretive" });
      assert.ok(!("agent_secret" in agentOf(id)));
      await client.put(place(id), define({ agent_secret: other }));
    }
    const first = await store.workflows.version(made.current_definition_id);
    assert.deepEqual(first?.secrets, { agent_secret: SECRET }, "calls that began with it go on with it");
    assert.deepEqual(first?.definition, { agent: { type: "secretive" } });
  });

  it("says how its calls are recorded, and what its agent is told, up to 16 KiB", async (t) => {
    const { client, gateway } = await startApi(t);
    const definition = { ...echo(8_000), recording: { enabled: true, retention_days: 90 } };
    const made = (await client.post(CREATE, { name: "Recorded", workflow_definition: definition })).body;
    assert.deepEqual(made.workflow_definition, definition);
    const told = { company: "Linecard", notes: "n".repeat(16_000) };
    await client.put(place(made.id), { template_context_variables: told });
    const answerer = gateway.directory.answererOf(made.id);
    assert.ok("brief" in answerer);
    const { workflow, recording, variables } = answerer.brief;
    assert.deepEqual(workflow, { id: made.id, name: "Recorded", version: 2 });
    assert.deepEqual(recording, { announcement: true, retentionDays: 90 });
    assert.deepEqual(variables, told);
    const tooMuch = { template_context_variables: { notes: "n".repeat(16_384) } };
    assertBlames(await client.put(place(made.id), tooMuch), "body.template_context_variables");
    const forEver = { ...definition, recording: { enabled: true, retention_days: 3_651 } };
    assertBlames(
      await client.put(place(made.id), { workflow_definition: forEver }),
      "body.workflow_definition.recording.retention_days",
    );
  });

  it("names each field that is wrong, and is then not made", async (t) => {
    const { client } = await startApi(t);
    const agent = "body.workflow_definition.agent";
    const make = (body: unknown) => client.post(CREATE, body);
    const define = (workflow_definition: unknown) => make({ name: "Any", workflow_definition });
    assertBlames(await define({ agent: { type: "echo", rate_hz: 11_025 } }), `${agent}.rate_hz`);
    assertBlames(await define({ agent: { type: "echo", rate_hz: "8000" } }), `${agent}.rate_hz`);
    assertBlames(
      await define({ agent: { type: "echo", rate: 8_000, max_duration_ms: -1 } }),
      `${agent}.rate`,
      `${agent}.max_duration_ms`,
    );
    assertBlames(await define({ agent: { type: "nobody" } }), `${agent}.type`);
    assertBlames(await define({ agent: {} }), `${agent}.type`);
    assertBlames(await define({ agnet: { type: "echo" } }), agent);
    for (const wrong of [undefined, null, "echo", 1, []])
      assertBlames(await define(wrong), "body.workflow_definition");
    for (const name of [undefined, null, 1, "", " ", "n".repeat(256), "a\nb", "a\0"])
      assertBlames(await make({ name, workflow_definition: echo(8_000) }), "body.name");
    assertBlames(
      await make({ name: 1, workflow_definition: { agent: { type: "echo", rate_hz: 1 } } }),
      "body.name",
      `${agent}.rate_hz`,
    );
    assertBlames(
      await make({ name: "Any", workflow_definition: echo(8_000), definition: {} }),
      "body.definition",
    );
    const foreign =
      '{"name": "Any", "workflow_definition": {"agent": {"type": "echo", "__proto__": {"rate_hz": 1}}}}';
    assertBlames(await make(foreign), `${agent}.__proto__`);
    for (const text of ["", "{", "[]", "null", '{"name": "Any", "workflow_definition": }'])
      assert.equal((await make(text)).status, 422, text);
    assert.equal((await client.get(COUNT)).body.total, STORYS);
  });

  it("keeps its version when an update is refused", async (t) => {
    const { client } = await startApi(t);
    const made = (await client.post(CREATE, { name: "Kept", workflow_definition: echo(8_000) })).body;
    const put = (body: unknown) => client.put(place(made.id), body);
    assertBlames(await put({ nmae: "Typo" }), "body.nmae");
    assertBlames(await put({ name: "" }), "body.name");
    assertBlames(
      await put({ name: "New", workflow_definition: { agent: { type: "echo", rate_hz: 1 } } }),
      "body.workflow_definition.agent.rate_hz",
    );
    assertBlames(await put({ template_context_variables: [] }), "body.template_context_variables");
    const configurations = "body.workflow_configurations";
    for (const [name, wrong] of Object.entries({
      max_call_duration: 1_201,
      max_user_idle_timeout: "10",
      turn_start_strategy: "any",
      turn_stop_strategy: null,
      turn_start_min_words: 1.5,
      dictionary: 1,
      context_compaction_enabled: "yes",
      text_chat_inactivity_timeout_seconds: 59,
    })) {
      assertBlames(await put({ workflow_configurations: { [name]: wrong } }), `${configurations}.${name}`);
    }
    const noisy = { ambient_noise_configuration: { volume: "loud" } };
    assertBlames(
      await put({ workflow_configurations: noisy }),
      `${configurations}.ambient_noise_configuration.volume`,
    );
    assertBlames(await client.put(place(made.id, "/status"), { status: "deleted" }), "body.status");
    assertBlames(await client.put(place(made.id, "/status"), {}), "body.status");
    assert.deepEqual((await client.get(`${FETCH}/${made.id}`)).body, made);
  });

  it("is valid as long as there is an agent for it", async (t) => {
    const { client, store } = await startApi(t);
    const { id } = (await client.post(CREATE, { name: "Fine", workflow_definition: echo(8_000) })).body;
    assert.deepEqual((await client.post(place(id, "/validate"))).body, { is_valid: true, errors: [] });
    // Saved by a gateway that had an agent which this one has not.
    const definition = { agent: { type: "gone", voice: "low" } };
    const stored = await store.workflows.create("0-0-0-0-0", "Left behind", { definition }, 0);
    const { is_valid, errors } = (await client.post(place(stored.id, "/validate"))).body;
    assert.equal(is_valid, false);
    assert.deepEqual(
      errors.map(({ kind, field }: { kind: string; field: string }) => [kind, field]),
      [["workflow", "agent.type"]],
    );
  });
});
