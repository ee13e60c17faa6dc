import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import {
  joined,
  masked,
  type PartedDefinition,
  parted,
  unmasked,
} from "../../../src/workflows/agentSecrets.ts";

const types = await loadAgentReaders([new URL("../../support/secretAgent.ts", import.meta.url).href]);
const SECRET = "a secret of the agent's";
const agent = (settings: object, type = "secretive") => ({ agent: { type, ...settings } });
const kept = (sent: unknown, stored?: PartedDefinition) => unmasked(parted(sent, types), stored);
const stored = (sent: unknown, before?: PartedDefinition): PartedDefinition => {
  const whole = kept(sent, before);
  assert.ok("secrets" in whole, JSON.stringify(whole));
  return whole;
};
const refused = (sent: unknown, before?: PartedDefinition) => {
  const whole = kept(sent, before);
  assert.ok("problems" in whole, JSON.stringify(whole));
  for (const { message } of whole.problems) assert.match(message, /is a mask/);
  return whole.problems.map(({ path }) => path.join("."));
};

describe("an agent's secret", () => {
  it("is no part of the definition that is stored, is there for its agent, and shown as a mask", () => {
    const sent = { ...agent({ agent_secret: SECRET, greeting: "Hello" }), nodes: [1] };
    const whole = stored(sent);
    assert.deepEqual(whole, {
      definition: { ...agent({ greeting: "Hello" }), nodes: [1] },
      secrets: { agent_secret: SECRET },
    });
    assert.deepEqual(joined(whole), sent);
    assert.deepEqual(masked(whole), {
      ...agent({ agent_secret: "****nt's", greeting: "Hello" }),
      nodes: [1],
    });
    assert.deepEqual(sent.agent, { type: "secretive", agent_secret: SECRET, greeting: "Hello" }, "untouched");
  });

  it("is kept by its mask, replaced by another, and taken away by null, nothing, or being left out", () => {
    const before = stored(agent({ agent_secret: SECRET, other_secret: "ab" }));
    assert.deepEqual(stored(masked(before), before), before);
    const replaced = stored(agent({ agent_secret: "quite another one", other_secret: "****" }), before);
    assert.deepEqual(replaced.secrets, { agent_secret: "quite another one", other_secret: "ab" });
    for (const none of [{}, { agent_secret: null }, { agent_secret: "" }])
      assert.deepEqual(stored(agent(none), before), { definition: agent({}), secrets: {} });
  });

  it("never gives way to a mask that is not its own", () => {
    const before = stored(agent({ agent_secret: SECRET }));
    for (const mask of ["****", "****nt'z", "*****nt's", `****${SECRET}`])
      assert.deepEqual(refused(agent({ agent_secret: mask }), before), ["agent.agent_secret"]);
    assert.deepEqual(refused(agent({ other_secret: "****nt's" }), before), ["agent.other_secret"]);
    assert.deepEqual(refused(agent({ agent_secret: "****nt's" })), ["agent.agent_secret"]);
    assert.deepEqual(refused(agent({ agent_secret: "****a", other_secret: "****b" }), before), [
      "agent.agent_secret",
      "agent.other_secret",
    ]);
  });

  it("is not for an agent of another type", () => {
    const secrets = { agent_secret: SECRET };
    const others = { definition: { agent: { type: "another" } }, secrets };
    assert.deepEqual(refused(masked({ ...others, definition: agent({}) }), others), ["agent.agent_secret"]);
  });

  it("is not for a server at another address, whatever its path there", () => {
    const at = (url: string) => ({ agent_secret: "****nt's", url });
    const before = stored(agent({ agent_secret: SECRET, url: "wss://one.example.com/agent" }));
    const others = ["two.example.com", "one.example.com:444"].map((host) => `wss://${host}/agent`);
    for (const url of [...others, "ws://one.example.com/agent", "nonsense"])
      assert.deepEqual(refused(agent(at(url)), before), ["agent.agent_secret"]);
    assert.deepEqual(refused(agent({ agent_secret: "****nt's" }), before), ["agent.agent_secret"]);
    const moved = stored(agent(at("wss://one.example.com/another")), before);
    assert.deepEqual(moved.secrets, { agent_secret: SECRET });
  });

  it("that is no text is its type's to refuse", () => {
    for (const wrong of [1, {}, [SECRET], true])
      assert.deepEqual(stored(agent({ agent_secret: wrong })), {
        definition: agent({ agent_secret: wrong }),
        secrets: {},
      });
  });

  it("is told from other settings by its type alone", () => {
    for (const sent of [agent({ agent_secret: SECRET }, "echo"), agent({ agent_secret: SECRET }, "toString")])
      assert.deepEqual(stored(sent), { definition: sent, secrets: {} });
  });

  it("is shown as a mask, also by a gateway that doesn't know its type any more", () => {
    const shown = masked({ definition: agent({}, "gone"), secrets: { agent_secret: SECRET } });
    assert.deepEqual(shown, agent({ agent_secret: "****nt's" }, "gone"));
  });

  it("comes back from every way round: as it was sent, as it is shown, and whatever is no definition", () => {
    const text = fc.string({ minLength: 1 }).filter((each) => !each.startsWith("****"));
    const settings = fc.record({ agent_secret: text, other_secret: text }, { requiredKeys: [] });
    fc.assert(
      fc.property(settings, (each) => {
        const whole = stored(agent(each));
        assert.deepEqual(joined(whole), agent(each));
        assert.deepEqual(stored(masked(whole), whole), whole);
        assert.ok(!JSON.stringify(whole.definition).includes('secret"'), "no trace in the definition");
      }),
    );
    const json = fc.jsonValue();
    const anything = fc.oneof(json, fc.record({ agent: json }, { noNullPrototype: true }));
    fc.assert(
      fc.property(anything, (sent) => {
        const { definition, secrets, masks } = parted(sent, types);
        assert.deepEqual([definition, secrets, masks], [sent, {}, {}]);
      }),
    );
  });
});
