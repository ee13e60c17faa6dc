// Who may import whom, as data, checked against every import of every file under src. It also keeps time, the
// environment and microtasks where they belong.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, sep } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

/**
 * What each place may import besides itself. A place is a folder of src, or one of the files named here;
 * `media/agents/*` is each agent's own folder. `types of` allows `import type` only, `address of` only
 * `new URL("…", import.meta.url)`.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  "settings.ts": ["domain", "variables.ts"],
  "variables.ts": [],

  lane: ["domain"],
  "media/kernels": ["domain"],
  "media/protocol": ["domain", "media/kernels"],
  "media/audio": ["domain", "media/kernels"],
  "media/recordings": ["domain", "lane", "media/kernels"],
  "media/recording": ["domain", "lane", "media/kernels", "media/audio", "types of media/pipeline"],
  "media/agents": ["domain", "types of lane", "media/agents/*"],
  "media/agents/*": ["domain", "types of lane", "media/agents"],
  "media/pipeline": ["domain", "lane", "media/kernels", "media/protocol", "media/audio", "media/agents"],
  "media/worker.ts": [
    ...["domain", "lane", "media/protocol", "media/audio", "media/agents", "media/pipeline"],
    "media/recording",
  ],
  pool: ["domain", "lane", "address of media/worker.ts"],

  http: ["domain"],
  front: ["domain", "http", "calls"],
  twilio: ["domain"],
  workflows: ["domain", "http", "media/agents", "types of numbers", "types of store"],
  organization: ["domain", "http", "numbers", "types of store"],
  numbers: ["domain", "http", "twilio", "workflows", "types of media/agents", "types of store"],
  calls: [
    ...["domain", "http", "twilio", "numbers", "workflows", "media/protocol"],
    ...["types of pool", "types of lane", "types of store", "types of organization"],
  ],
  store: ["domain", "store files of anything of the gateway"],
  metrics: ["domain", "lane", "http", "types of anything of the gateway"],
  console: ["domain", "http"],
  composition: ["anything of the gateway", "address of cli"],
  "gateway.ts": ["anything of the gateway"],
  "main.ts": ["anything of the gateway"],

  commands: ["domain", "settings.ts", "store"],

  twin: [],
  cli: ["twin"],
};

const ANYTHING = "anything of the gateway";
/** The first two are no part of the gateway, and nothing but npm starts it. */
const APART = ["twin", "cli", "main.ts", "commands"];

const AGENTS = ["media/agents", "media/agents/*"];

/** The only places that may import a package, types included. */
const IMPORTED_BY: Readonly<Record<string, readonly string[]>> = {
  alawmulaw: ["media/kernels"],
  "better-sqlite3": ["store"],
  pino: ["main.ts", "gateway.ts", "composition"],
  piscina: ["pool", "store"],
  "prom-client": ["metrics"],
  twilio: ["twilio"],
  "uWebSockets.js": ["front"],
  ws: [...AGENTS, "twin", "cli"],
  "libphonenumber-js": ["numbers"],
  zod: ["http", "calls", "numbers", "workflows", "organization", "metrics", ...AGENTS],
};

/** Their main entries load everything they have, which a start can't wait for. */
const IN_PARTS_ONLY = ["twilio"];

/** Of Node itself these may use nothing else. */
const NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  domain: ["node:assert/strict"],
  "media/protocol": ["node:assert/strict"],
};

/** Agent types that an operator adds are modules named at run time. */
const COMPUTED_IMPORTS = ["media/agents"];

const CLOCK_MAKERS = ["main.ts", "media/worker.ts", "domain/clock.ts", "twin", "cli"];
const OUTSIDE_MEDIA = Object.keys(MAY_IMPORT).filter((place) => !place.startsWith("media/"));

/** Words of the language's surroundings, with the places (or files) that may use them, and what to use instead. */
const WORDS: readonly { word: string; pattern: RegExp; in: readonly string[]; instead: string }[] = [
  { word: "Date.now", pattern: /\bDate\.now\b/g, in: CLOCK_MAKERS, instead: "a Clock is passed in" },
  { word: "new Date()", pattern: /\bnew Date\(\)/g, in: CLOCK_MAKERS, instead: "a Clock is passed in" },
  {
    word: "performance.now",
    pattern: /\bperformance\.now\b/g,
    in: CLOCK_MAKERS,
    instead: "a Clock is passed in",
  },
  ...["setInterval", "setTimeout"].map((word) => ({
    word,
    pattern: new RegExp(`(?:(?<![.\\w])|\\bglobalThis\\.)${word}\\b`, "g"),
    in: CLOCK_MAKERS,
    instead: "a Clock is passed in",
  })),
  {
    word: "process.env",
    pattern: /\bprocess\.env\b/g,
    in: ["main.ts", "commands", "twin", "cli"],
    instead: "settings are passed in",
  },
  {
    word: "queueMicrotask",
    pattern: /(?<![.\w])queueMicrotask\b/g,
    in: OUTSIDE_MEDIA,
    instead: "it hides whose call failed; use process.nextTick or a promise",
  },
];

const CODE = /\.[cm]?[jt]s$/;

/** One sentence for each thing in `files` (paths from `src/` on, with their text) that the tables don't allow. */
function violations(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([path, text]) => {
    const place = placeOf(path);
    if (place === undefined) return [`${path} is in a place that the table of imports doesn't know.`];
    const { code, strings } = masked(text);
    const imports = importsOf(code, strings).map(({ line, ...found }) => {
      const wrong = wrongWith(found, path, place);
      return wrong && `${path}:${line} ${wrong}.`;
    });
    return [...imports.filter((sentence) => sentence !== undefined), ...wordsIn(code, path, place)];
  });
}

type Kind = "value" | "types" | "address" | "computed";
interface Import {
  readonly kind: Kind;
  readonly specifier: string;
}

function wrongWith({ kind, specifier }: Import, path: string, place: string): string | undefined {
  if (kind === "computed") {
    if (COMPUTED_IMPORTS.includes(place)) return undefined;
    return `imports what only running tells, but only ${COMPUTED_IMPORTS.join(" and ")} may`;
  }
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(path), specifier);
    // package.json and the like may be read, but no code outside src is part of the gateway.
    if (!target.startsWith("src/") && kind === "address" && !CODE.test(target)) return undefined;
    const targetPlace = placeOf(target);
    if (targetPlace === undefined)
      return `imports ${specifier}, a place that the table of imports doesn't know`;
    if (targetPlace === place || mayImport(place, target, targetPlace, kind)) return undefined;
    return `imports ${specifier}, but ${place} may only import ${MAY_IMPORT[patternOf(place)]!.join(", ") || "itself"}`;
  }
  if (specifier.startsWith("node:")) {
    const allowed = NODE_MODULES[place];
    if (allowed === undefined || allowed.includes(specifier)) return undefined;
    return `imports ${specifier}, but ${place} may only import ${allowed.join(", ")} of Node`;
  }
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  const importers = IMPORTED_BY[name];
  if (importers === undefined)
    return `imports ${specifier}, a package that the table of imports doesn't know`;
  if (!importers.includes(patternOf(place))) {
    return `imports ${specifier}, but only ${importers.join(" and ")} may`;
  }
  if (IN_PARTS_ONLY.includes(specifier))
    return `imports ${specifier} whole, but only its parts may be imported`;
  return undefined;
}

function mayImport(place: string, target: string, targetPlace: string, kind: Kind): boolean {
  const isApart = APART.includes(targetPlace);
  return MAY_IMPORT[patternOf(place)]!.some((phrase) => {
    const [, only, of] = /^(?:(types|address|store files) of )?(.+)$/.exec(phrase)!;
    if (of === ANYTHING ? isApart : of !== patternOf(targetPlace)) return false;
    return only === undefined || (only === "store files" ? target.endsWith(".store.ts") : kind === only);
  });
}

function wordsIn(code: string, path: string, place: string): string[] {
  return WORDS.flatMap(({ word, pattern, in: places, instead }) => {
    if (places.some((allowed) => allowed === patternOf(place) || path === `src/${allowed}`)) return [];
    return [...code.matchAll(pattern)].map(
      ({ index }) =>
        `${path}:${lineAt(code, index)} uses ${word}, but only ${places.join(", ")} may: ${instead}.`,
    );
  });
}

/** `calls` for a file anywhere in that folder, `media/agents/echo` for one of that agent's. */
function placeOf(path: string): string | undefined {
  const [, inSrc] = /^src\/(.+)$/.exec(path) ?? [];
  if (inSrc === undefined || Object.hasOwn(MAY_IMPORT, inSrc)) return inSrc;
  const [place] = /^(media\/agents\/[^/]+|media\/[^/]+|[^/]+)/.exec(posix.dirname(inSrc))!;
  return Object.hasOwn(MAY_IMPORT, patternOf(place)) ? place : undefined;
}

/** The table's name of a place: each agent's own folder is `media/agents/*`. */
function patternOf(place: string): string {
  return place.replace(/^media\/agents\/.+$/, "media/agents/*");
}

function importsOf(code: string, strings: readonly string[]): (Import & { line: number })[] {
  const found = (pattern: RegExp, kindOf: (match: RegExpExecArray) => Kind): (Import & { line: number })[] =>
    [...code.matchAll(pattern)].map((match) => {
      const specifier = match.groups!.string;
      const line = lineAt(code, match.index);
      if (specifier === undefined) return { kind: "computed", specifier: "", line };
      return { kind: kindOf(match), specifier: strings[Number(specifier)]!, line };
    });
  return [
    ...found(
      /\b(?:import|export)\b(?<type>\s+type\b(?!\s*(?:,|from\b)))?[^"'`;()]*?\bfrom\s*"(?<string>\d+)"/g,
      (match) => (match.groups!.type === undefined ? "value" : "types"),
    ),
    ...found(/\bimport\s*"(?<string>\d+)"/g, () => "value"),
    ...found(
      /(?<![.\w])(?:import|require|import\.meta\.resolve)\s*\(\s*(?:"(?<string>\d+)"\s*[,)])?/g,
      () => "value",
    ),
    ...found(/\bnew URL\s*\(\s*"(?<string>\d+)"\s*,\s*import\.meta\.url\b/g, () => "address"),
  ];
}

/** The code without comments and regular expressions, and with the number of each string in its place. */
function masked(text: string): { code: string; strings: string[] } {
  const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//;
  const string = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/;
  const template = /`(?:[^`\\]|\\[\s\S])*`/;
  const regExp =
    /(?<=(?:[=(,:;!&|?{[>]|\breturn)\s*)\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/;
  const strings: string[] = [];
  const code = text.replace(
    new RegExp([comment, string, template, regExp].map((part) => part.source).join("|"), "g"),
    (token) => {
      if (token.startsWith("`")) return token;
      if (token.startsWith("/")) return token.replace(/[^\n]+/g, " ");
      return `"${strings.push(token.slice(1, -1)) - 1}"`;
    },
  );
  return { code, strings };
}

function lineAt(code: string, index: number): number {
  return code.slice(0, index).split("\n").length;
}

/** Every code file under `root`, by its path from `src/` on. */
function sourcesIn(root: string): Map<string, string> {
  const entries = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((entry) =>
    CODE.test(entry),
  );
  return new Map(
    entries
      .sort()
      .map((entry) => [`src/${entry.split(sep).join("/")}`, readFileSync(join(root, entry), "utf8")]),
  );
}

/** The sentences for one file with this text. */
const about = (path: string, text: string): string[] => violations(new Map([[`src/${path}`, text]]));

/** The only sentence. */
function complaint(path: string, text: string): string {
  const sentences = about(path, text);
  assert.equal(sentences.length, 1, `${path}: ${text}: ${sentences.join("\n") || "nothing is wrong"}`);
  return sentences[0]!;
}

/** A table of cases: a line each, two spaces or more between columns. */
const rows = (table: string): string[][] =>
  table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));

const importing = (specifier: string): string => `import { x } from "${specifier}";\n`;

describe("every file under src", () => {
  const sources = sourcesIn(fileURLToPath(new URL("../../src", import.meta.url)));

  it("imports only what its place may import, and takes time and settings from where they belong", () => {
    assert.ok(sources.has("src/domain/ids.ts"));
    assert.deepEqual(violations(sources), []);
  });
});

describe("the table of imports", () => {
  it("names only places that it has", () => {
    for (const phrase of Object.values(MAY_IMPORT).flat()) {
      const [of] = /(?<=^(?:[a-z ]+ of )?)(?:\S+|anything of the gateway)$/.exec(phrase)!;
      assert.ok(of === ANYTHING || Object.hasOwn(MAY_IMPORT, of), phrase);
    }
    const places = [...Object.values(IMPORTED_BY).flat(), ...WORDS.flatMap((rule) => rule.in), ...APART];
    for (const place of places)
      assert.ok(Object.hasOwn(MAY_IMPORT, place) || place === "domain/clock.ts", place);
  });

  for (const [path, specifier] of rows(`
    domain/a.ts                   ./ids.ts
    domain/a.ts                   node:assert/strict
    media/agents/echo/deep/a.ts   ../../port.ts
    media/agents/echo/deep/a.ts   ../echo.ts
    media/agents/makers.ts        ./echo/echo.ts
    media/agents/echo/echo.ts     ws
    media/pipeline/a.ts           ../audio/level.ts
    media/worker.ts               ./pipeline/call.ts
    front/a.ts                    uWebSockets.js
    calls/inbound/a.ts            ../../media/protocol/messages.ts
    twilio/a.ts                   twilio/lib/twiml/VoiceResponse.js
    media/kernels/a.ts            alawmulaw
    store/a.ts                    ../calls/calls.store.ts
    main.ts                       ./console/a.ts
    cli/load/a.ts                 ../../twin/twin.ts`)) {
    it(`lets ${path} import ${specifier}`, () => assert.deepEqual(about(path!, importing(specifier!)), []));
  }

  for (const [path, specifier, why] of rows(`
    domain/a.ts             ../http/http.ts             domain may only import itself.
    domain/a.ts             node:fs                     domain may only import node:assert/strict of Node.
    media/protocol/a.ts     ../audio/g711.ts            media/protocol may only import domain, media/kernels.
    media/audio/a.ts        ../agents/port.ts           media/audio may only import domain, media/kernels.
    media/agents/port.ts    ../protocol/messages.ts     media/agents may only import domain, types of lane, media/agents/*.
    media/agents/echo/a.ts  ../../audio/g711.ts         media/agents/echo may only import domain, types of lane, media/agents.
    media/agents/echo/a.ts  ../openai/a.ts              media/agents/echo may only import domain, types of lane, media/agents.
    media/pipeline/a.ts     ../../front/server.ts       media/pipeline may only import
    media/worker.ts         ../pool/mediaPool.ts        media/worker.ts may only import
    pool/a.ts               ../media/worker.ts          pool may only import
    calls/a.ts              ../pool/mediaPool.ts        calls may only import
    calls/a.ts              ../main.ts                  calls may only import
    calls/a.ts              ../twin/twin.ts             calls may only import
    calls/a.ts              ../../test/support/a.ts     a place that the table of imports doesn't know.
    calls/a.ts              ../unheard/of.ts            a place that the table of imports doesn't know.
    main.ts                 ./twin/twin.ts              main.ts may only import anything of the gateway.
    main.ts                 ./cli/call.ts               main.ts may only import anything of the gateway.
    twin/a.ts               ../domain/ids.ts            twin may only import itself.
    cli/a.ts                ../domain/ids.ts            cli may only import twin.
    store/a.ts              ../calls/lifecycle.ts       store may only import
    calls/a.ts              uWebSockets.js              only front may.
    calls/a.ts              piscina                     only pool and store may.
    front/a.ts              better-sqlite3              only store may.
    media/pipeline/a.ts     prom-client                 only metrics may.
    media/worker.ts         twilio/lib/twiml/X.js       only twilio may.
    twilio/a.ts             twilio                      whole, but only its parts may be imported.
    calls/a.ts              alawmulaw                   only media/kernels may.
    calls/a.ts              left-pad                    a package that the table of imports doesn't know.
    calls/a.ts              fs                          a package that the table of imports doesn't know.`)) {
    it(`doesn't let ${path} import ${specifier}`, () => {
      const sentence = complaint(path!, importing(specifier!));
      assert.ok(
        sentence.startsWith(`src/${path}:1 imports ${specifier}`) && sentence.includes(why!),
        sentence,
      );
    });
  }

  it("knows every folder", () => {
    for (const path of ["utils/a.ts", "media/a.ts", "media/helpers/a.ts", "index.ts", "media/agents.ts"]) {
      assert.match(complaint(path, ""), /is in a place that the table of imports doesn't know/, path);
    }
    assert.deepEqual(about("media/agents/brand_new/a.ts", ""), []);
  });

  it("tells types and addresses from values", () => {
    assert.deepEqual(about("calls/a.ts", 'import type { Placement } from "../pool/placement.ts";'), []);
    assert.deepEqual(about("calls/a.ts", 'export type { Placement } from "../pool/placement.ts";'), []);
    assert.deepEqual(about("metrics/a.ts", 'import type { A } from "../calls/a.ts";'), []);
    // Without `type` in front the import is still made when it is run, though it brings nothing.
    assert.match(
      complaint("calls/a.ts", 'import { type Placement } from "../pool/placement.ts";'),
      /types of pool/,
    );
    assert.match(complaint("calls/a.ts", 'import type from "../pool/placement.ts";'), /types of pool/);
    assert.match(
      complaint("metrics/a.ts", 'import type { A } from "../main.ts";'),
      /metrics may only import/,
    );
    assert.match(complaint("calls/a.ts", 'import type { App } from "uWebSockets.js";'), /only front may/);
    const address = 'const WORKER = new URL("../media/worker.ts", import.meta.url);';
    assert.deepEqual(about("pool/a.ts", address), []);
    assert.match(complaint("calls/a.ts", address), /calls may only import/);
    assert.deepEqual(about("calls/a.ts", 'new URL("../../package.json", import.meta.url)'), []);
    assert.deepEqual(about("calls/a.ts", "new URL(href, import.meta.url)"), []);
  });

  it("sees every way to import, on its line", () => {
    const ways = [
      'import x from "../front/a.ts"',
      "import x, { y } from '../front/a.ts'",
      'import {\n  x,\n  y,\n} from "../front/a.ts"',
      'import * as x from "../front/a.ts"',
      'import "../front/a.ts"',
      'export { x } from "../front/a.ts"',
      'export * from "../front/a.ts"',
      'export * as x from "../front/a.ts"',
      'const x = await import("../front/a.ts")',
      'const x = import(\n  "../front/a.ts",\n)',
      'let x: import("../front/a.ts").Front',
      'const x = require("../front/a.ts")',
      'import x = require("../front/a.ts")',
      'import.meta.resolve("../front/a.ts")',
    ];
    const before = "// import { y } from '../http/a.ts'\nconst a = /[\"'`/]/.test(`b`); /* \" */\n";
    for (const way of ways)
      assert.match(complaint("http/a.ts", `${before}${way};\n`), /^src\/http\/a\.ts:3 imports/, way);
  });

  it("sees no import where there is none", () => {
    const text = [
      "/* import x from '../front/a.ts' */",
      '// import "../front/a.ts"',
      "const a = 'import x from \"../front/a.ts\"';",
      "const important = from(\"../front/a.ts\"), b = /import '..\\/front'/;",
      "x.require('../front/a.ts');",
    ];
    assert.deepEqual(about("http/a.ts", text.join("\n")), []);
  });

  it("refuses an import that only running tells, but for agents that an operator adds", () => {
    for (const text of [
      "await import(url)",
      "await import(`./a.ts`)",
      'await import("./a" + name)',
      "require(name)",
    ]) {
      assert.match(
        complaint("calls/a.ts", text),
        /imports what only running tells, but only media\/agents may/,
      );
    }
    assert.deepEqual(about("media/agents/extra.ts", "await import(url)"), []);
  });
});

describe("the words that need a place", () => {
  it("are refused elsewhere, on their line", () => {
    const uses = [
      "Date.now()",
      "new Date()",
      "performance.now()",
      "setInterval(f, 1)",
      "globalThis.setTimeout(f, 1)",
    ];
    uses.push(`\`\${Date.now()}\``, 'import { setTimeout } from "node:timers/promises"', "process.env.PORT");
    for (const use of uses) {
      assert.match(
        complaint("calls/a.ts", `const a = 1;\n${use};`),
        /^src\/calls\/a\.ts:2 uses .*: .* passed in\.$/,
        use,
      );
    }
    assert.match(
      complaint("domain/time.ts", "Date.now()"),
      /but only main\.ts, media\/worker\.ts, domain\/clock\.ts, /,
    );
    assert.match(complaint("settings.ts", "process.env.PORT"), /uses process\.env/);
    assert.match(complaint("media/worker.ts", "queueMicrotask(f)"), /uses queueMicrotask/);
  });

  it("are fine where they belong, as other words, and in prose", () => {
    for (const path of ["main.ts", "media/worker.ts", "domain/clock.ts", "twin/a.ts", "cli/load/a.ts"]) {
      assert.deepEqual(about(path, "Date.now(); setInterval(f, performance.now());"), [], path);
    }
    const others =
      "// Date.now()\nsocket.setTimeout(1); new Date(atMs); const s = 'process.env'; resetTimeout();";
    assert.deepEqual(about("calls/a.ts", others), []);
  });
});

describe("the walk through src", () => {
  it("finds a bad import in any folder, however deep", () => {
    const root = mkdtempSync(join(tmpdir(), "linecard-imports-"));
    try {
      const write = (path: string, text: string): void => {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      };
      write("domain/ids.ts", "export const a = 1;\n");
      write("console/page/deep/script.js", importing("../../../store/open.ts"));
      write("media/audio/level.ts", `// level\n${importing("../protocol/messages.ts")}`);
      write("media/audio/notes.md", importing("../protocol/messages.ts"));
      assert.deepEqual(violations(sourcesIn(root)), [
        "src/console/page/deep/script.js:1 imports ../../../store/open.ts, but console may only import domain, http.",
        "src/media/audio/level.ts:2 imports ../protocol/messages.ts, but media/audio may only import domain, media/kernels.",
      ]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
