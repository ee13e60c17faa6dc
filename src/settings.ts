// The environment, parsed once at start into one frozen value, with every problem reported at once.
// It knows what each variable may be; what a part does with its settings is that part's business.
import assert from "node:assert/strict";
import { createSecretKey, type KeyObject } from "node:crypto";
import { isIP } from "node:net";
import { dirname, join } from "node:path";
import { GatewayError } from "./domain/errors.ts";
import { AccountSid } from "./domain/ids.ts";
import { Variables } from "./variables.ts";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** As a path from where the process was started. */
export const DEFAULT_DATABASE_PATH = "data/linecard.db";

/** Where the gateway is reached: a scheme, a host, perhaps a port and a path prefix. */
export interface Base {
  /** The whole base without a trailing slash, `https://gw.example.com/voice`: append a path that begins with `/`. */
  readonly href: string;
  /** The same for media streams, over `wss` or `ws`: what `<Stream url>` begins with and upgrades are signed over. */
  readonly streamHref: string;
  /** Scheme, host and port: `https://gw.example.com`. */
  readonly origin: string;
  /** What a proxy may strip from a path: `/voice`, or empty. */
  readonly prefix: string;
  readonly scheme: "http" | "https";
  /** Lower case, with its port unless that is the scheme's own: `127.0.0.1:8080`. */
  readonly host: string;
  readonly isLoopback: boolean;
  readonly isHttps: boolean;
}

export interface TwilioAccount {
  readonly accountSid: AccountSid;
  readonly authToken: string;
  /** E.164. */
  readonly phoneNumber: string;
}

/** The variables that `promptFiles` is read from. */
export const PROMPT_FILE_VARIABLES = {
  comfort: "COMFORT_FILE",
  apology: "APOLOGY_FILE",
  announcement: "ANNOUNCEMENT_FILE",
} as const;

/** Deeply frozen. Modules are handed the part they use, never the environment. */
export interface Settings {
  readonly host: string;
  /** 0 until `listeningOn` is told which port the system chose. */
  readonly port: number;
  /** What Twilio sees. Webhook signatures are checked over it. */
  readonly publicBase: Base;
  /** This node's own, where several share the public one. Upgrades are checked over its `streamHref`. */
  readonly streamBase: Base;
  /** Host and public base are both loopback: only then do `/metrics` and `/openapi.json` want no key. */
  readonly isLoopbackOnly: boolean;
  /** A first configuration, made at first start. */
  readonly twilioAccount: TwilioAccount | undefined;
  /** Without a trailing slash; undefined: Twilio's own. */
  readonly twilioApiBaseUrl: string | undefined;
  /** Asked by Twilio when we don't answer; as given, since a fragment carries Twilio's connection overrides. */
  readonly voiceFallbackUrl: string | undefined;
  readonly databasePath: string;
  /** The folder that calls are recorded into; made when it is first needed. */
  readonly recordingsPath: string;
  readonly apiKey: string | undefined;
  /** 256 bits. A key object, so that no log or error can print it. */
  readonly encryptionKey: KeyObject | undefined;
  readonly metricsToken: string | undefined;
  /** Recordings of what the gateway itself says, by path; undefined: our own. What is in them is not looked at here. */
  readonly promptFiles: Readonly<Record<keyof typeof PROMPT_FILE_VARIABLES, string | undefined>>;
  /** Hosts agents may have although they are not public, spelled as `URL.hostname` spells them. */
  readonly agentPrivateHosts: readonly string[];
  /** `+` and the first digits of numbers that may be called. Empty: any. */
  readonly dialPrefixes: readonly string[];
  readonly mediaWorkers: number;
  readonly callsMax: number;
  readonly drainTimeoutMs: number;
  readonly logLevel: LogLevel;
}

/**
 * Reads the environment of a machine with `cores` cores. Surrounding white space is dropped, an empty variable
 * counts as not set. Throws one GatewayError, SETTINGS_INVALID, that names every problem and no secret.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>, cores: number): Settings {
  const variables = new Variables(env);
  const port = variables.integer("PORT", { default: 8_080, min: 0, max: 65_535 });
  const publicBase = readPublicBase(variables) ?? loopbackBase(port);
  const streamBase = readStreamBase(variables, publicBase) ?? publicBase;
  const databasePath = variables.filePath("DATABASE_PATH") ?? DEFAULT_DATABASE_PATH;
  const host = readHost(variables) ?? (publicBase.isLoopback ? "127.0.0.1" : "0.0.0.0");

  const settings: Settings = {
    host,
    port,
    publicBase,
    streamBase,
    isLoopbackOnly: isLoopback(host) && publicBase.isLoopback,
    twilioAccount: readTwilioAccount(variables),
    twilioApiBaseUrl: readApiBaseUrl(variables),
    voiceFallbackUrl: readFallbackUrl(variables),
    databasePath,
    recordingsPath: variables.text("RECORDINGS_PATH") ?? join(dirname(databasePath), "recordings"),
    apiKey: variables.secret("LINECARD_API_KEY", /^.{32,}$/su, "must be at least 32 characters long"),
    encryptionKey: readEncryptionKey(variables),
    metricsToken: variables.secret("METRICS_TOKEN"),
    promptFiles: {
      comfort: variables.filePath(PROMPT_FILE_VARIABLES.comfort),
      apology: variables.filePath(PROMPT_FILE_VARIABLES.apology),
      announcement: variables.filePath(PROMPT_FILE_VARIABLES.announcement),
    },
    agentPrivateHosts: variables.list(
      "AGENT_PRIVATE_HOSTS",
      hostname,
      "must be host names or addresses between commas, without scheme, port or path",
    ),
    dialPrefixes: variables.list(
      "DIAL_PREFIXES",
      dialPrefix,
      "must be beginnings of international numbers between commas, such as +1,+4420",
    ),
    // Two at least: one death must never take every agent. One core is left to the front thread.
    mediaWorkers: variables.integer("MEDIA_WORKERS", { default: Math.max(2, cores - 1), min: 1, max: 256 }),
    // For calls with an agent's socket; echo calls alone would allow about twice as many.
    callsMax: variables.integer("CALLS_MAX", { default: 1_000, min: 1, max: 10_000 }),
    // 15 minutes let nearly every conversation end by itself.
    drainTimeoutMs: variables.integer("DRAIN_TIMEOUT_MS", { default: 900_000, min: 0, max: 86_400_000 }),
    logLevel: variables.oneOf("LOG_LEVEL", LOG_LEVELS, "info"),
  };
  variables.refuseUnknown();
  if (variables.problems.length > 0) throw settingsInvalid(variables.problems);
  return frozen(settings);
}

/**
 * The settings once the listener is up on `port`. Only `PORT=0` makes a difference: the port and the default
 * base, which holds it, become the real ones.
 */
export function listeningOn(settings: Settings, port: number): Settings {
  assert(settings.port === 0 || settings.port === port, "listens on the port that was asked for");
  // A base that was given never has port 0, so one that has is the default.
  const known = (base: Base): Base => (base.host.endsWith(":0") ? loopbackBase(port) : base);
  return frozen({
    ...settings,
    port,
    publicBase: known(settings.publicBase),
    streamBase: known(settings.streamBase),
  });
}

/** Each problem begins with the variable's name. */
export function settingsInvalid(problems: readonly string[], options?: ErrorOptions): GatewayError {
  const { length } = problems;
  const title = length === 1 ? "1 setting is wrong:" : `${length} settings are wrong:`;
  return new GatewayError("SETTINGS_INVALID", [title, ...problems].join("\n  "), options);
}

function loopbackBase(port: number): Base {
  return baseOf(new URL(`http://127.0.0.1:${port}`));
}

function baseOf(url: URL): Base {
  const isHttps = url.protocol === "https:";
  const scheme = isHttps ? "https" : "http";
  const origin = `${scheme}://${url.host}`;
  const prefix = url.pathname.replace(/\/+$/, "");
  return {
    href: `${origin}${prefix}`,
    streamHref: `${isHttps ? "wss" : "ws"}://${url.host}${prefix}`,
    origin,
    prefix,
    scheme,
    host: url.host,
    isLoopback: isLoopback(url.hostname),
    isHttps,
  };
}

/** What is wrong with a URL. None of them shows it: people put passwords and keys into URLs. */
type UrlRule = (url: URL) => string | false;

const httpsUnlessLoopback: UrlRule = (url) =>
  url.protocol === "http:" &&
  !isLoopback(url.hostname) &&
  "must begin with https://, since http:// is for loopback hosts such as 127.0.0.1 only";
const streamsPort: UrlRule = (url) =>
  url.protocol === "https:" &&
  url.port !== "" &&
  `must leave out port ${url.port}, since Twilio opens media streams on port 443 only`;
const portInUse: UrlRule = (url) => url.port === "0" && "must have a port that can be called, not 0";
const callbackHost: UrlRule = (url) =>
  url.hostname.includes("_") && "must have a host without underscores, since Twilio calls back no such host";
const wholePath: UrlRule = (url) => /\/\/./.test(url.pathname) && "must have no empty part in its path";
const notMedia: UrlRule = (url) =>
  /^\/media(\/|$)/.test(url.pathname) && "must not have a path that begins with /media, where streams arrive";
const noUser: UrlRule = (url) =>
  (url.username !== "" || url.password !== "") && "must hold no user and no password";
const noQuery: UrlRule = (url) => url.href.includes("?") && "must have no query";
const noFragment: UrlRule = (url) => url.href.includes("#") && "must have no fragment";

const PLAIN_RULES = [noUser, noQuery, noFragment];
const BASE_RULES = [
  httpsUnlessLoopback,
  streamsPort,
  portInUse,
  callbackHost,
  wholePath,
  notMedia,
  ...PLAIN_RULES,
];

function readPublicBase(variables: Variables): Base | undefined {
  const name = "PUBLIC_BASE_URL";
  const url = readUrl(variables, name, variables.text(name), BASE_RULES);
  return url && baseOf(url);
}

/** May be written with the streams' scheme or with the web's. */
function readStreamBase(variables: Variables, publicBase: Base): Base | undefined {
  const name = "STREAM_BASE_URL";
  const url = readUrl(variables, name, variables.text(name)?.replace(/^ws(?=s?:)/i, "http"), BASE_RULES);
  // Over plain ws no upgrade is signed, so this must not open a way round the public base.
  if (publicBase.isHttps && url?.protocol === "http:")
    return variables.problem(name, "must begin with https:// or wss://, as PUBLIC_BASE_URL does");
  return url && baseOf(url);
}

function readUrl(
  variables: Variables,
  name: string,
  text: string | undefined,
  rules: readonly UrlRule[],
): URL | undefined {
  if (text === undefined) return undefined;
  const url = /^https?:\/\/[^/\s]\S*$/i.test(text) ? URL.parse(text) : null;
  if (url === null) return variables.problem(name, "must be a whole URL, such as https://gw.example.com");
  const wrongs = rules.map((rule) => rule(url)).filter((wrong) => wrong !== false);
  for (const wrong of wrongs) variables.problem(name, wrong);
  return wrongs.length === 0 ? url : undefined;
}

function readHost(variables: Variables): string | undefined {
  const text = variables.text("HOST")?.replace(/^\[(.*)\]$/, "$1");
  if (text === undefined || isIP(text) !== 0 || hostname(text) !== undefined) return text;
  return variables.problem("HOST", "must be an address or a host name to listen on, such as 127.0.0.1");
}

function readTwilioAccount(variables: Variables): TwilioAccount | undefined {
  const names = ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"];
  // The SID and the number are not shown either: the token is easily pasted in their place.
  const accountSid = variables.matching(
    "TWILIO_ACCOUNT_SID",
    /^AC[0-9a-f]{32}$/i,
    "must be AC and 32 hexadecimal digits (an API key's SID, SK…, can't stand in for it)",
  );
  const authToken = variables.secret("TWILIO_AUTH_TOKEN", /^\S+$/, "must be one word without spaces");
  const phoneNumber = variables.matching(
    "TWILIO_PHONE_NUMBER",
    /^\+[1-9][0-9]{6,14}$/,
    "must be in E.164: +, the country code and the number, digits only, such as +15551234567",
  );
  const missing = names.filter((name) => !variables.isGiven(name));
  if (missing.length === 1 || missing.length === 2) {
    for (const name of missing) variables.problem(name, `is missing: ${names.join(", ")} go together`);
  }
  if (accountSid === undefined || authToken === undefined || phoneNumber === undefined) return undefined;
  return { accountSid: AccountSid(accountSid), authToken, phoneNumber };
}

function readApiBaseUrl(variables: Variables): string | undefined {
  const name = "TWILIO_API_BASE_URL";
  // The Auth Token is sent there: not over the open network without TLS.
  const url = readUrl(variables, name, variables.text(name), [httpsUnlessLoopback, ...PLAIN_RULES]);
  return url?.href.replace(/\/+$/, "");
}

function readFallbackUrl(variables: Variables): string | undefined {
  const name = "VOICE_FALLBACK_URL";
  const text = variables.text(name);
  return readUrl(variables, name, text, []) && text;
}

function readEncryptionKey(variables: Variables): KeyObject | undefined {
  // 32 bytes are 43 digits of base64, of either alphabet, and one of padding.
  const text = variables.secret(
    "LINECARD_ENCRYPTION_KEY",
    /^[\w+/-]{43}=?$/,
    "must be 32 bytes in base64, as `openssl rand -base64 32` prints them",
  );
  return text === undefined ? undefined : createSecretKey(Buffer.from(text, "base64"));
}

/** A host's canonical spelling; undefined when it is more or less than a host. */
function hostname(text: string): string | undefined {
  const address = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 6) return URL.parse(`http://[${address}]`)?.hostname;
  return /^[\w.-]+$/.test(text) ? URL.parse(`http://${text}`)?.hostname : undefined;
}

function dialPrefix(text: string): string | undefined {
  return /^\+?[1-9][0-9]{0,14}$/.test(text) ? `+${text.replace("+", "")}` : undefined;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

function frozen<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) frozen(part);
  return Object.freeze(value);
}
