// Where an agent's server may be: URL by URL, and address by address at the moment it is dialled.
import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { notPublic, urlProblem } from "../../../../../src/media/agents/websocket/address.ts";
import { type Lookup, Resolver } from "../../../../../src/media/agents/websocket/resolver.ts";
import { websocketReader } from "../../../../../src/media/agents/websocket/settings.ts";
import { startAgent } from "./rig.ts";

const REFUSED = `
  wss://127.0.0.1/                     loopback
  wss://127.0.0.1:9000/agent           loopback
  wss://127.1/                         loopback
  wss://127.0.1/                       loopback
  wss://2130706433/                    loopback
  wss://0x7f.1/                        loopback
  wss://0x7f000001/                    loopback
  wss://0177.0.0.1/                    loopback
  wss://017700000001/                  loopback
  wss://127.255.255.254/               loopback
  wss://%31%32%37.0.0.1/               loopback
  wss://１２７.０.０.１/                loopback
  wss://127。0。0。1/                   loopback
  wss://localhost/                     loopback
  wss://LOCALHOST/                     loopback
  wss://localhost./                    loopback
  wss://agent.localhost/               loopback
  wss://[::1]/                         loopback
  wss://[0:0:0:0:0:0:0:1]/             loopback
  wss://0.0.0.0/                       this network
  wss://0/                             this network
  wss://[::]/                          unspecified
  wss://10.0.0.1/                      a private network
  wss://10.255.255.255/                a private network
  wss://172.16.0.1/                    a private network
  wss://172.31.255.255/                a private network
  wss://192.168.1.1/                   a private network
  wss://192.168.257/                   a private network
  wss://3232235777/                    a private network
  wss://[fd00::1]/                     a private network
  wss://[fc00::1]/                     a private network
  wss://[fd00:ec2::254]/               a private network
  wss://169.254.169.254/               link-local
  wss://0xa9fea9fe/                    link-local
  wss://169.254.1.1/                   link-local
  wss://[fe80::1]/                     link-local
  wss://[febf::1]/                     link-local
  wss://100.64.0.1/                    a carrier's inner network
  wss://100.100.100.200/               a carrier's inner network
  wss://100.127.255.255/               a carrier's inner network
  wss://168.63.129.16/                 a cloud's inner service
  wss://192.0.0.192/                   protocol assignments
  wss://192.0.2.1/                     documentation
  wss://198.51.100.1/                  documentation
  wss://203.0.113.1/                   documentation
  wss://[2001:db8::1]/                 documentation
  wss://[3fff::1]/                     documentation
  wss://198.18.0.1/                    benchmarks
  wss://198.19.255.255/                benchmarks
  wss://192.88.99.1/                   a relay to IPv6
  wss://224.0.0.1/                     multicast
  wss://239.255.255.255/               multicast
  wss://[ff02::1]/                     multicast
  wss://240.0.0.1/                     reserved or broadcast
  wss://255.255.255.255/               reserved or broadcast
  wss://[::ffff:127.0.0.1]/            an IPv4 address in disguise
  wss://[::ffff:7f00:1]/               an IPv4 address in disguise
  wss://[::ffff:8.8.8.8]/              an IPv4 address in disguise
  wss://[0:0:0:0:0:ffff:a9fe:a9fe]/    an IPv4 address in disguise
  wss://[2002:7f00:1::]/               an IPv4 address in disguise
  wss://[64:ff9b::127.0.0.1]/          an IPv4 address in disguise
  wss://[64:ff9b:1::1]/                reserved
  wss://[::127.0.0.1]/                 reserved
  wss://[2001::1]/                     protocol assignments or a tunnel
  wss://[5000::1]/                     reserved
  wss://[fec0::1]/                     reserved
  http://agent.example.com/            must begin with wss://
  https://agent.example.com/           must begin with wss://
  file:///etc/passwd                   must begin with wss://
  ws+unix:/run/agent.sock              must begin with wss://
  ws://agent.example.com/              must begin with wss://
  ws://8.8.8.8/                        must begin with wss://
  wss://user@agent.example.com/        must hold no user
  wss://user:password@8.8.8.8/         must hold no user
  wss://agent.example.com/#there       must have no fragment
  wss://agent.example.com:0/           must have a port
  wss://agent.example.com:99999/       must be an address such as
  wss://[::1%25eth0]/                  must be an address such as
  agent.example.com                    must be an address such as
  //agent.example.com/                 must be an address such as`;

const TAKEN = `
  wss://agent.example.com/call?key=1   wss://agent.example.com:8443/   wss://8.8.8.8/   wss://1.1.1.1:9000/a
  wss://[2606:4700::1111]/             wss://172.15.0.1/   wss://172.32.0.1/   wss://100.128.0.1/   wss://münchen.example/
  wss://127.0.0.1.example.com/         wss://localhost.example.com/   wss://192.167.0.1/   wss://11.0.0.1/`;

describe("the URL of an agent's server", () => {
  const forms = REFUSED.trim()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));

  it(`is refused in ${forms.length} forms, each for its reason`, () => {
    assert.ok(forms.length >= 60);
    for (const [url, why] of forms) {
      const problem = urlProblem(url!, []);
      assert.ok(problem?.includes(why!), `${url}: ${problem}`);
      assert.ok(!problem!.includes("password@"), problem);
    }
  });

  it("is taken where it is public", () => {
    for (const url of TAKEN.trim().split(/\s+/)) assert.equal(urlProblem(url, []), undefined, url);
  });

  it("may be an operator's own, without TLS too, however the host is spelled in it", () => {
    const hosts = ["127.0.0.1", "agent.internal", "[::1]"];
    for (const url of ["ws://127.0.0.1:9000/", "wss://127.1/", "ws://AGENT.internal/", "ws://[0::1]/"])
      assert.equal(urlProblem(url, hosts), undefined, url);
    for (const url of [
      "ws://127.0.0.2/",
      "ws://localhost/",
      "ws://agent.internal.example/",
      "http://127.0.0.1/",
    ])
      assert.notEqual(urlProblem(url, hosts), undefined, url);
  });

  it("is refused as a field of the workflow, with what would allow it", () => {
    const { parse } = websocketReader([]);
    const read = parse({ type: "websocket", url: "ws://127.0.0.1:9000/" });
    assert.deepEqual(read, {
      problems: [
        {
          path: ["url"],
          message:
            "must have a public host, and 127.0.0.1 is not (loopback); an operator allows it by naming 127.0.0.1 in AGENT_PRIVATE_HOSTS",
        },
      ],
    });
  });
});

describe("the settings of a websocket agent", () => {
  const { parse, secrets } = websocketReader(["127.0.0.1"]);
  const url = "ws://127.0.0.1:9000/";

  it("are a URL, a secret that is kept as one, and who may interrupt", () => {
    const read = parse({ type: "websocket", url });
    assert.ok("settings" in read);
    assert.equal(read.settings.interruption, "on");
    assert.equal(read.settings.max_silence_ms, 30_000);
    assert.deepEqual(secrets, ["agent_secret"]);
  });

  it("are refused field by field", () => {
    for (const [field, wrong] of [
      ["url", undefined],
      ["url", 5],
      ["url", `wss://agent.example.com/${"a".repeat(2_048)}`],
      ["agent_secret", ""],
      ["agent_secret", "two words"],
      ["agent_secret", "line\r\nInjected: yes"],
      ["interruption", "never"],
      ["headers", {}],
    ] as const) {
      const read = parse({ type: "websocket", url, [field]: wrong });
      assert.ok("problems" in read, `${field}: ${wrong}`);
      assert.deepEqual(
        read.problems.map(({ path }) => path[0]),
        [field],
      );
    }
  });
});

describe("an address that a name leads to", () => {
  it("is public, or called what it is", () => {
    for (const address of ["8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1"])
      assert.equal(notPublic(address), undefined, address);
    for (const address of ["fe80::1%eth0", "::ffff:8.8.8.8", "127.0.0.1", "nonsense", ""])
      assert.notEqual(notPublic(address), undefined, address);
  });
});

describe("a name that leads to what is not public", () => {
  const url = (port: number) => `wss://agent.example.com:${port}/`;
  let connections = 0;
  const canary = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  let port = 0;
  before(async () => {
    await new Promise<void>((listening) => canary.listen(0, "127.0.0.1", listening));
    const at = canary.address();
    port = typeof at === "object" && at !== null ? at.port : 0;
  });
  after(() => canary.close());

  /** Answers the addresses one after the other, a list for each look-up. */
  function answering(...answers: readonly (readonly LookupAddress[])[]): Lookup & { asked: number } {
    const lookup = Object.assign(
      ((_name, done) => {
        lookup.asked++;
        done(null, answers[Math.min(lookup.asked, answers.length) - 1]!);
      }) as Lookup,
      { asked: 0 },
    );
    return lookup;
  }
  const PUBLIC = { address: "8.8.8.8", family: 4 };
  const LOOPBACK = { address: "127.0.0.1", family: 4 };

  for (const [what, answers] of [
    ["at once", [[LOOPBACK]]],
    ["among others", [[PUBLIC, LOOPBACK]]],
    ["in disguise", [[{ address: "::ffff:127.0.0.1", family: 6 }]]],
  ] as const) {
    it(`is never dialled when it does so ${what}`, async () => {
      const resolver = new Resolver(answering(...answers));
      const { line, does } = startAgent(url(port), { tools: { resolver } });
      await does("fail: the agent's server could not be reached: agent.example.com is not public");
      assert.deepEqual(
        line.told("agent_connect_failed").map(({ failure }) => failure),
        ["address"],
      );
      assert.equal(connections, 0);
    });
  }

  it("is never dialled when it does so after it was found public", async () => {
    const lookup = answering([PUBLIC], [LOOPBACK]);
    const resolver = new Resolver(lookup);
    const name = new URL(url(port));
    assert.deepEqual(await resolver.resolve(name, [], 0), { addresses: [PUBLIC] });
    // What was checked is what is dialled: no second look-up while the answer counts, however many calls come.
    const answers = await Promise.all(Array.from({ length: 50 }, () => resolver.resolve(name, [], 4_999)));
    for (const answer of answers) assert.deepEqual(answer, { addresses: [PUBLIC] });
    assert.equal(lookup.asked, 1);
    assert.ok("failure" in (await resolver.resolve(name, [], 5_000)));
    assert.equal(lookup.asked, 2);
    const { does } = startAgent(url(port), { tools: { resolver: new Resolver(answering([LOOPBACK])) } });
    await does("fail: ");
    assert.equal(connections, 0);
  });

  it("is dialled where an operator names it, at the address that was found", async () => {
    const resolver = new Resolver(answering([LOOPBACK]));
    const { does } = startAgent(`ws://agent.example.com:${port}/`, {
      tools: { resolver },
      privateHosts: ["agent.example.com"],
    });
    await does("fail: ");
    assert.ok(connections > 0);
  });
});

describe("looking up a name", () => {
  it("happens once for fifty calls that begin together, and again soon after it failed", async () => {
    let asked = 0;
    const waiting: Parameters<Lookup>[1][] = [];
    const resolver = new Resolver((_name, done) => {
      asked++;
      waiting.push(done);
    });
    const url = new URL("wss://agent.example.com/");
    const all = Promise.all(Array.from({ length: 50 }, () => resolver.resolve(url, [], 0)));
    assert.equal(asked, 1);
    waiting[0]!(Object.assign(new Error("no"), { code: "ENOTFOUND" }), []);
    for (const answer of await all)
      assert.deepEqual(answer, { failure: "dns", detail: "agent.example.com was not found (ENOTFOUND)" });
    void resolver.resolve(url, [], 499);
    assert.equal(asked, 1);
    void resolver.resolve(url, [], 500);
    assert.equal(asked, 2);
  });
});
