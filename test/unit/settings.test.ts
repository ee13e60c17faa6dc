import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { GatewayError } from "../../src/domain/errors.ts";
import { listeningOn, readSettings, type Settings } from "../../src/settings.ts";

type Env = Readonly<Record<string, string | undefined>>;

const read = (env: Env, cores = 4): Settings => readSettings(env, cores);

/** The lines that say what is wrong; fails when nothing is. */
function problems(env: Env): string[] {
  try {
    readSettings(env, 4);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "SETTINGS_INVALID");
    const [title, ...lines] = error.message.split("\n  ");
    assert.match(title!, lines.length === 1 ? /^1 setting is wrong:$/ : /^\d+ settings are wrong:$/);
    return lines;
  }
  assert.fail(`nothing was wrong with ${JSON.stringify(env)}`);
}

/** The only line that says what is wrong. */
function problem(env: Env): string {
  const lines = problems(env);
  assert.equal(lines.length, 1, lines.join("\n"));
  return lines[0]!;
}

const words = (text: string): string[] => text.split(" ");

const EXAMPLE = readFileSync(new URL("../../.env.example", import.meta.url), "utf8");
/** Every variable of .env.example with the value it shows. */
const SHOWN: Env = Object.fromEntries(
  [...EXAMPLE.matchAll(/^#([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
);

const ACCOUNT = {
  TWILIO_ACCOUNT_SID: `AC${"0123456789abcdef".repeat(2)}`,
  TWILIO_AUTH_TOKEN: "canary-of-the-auth-token",
  TWILIO_PHONE_NUMBER: "+15551234567",
};

describe("settings of an empty environment", () => {
  it("are the defaults of a loopback installation", () => {
    const { publicBase, streamBase, ...rest } = read({});
    assert.deepEqual(rest, {
      host: "127.0.0.1",
      port: 8_080,
      isLoopbackOnly: true,
      twilioAccount: undefined,
      twilioApiBaseUrl: undefined,
      voiceFallbackUrl: undefined,
      databasePath: "data/linecard.db",
      recordingsPath: "data/recordings",
      apiKey: undefined,
      encryptionKey: undefined,
      metricsToken: undefined,
      promptFiles: { comfort: undefined, apology: undefined, announcement: undefined },
      agentPrivateHosts: [],
      dialPrefixes: [],
      mediaWorkers: 3,
      callsMax: 1_000,
      drainTimeoutMs: 900_000,
      logLevel: "info",
    });
    assert.deepEqual(publicBase, {
      href: "http://127.0.0.1:8080",
      streamHref: "ws://127.0.0.1:8080",
      origin: "http://127.0.0.1:8080",
      prefix: "",
      scheme: "http",
      host: "127.0.0.1:8080",
      isLoopback: true,
      isHttps: false,
    });
    assert.deepEqual(streamBase, publicBase);
  });

  it("are the same when variables are there but blank", () => {
    assert.deepEqual(read({ HOST: "", PORT: " ", TWILIO_AUTH_TOKEN: "\n", LINECARD_NONE: "" }), read({}));
  });

  it("leave one core to the front thread but have two workers at least", () => {
    assert.deepEqual(
      [1, 2, 3, 4, 16].map((cores) => read({}, cores).mediaWorkers),
      [2, 2, 2, 3, 15],
    );
  });

  it("have all their names in .env.example", () => {
    const asked = new Set<string>();
    const spy = new Proxy({} as Env, {
      get(_, name) {
        asked.add(String(name));
        return undefined;
      },
    });
    readSettings(spy, 4);
    // A secret's file stands beside the secret; the others' names are all they have.
    const secretFiles = [...asked].filter(
      (name) => name.endsWith("_FILE") && asked.has(name.slice(0, -"_FILE".length)),
    );
    assert.equal(secretFiles.length, 4);
    assert.deepEqual([...Object.keys(SHOWN), ...secretFiles].sort(), [...asked].sort());
    for (const name of secretFiles) assert.ok(EXAMPLE.includes(name), name);
  });

  it("can be written out as .env.example does", () => {
    const names = ["host", "port", "publicBase", "databasePath", "callsMax", "drainTimeoutMs", "logLevel"];
    const written = new Map(Object.entries(read({ ...SHOWN, TWILIO_AUTH_TOKEN: "12345" })));
    const defaults = new Map(Object.entries(read({})));
    for (const name of names) assert.deepEqual(written.get(name), defaults.get(name), name);
  });
});

describe("settings", () => {
  it("are read from every variable", () => {
    const settings = read({
      ...ACCOUNT,
      HOST: " 0.0.0.0 ",
      PORT: "9000",
      PUBLIC_BASE_URL: "https://GW.example.com/voice/",
      STREAM_BASE_URL: "wss://node-1.example.com",
      TWILIO_API_BASE_URL: "http://127.0.0.1:4010/",
      VOICE_FALLBACK_URL: "http://fallback.example.net/sorry.xml?x=1#rc=2&rp=all",
      DATABASE_PATH: "/var/lib/linecard/calls.db",
      RECORDINGS_PATH: "/srv/recordings",
      LINECARD_API_KEY: "k".repeat(32),
      LINECARD_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64"),
      METRICS_TOKEN: "scrape",
      COMFORT_FILE: "prompts/comfort.wav",
      APOLOGY_FILE: " /etc/linecard/apology.wav ",
      ANNOUNCEMENT_FILE: "announcement.wav",
      AGENT_PRIVATE_HOSTS: "Localhost, 127.0.0.1,::1,[::1],,agents",
      DIAL_PREFIXES: "+1, 44,+1",
      MEDIA_WORKERS: "1",
      CALLS_MAX: "10000",
      DRAIN_TIMEOUT_MS: "0",
      LOG_LEVEL: "trace",
    });
    const { publicBase, streamBase, encryptionKey, ...rest } = settings;
    assert.deepEqual(rest, {
      host: "0.0.0.0",
      port: 9_000,
      isLoopbackOnly: false,
      twilioAccount: {
        accountSid: ACCOUNT.TWILIO_ACCOUNT_SID,
        authToken: ACCOUNT.TWILIO_AUTH_TOKEN,
        phoneNumber: ACCOUNT.TWILIO_PHONE_NUMBER,
      },
      twilioApiBaseUrl: "http://127.0.0.1:4010",
      voiceFallbackUrl: "http://fallback.example.net/sorry.xml?x=1#rc=2&rp=all",
      databasePath: "/var/lib/linecard/calls.db",
      recordingsPath: "/srv/recordings",
      apiKey: "k".repeat(32),
      metricsToken: "scrape",
      promptFiles: {
        comfort: "prompts/comfort.wav",
        apology: "/etc/linecard/apology.wav",
        announcement: "announcement.wav",
      },
      agentPrivateHosts: ["localhost", "127.0.0.1", "[::1]", "agents"],
      dialPrefixes: ["+1", "+44"],
      mediaWorkers: 1,
      callsMax: 10_000,
      drainTimeoutMs: 0,
      logLevel: "trace",
    });
    assert.deepEqual(publicBase, {
      href: "https://gw.example.com/voice",
      streamHref: "wss://gw.example.com/voice",
      origin: "https://gw.example.com",
      prefix: "/voice",
      scheme: "https",
      host: "gw.example.com",
      isLoopback: false,
      isHttps: true,
    });
    assert.equal(streamBase.href, "https://node-1.example.com");
    assert.equal(streamBase.streamHref, "wss://node-1.example.com");
    assert.deepEqual(encryptionKey?.export(), Buffer.alloc(32, 7));
  });

  it("are frozen to the bottom", () => {
    const settings = read({ ...ACCOUNT, DIAL_PREFIXES: "+1", AGENT_PRIVATE_HOSTS: "localhost" });
    for (const value of [settings, listeningOn(settings, 8_080)]) {
      for (const part of [value, ...Object.values(value)]) assert.ok(Object.isFrozen(part));
    }
  });

  it("don't print the encryption key", () => {
    const key = Buffer.alloc(32, "secret").toString("base64");
    const settings = read({ LINECARD_ENCRYPTION_KEY: key });
    assert.ok(!`${inspect(settings, { depth: 9 })}${JSON.stringify(settings)}`.includes(key));
  });

  it("report every problem at once, by name", () => {
    const wrong = {
      HOST: "[::1]:80",
      PORT: "eighty",
      PUBLIC_BASE_URL: "http://user:word@gw.example.com:0/a//b?c#d",
      STREAM_BASE_URL: "gw.example.com",
      TWILIO_ACCOUNT_SID: "AC123",
      TWILIO_AUTH_TOKEN: "two words",
      TWILIO_API_BASE_URL: "http://twin:4010",
      VOICE_FALLBACK_URL: "/sorry.xml",
      DATABASE_PATH: "data/",
      COMFORT_FILE: "/etc/linecard/",
      LINECARD_API_KEY: "k".repeat(31),
      LINECARD_ENCRYPTION_KEY: Buffer.alloc(31).toString("base64"),
      METRICS_TOKEN: "two\nlines",
      AGENT_PRIVATE_HOSTS: "ws://localhost",
      DIAL_PREFIXES: "+0",
      MEDIA_WORKERS: "0",
      CALLS_MAX: "1e3",
      DRAIN_TIMEOUT_MS: "-1",
      LOG_LEVEL: "verbose",
      LINECARD_APIKEY: "k",
    };
    const lines = problems(wrong);
    const counts: Record<string, number> = {};
    for (const [name] of lines.map(words)) counts[name!] = (counts[name!] ?? 0) + 1;
    // Scheme, port, path, user, query and fragment of the base: each is wrong by itself.
    const once = [...Object.keys(wrong), "TWILIO_PHONE_NUMBER"].map((name) => [name, 1]);
    assert.deepEqual(counts, { ...Object.fromEntries(once), PUBLIC_BASE_URL: 6 });
  });

  it("say what would be right", () => {
    assert.equal(problem({ PORT: "65536" }), 'PORT must be a whole number from 0 to 65535, not "65536"');
    assert.match(problem({ LOG_LEVEL: "INFO" }), /must be one of fatal, error, .* silent, not "INFO"$/);
    assert.match(
      problem({ PUBLIC_BASE_URL: "https://gw.example.com:8443" }),
      /leave out port 8443.* 443 only/,
    );
    assert.match(problem({ ...ACCOUNT, TWILIO_PHONE_NUMBER: "1 555 123 4567" }), /E\.164.*\+15551234567$/);
    assert.match(problem({ LINECARD_ENCRYPTION_KEY: "short" }), /32 bytes in base64/);
  });

  it("never show a secret, wherever it was put", () => {
    const canary = "canary-9f2b";
    const leaks = (name: string, value: string): boolean =>
      problems({ [name]: value })
        .join()
        .includes(canary);
    const secrets = words(
      "TWILIO_ACCOUNT_SID TWILIO_AUTH_TOKEN TWILIO_PHONE_NUMBER LINECARD_ENCRYPTION_KEY LINECARD_API_KEY",
    );
    const files = words("TWILIO_AUTH_TOKEN_FILE LINECARD_API_KEY_FILE METRICS_TOKEN_FILE");
    const mistyped = words("TWILIO_TOKEN LINECARD_SECRET");
    for (const name of [...secrets, ...files, ...mistyped]) assert.ok(!leaks(name, canary), name);
    const urls = [`http://u:${canary}@gw.example.com`, `https://gw.example.com/?key=${canary}`, canary];
    for (const name of words("PUBLIC_BASE_URL STREAM_BASE_URL TWILIO_API_BASE_URL")) {
      for (const url of urls) assert.ok(!leaks(name, url), `${name}=${url}`);
    }
  });

  it("are read, or refused with words, whatever the values are", () => {
    const urls = fc.webUrl({ withFragments: true, withQueryParameters: true });
    const value = fc.oneof(fc.string({ unit: "binary" }), urls, fc.ipV6(), fc.domain(), fc.nat().map(String));
    const env = fc.dictionary(fc.constantFrom(...Object.keys(SHOWN)), value);
    fc.assert(
      fc.property(env, (values) => {
        try {
          const { publicBase, port } = read(values);
          assert.equal(new URL(`${publicBase.href}/x`).href, `${publicBase.origin}${publicBase.prefix}/x`);
          assert.ok(publicBase.isHttps || publicBase.isLoopback);
          assert.ok(port >= 0 && port <= 65_535);
        } catch (error) {
          assert.ok(error instanceof GatewayError, String(error));
        }
      }),
    );
  });
});

describe("the public base", () => {
  it("is https, or http on loopback", () => {
    for (const host of words("localhost 127.0.0.1:9000 127.9.9.9 [::1]:9000 LOCALHOST")) {
      assert.ok(read({ PUBLIC_BASE_URL: `http://${host}` }).publicBase.isLoopback, host);
    }
    for (const host of words(
      "gw.example.com 10.0.0.1 128.0.0.1 127.0.0.1.example.com [::2] localhost.example",
    )) {
      assert.match(problem({ PUBLIC_BASE_URL: `http://${host}` }), /must begin with https/, host);
      assert.ok(!read({ PUBLIC_BASE_URL: `https://${host}` }).publicBase.isLoopback, host);
    }
  });

  it("loses its trailing slash and keeps its path", () => {
    const cases: [string, string, string][] = [
      ["https://gw.example.com/", "https://gw.example.com", ""],
      ["https://gw.example.com:443", "https://gw.example.com", ""],
      ["https://gw.example.com/a/b/", "https://gw.example.com/a/b", "/a/b"],
      ["https://gw.example.com/a//", "https://gw.example.com/a", "/a"],
      ["HTTP://127.0.0.1:80/x%20y", "http://127.0.0.1/x%20y", "/x%20y"],
    ];
    for (const [given, href, prefix] of cases) {
      const { publicBase } = read({ PUBLIC_BASE_URL: given });
      assert.deepEqual([publicBase.href, publicBase.prefix], [href, prefix]);
      assert.equal(publicBase.streamHref, href.replace("http", "ws"));
    }
  });

  it("is refused when Twilio couldn't use it", () => {
    const wrong: [string, RegExp][] = [
      ["https://gw.example.com/a b", /whole URL/],
      ["https://user@gw.example.com", /no user/],
      ["https://:word@gw.example.com", /no user/],
      ["https://gw.example.com?a=b", /no query/],
      ["https://gw.example.com/?", /no query/],
      ["https://gw.example.com/#", /no fragment/],
      ["https://gw.example.com:8443", /port 8443/],
      ["https://127.0.0.1:8443", /port 8443/],
      ["http://127.0.0.1:0", /port that can be called/],
      ["https://gw.example.com//a", /empty part/],
      ["https://my_gateway.example.com", /underscores/],
    ];
    for (const [url, why] of wrong) assert.match(problem({ PUBLIC_BASE_URL: url }), why, url);
    const schemes = ["", "https:", "https:///?", "wss://", "ftp://"];
    for (const url of [
      ...schemes.map((scheme) => `${scheme}gw.example.com:`),
      "https://",
      "https://gw:99999",
    ]) {
      assert.match(problem({ PUBLIC_BASE_URL: url }), /whole URL/, url);
    }
  });

  it("decides where to listen unless HOST does", () => {
    const base = "https://gw.example.com";
    assert.equal(read({ PUBLIC_BASE_URL: base }).host, "0.0.0.0");
    assert.equal(read({ PUBLIC_BASE_URL: base, HOST: "127.0.0.1" }).host, "127.0.0.1");
    assert.equal(read({ PUBLIC_BASE_URL: "https://localhost" }).host, "127.0.0.1");
    const isLoopbackOnly = (env: Env): boolean => read(env).isLoopbackOnly;
    for (const env of [{}, { HOST: "::1" }, { HOST: "localhost" }]) assert.ok(isLoopbackOnly(env));
    for (const env of [{ HOST: "0.0.0.0" }, { PUBLIC_BASE_URL: base, HOST: "127.0.0.1" }])
      assert.ok(!isLoopbackOnly(env));
  });

  it("is the stream base too unless this node has its own", () => {
    assert.equal(
      read({ PUBLIC_BASE_URL: "https://gw.example.com/p" }).streamBase.streamHref,
      "wss://gw.example.com/p",
    );
    for (const url of words(
      "https://node-1.example.com/p/ wss://node-1.example.com/p WSS://node-1.example.com/p",
    )) {
      const { publicBase, streamBase } = read({ STREAM_BASE_URL: url });
      assert.equal(streamBase.streamHref, "wss://node-1.example.com/p");
      assert.equal(publicBase.href, "http://127.0.0.1:8080");
    }
    assert.equal(read({ STREAM_BASE_URL: "ws://127.0.0.1:81" }).streamBase.streamHref, "ws://127.0.0.1:81");
    assert.match(problem({ STREAM_BASE_URL: "ws://node-1.example.com" }), /must begin with https/);
    for (const path of ["/media", "/media/", "/media/gw"])
      assert.match(
        problem({ PUBLIC_BASE_URL: `https://gw.example.com${path}` }),
        /begins with \/media/,
        path,
      );
    assert.equal(read({ PUBLIC_BASE_URL: "https://gw.example.com/mediagw" }).publicBase.prefix, "/mediagw");
    // Over ws no upgrade is signed: no way round a public base that is https.
    for (const STREAM_BASE_URL of ["ws://127.0.0.1:81", "http://127.0.0.1:81"])
      assert.match(
        problem({ PUBLIC_BASE_URL: "https://gw.example.com", STREAM_BASE_URL }),
        /STREAM_BASE_URL must begin with https:\/\/ or wss:\/\//,
      );
  });

  it("has the real port once the system has chosen one", () => {
    const settings = listeningOn(read({ PORT: "0" }), 49_152);
    assert.equal(settings.port, 49_152);
    assert.equal(settings.publicBase.href, "http://127.0.0.1:49152");
    assert.equal(settings.streamBase.streamHref, "ws://127.0.0.1:49152");
  });

  it("stays as it was given when the port is chosen by the system", () => {
    const env = { PORT: "0", PUBLIC_BASE_URL: "https://gw.example.com/p" };
    const settings = listeningOn(read(env), 49_152);
    assert.equal(settings.port, 49_152);
    assert.deepEqual(settings.publicBase, read(env).publicBase);
    assert.deepEqual(settings.streamBase, read(env).publicBase);
    assert.deepEqual(listeningOn(read({}), 8_080), read({}));
    assert.throws(() => listeningOn(read({}), 8_081), /listens on the port/);
  });
});

describe("the first Twilio account", () => {
  it("is whole or not there", () => {
    const names = Object.keys(ACCOUNT);
    for (const kept of names) {
      const lines = problems({ [kept]: ACCOUNT[kept as keyof typeof ACCOUNT] });
      const missing = names.filter((name) => name !== kept);
      assert.deepEqual(
        lines.map((line) => line.split(" is missing", 1)[0]),
        missing,
      );
    }
    for (const left of names)
      assert.match(problem({ ...ACCOUNT, [left]: undefined }), RegExp(`^${left} is mis`));
  });

  it("wants the SID of an account and a number in E.164", () => {
    const sids = [
      ["SK", 32],
      ["AC", 31],
      ["AC", 33],
    ] as const;
    for (const [prefix, digits] of sids) {
      const wrong = { ...ACCOUNT, TWILIO_ACCOUNT_SID: `${prefix}${"0".repeat(digits)}` };
      assert.match(problem(wrong), /AC and 32 hexadecimal digits/);
    }
    for (const number of words("15551234567 +0155512345 +1-555-123-4567 +12345 +1234567890123456 sip:a@b")) {
      assert.match(problem({ ...ACCOUNT, TWILIO_PHONE_NUMBER: number }), /E\.164/, number);
    }
  });
});

describe("a secret", () => {
  const folder = mkdtempSync(join(tmpdir(), "linecard-settings-"));
  after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("may be in a file, whose last line end doesn't count", () => {
    const settings = read({
      TWILIO_ACCOUNT_SID: ACCOUNT.TWILIO_ACCOUNT_SID,
      TWILIO_PHONE_NUMBER: ACCOUNT.TWILIO_PHONE_NUMBER,
      TWILIO_AUTH_TOKEN_FILE: file("auth-token", "from-a-file\r\n"),
      LINECARD_API_KEY_FILE: file("api-key", `${"k".repeat(32)}\n`),
      LINECARD_ENCRYPTION_KEY_FILE: file("encryption-key", `${Buffer.alloc(32, 1).toString("base64url")}\n`),
      METRICS_TOKEN_FILE: file("metrics-token", "scrape"),
    });
    assert.equal(settings.twilioAccount?.authToken, "from-a-file");
    assert.equal(settings.apiKey, "k".repeat(32));
    assert.deepEqual(settings.encryptionKey?.export(), Buffer.alloc(32, 1));
    assert.equal(settings.metricsToken, "scrape");
  });

  it("is refused when it is given twice, or its file is absent, a folder, empty or several lines", () => {
    assert.match(problem({ METRICS_TOKEN: "a", METRICS_TOKEN_FILE: file("a", "a") }), /is given twice/);
    assert.match(problem({ METRICS_TOKEN_FILE: join(folder, "none") }), /^METRICS_TOKEN_FILE .* \(ENOENT\)$/);
    assert.match(problem({ METRICS_TOKEN_FILE: folder }), /^METRICS_TOKEN_FILE .* \(EISDIR\)$/);
    assert.match(problem({ METRICS_TOKEN_FILE: file("b", "\n") }), /^METRICS_TOKEN_FILE .* empty$/);
    assert.match(problem({ METRICS_TOKEN_FILE: file("c", "a\nb") }), /single line/);
    assert.match(
      problem({ LINECARD_API_KEY_FILE: file("d", "short") }),
      /^LINECARD_API_KEY .* 32 characters/,
    );
  });
});

describe("an unknown variable", () => {
  it("is refused with the nearest name when it looks like one of ours", () => {
    const nearest: Record<string, string> = {
      LINECARD_APIKEY: "LINECARD_API_KEY",
      LINECARD_ENCRIPTION_KEY: "LINECARD_ENCRYPTION_KEY",
      TWILIO_ACOUNT_SID: "TWILIO_ACCOUNT_SID",
      TWILIO_AUTHTOKEN: "TWILIO_AUTH_TOKEN",
      TWILIO_AUTH_TOKEN_FIEL: "TWILIO_AUTH_TOKEN_FILE",
      TWILIO_NUMBER: "TWILIO_PHONE_NUMBER",
      TWILIO_API_URL: "TWILIO_API_BASE_URL",
    };
    for (const [name, right] of Object.entries(nearest)) {
      assert.equal(problem({ [name]: "x" }), `${name} is not a setting; the nearest is ${right}`);
    }
  });

  it("is none of our business otherwise", () => {
    const theirs = words(
      "TWILIO_REGION TWILIO_EDGE TWILIO_LOG_LEVEL TWILIO_CA_BUNDLE TWILIO_API_KEY PATH linecard_x",
    );
    const service = words("HOST PORT PORT_HTTP").map((end) => `LINECARD_SERVICE_${end}`);
    const ports = words("PORT PORT_8080_TCP PORT_8080_TCP_ADDR METRICS_SERVICE_HOST").map(
      (end) => `LINECARD_${end}`,
    );
    const env = Object.fromEntries([...theirs, ...service, ...ports].map((name) => [name, "x"]));
    assert.deepEqual(read(env), read({}));
  });
});
