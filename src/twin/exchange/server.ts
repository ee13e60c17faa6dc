// The REST side's HTTP: who asks, for what, and whether the contract allows it. What is answered is decided in
// resources.ts; what goes wrong on purpose, by the exchange's faults.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Breach, Contract, type Operation } from "../contract/contract.ts";
import type { TwinAccount } from "./account.ts";
import { control, isControl } from "./control.ts";
import { RestError } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { RestFault, RestName } from "./faults.ts";
import { type Answer, type Question, RESOURCES } from "./resources.ts";

export interface RestServer {
  readonly url: string;
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
/** Longer than any client keeps a connection, so that none is closed just as a request is sent. */
const KEEP_ALIVE_MS = 60_000;
const LATE_MS = 2_000;
const BODY_MAX_BYTES = 256 * 1_024;
const FORM = "application/x-www-form-urlencoded";
const FAULT_CODES = { 401: 20003, 429: 20429, 500: 20500, 503: 20503 } as const;
/** What a target that is no path stands for: nothing is there. */
const NOWHERE = new URL(`http://${LOOPBACK}/`);
const contract = new Contract();

/** Listens on the loopback interface until closed. */
export async function listen(exchange: Exchange, port: number): Promise<RestServer> {
  const server = createServer((request, response) => void serve(exchange, request, response));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.once("error", reject);
  server.listen(port, LOOPBACK, resolve);
  await promise;
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(exchange: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await read(request);
  if (body === undefined) return;
  const target = request.url ?? "/";
  if (isControl(target)) {
    if (!isLocal(request)) {
      send(response, 403, { error: "only programs on this machine may ask this, by its loopback address" });
      return;
    }
    const { status, body: answer } = control(exchange, request.method ?? "", target, body);
    send(response, status, answer);
    return;
  }
  const url = URL.canParse(`http://${LOOPBACK}${target}`) ? new URL(`http://${LOOPBACK}${target}`) : NOWHERE;
  const isForm = (request.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase() === FORM;
  const form = new URLSearchParams(isForm ? body : "");
  const method = request.method ?? "";
  const found = contract.find(method, url.pathname);
  const operation = found === undefined || found === "method" ? undefined : found.operation;
  const name = RESOURCES[operation?.id ?? ""]?.name;
  const log = (status: number) =>
    exchange.note({
      name,
      method,
      target,
      params: method === "GET" ? url.searchParams : form,
      status,
    });

  const fault = name && exchange.faults.takeRest(name);
  const isOnlyRefused = fault !== undefined && fault.answer !== "late" && fault.placed !== true;
  const answer = isOnlyRefused
    ? undefined
    : answerTo(exchange, request, url, form, body !== "" && !isForm, found);
  if (fault === undefined || fault.answer === "late") {
    log(answer!.status);
    const tell = () => send(response, answer!.status, answer!.body, answer!.headers);
    if (fault === undefined) tell();
    else exchange.later(fault.delayMs ?? LATE_MS, tell);
  } else log(goWrong(fault.answer, fault.retryAfterS, response));
}

/** Whether no page in a browser can have sent this: it would name its origin, or a host of its own. */
function isLocal({ headers }: IncomingMessage): boolean {
  return headers.origin === undefined && /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(headers.host ?? "");
}

/** The whole body; undefined when the client is gone or it is too large. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      if (bytes > BODY_MAX_BYTES) {
        request.destroy();
        return undefined;
      }
      chunks.push(chunk as Buffer);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString("utf8");
}

interface Reply extends Answer {
  readonly headers?: Readonly<Record<string, string>>;
}

function answerTo(
  exchange: Exchange,
  request: IncomingMessage,
  url: URL,
  form: URLSearchParams,
  isOtherForm: boolean,
  found: ReturnType<Contract["find"]>,
): Reply {
  const complain = (operation: string, parameter: string, text: string) =>
    exchange.complain({ operation, parameter, text });
  try {
    const place = `${request.method} ${url.pathname}`;
    if (found === undefined) {
      complain(place, "", `Twilio's API has no ${url.pathname} that is known here`);
      throw new RestError(20404, url.pathname);
    }
    if (found === "method") {
      complain(place, "", `${url.pathname} doesn't know ${request.method}`);
      throw new RestError(20004);
    }
    const { operation, path } = found;
    const resource = RESOURCES[operation.id];
    const account = authenticated(exchange, request, path, resource?.name);
    if (resource === undefined) {
      complain(operation.id, "", `${operation.id} is not played by this twin`);
      throw new RestError(20404, url.pathname);
    }
    if (isOtherForm)
      complain(operation.id, "", `${operation.id} takes a form, not ${request.headers["content-type"]}`);
    const breaches = operation.breaches(path, { query: url.searchParams, body: form });
    for (const { parameter, text } of breaches) complain(operation.id, parameter, text);
    if (breaches.length > 0) throw resource.refusal?.(breaches, form) ?? refusal(breaches, url);
    const question: Question = { exchange, account, path, query: url.searchParams, form, url };
    const answer = resource.answer(question);
    check(operation, answer);
    return answer;
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
    const headers = error.status === 401 ? { "WWW-Authenticate": 'Basic realm="Twilio API"' } : {};
    return { status: error.status, body: error.body, headers };
  }
}

/** The account that the credentials open, which must be the path's own. A suspended one can only be looked at. */
function authenticated(
  exchange: Exchange,
  request: IncomingMessage,
  path: Readonly<Record<string, string>>,
  name: RestName | undefined,
): TwinAccount {
  const [scheme, text = ""] = (request.headers.authorization ?? "").split(" ");
  const [, username = "", password = ""] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(text, "base64").toString("utf8")) ?? [];
  const account = exchange.accounts.find((candidate) => candidate.openedBy(username, password) !== undefined);
  if (scheme?.toLowerCase() !== "basic" || account === undefined) throw new RestError(20003);
  const isAboutAccount = name?.startsWith("Accounts.") ?? false;
  const ofPath = path.AccountSid ?? (isAboutAccount ? path.Sid : undefined) ?? account.accountSid;
  if (ofPath !== account.accountSid) throw new RestError(20003);
  if (isAboutAccount && account.openedBy(username, password) !== "everything") throw new RestError(20003);
  if (account.status !== "active" && !isAboutAccount) throw new RestError(20003);
  return account;
}

function refusal(breaches: readonly Breach[], url: URL): RestError {
  if (breaches.some((breach) => breach.in === "path")) return new RestError(20404, url.pathname);
  return new RestError(20001, breaches[0]!.text);
}

/** An answer that breaks the contract is a mistake of the twin's own. */
function check(operation: Operation, { status, body }: Answer): void {
  assert.equal(operation.answerProblem(status, body), undefined);
}

/** Does what the fault says; the status that was sent, or 0. */
function goWrong(
  answer: Exclude<RestFault["answer"], "late">,
  retryAfterS: number | undefined,
  response: ServerResponse,
): number {
  if (answer === "timeout") return 0; // nothing is ever sent: the client gives up, or the exchange is closed
  if (answer === "reset") {
    response.socket?.resetAndDestroy();
    return 0;
  }
  const { body } = new RestError(FAULT_CODES[answer]);
  send(response, answer, body, retryAfterS === undefined ? {} : { "Retry-After": String(retryAfterS) });
  return answer;
}

function send(
  response: ServerResponse,
  status: number,
  body: object | undefined,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = body === undefined ? "" : JSON.stringify(body);
  response.writeHead(status, {
    ...(body !== undefined && { "Content-Type": "application/json;charset=utf-8" }),
    "Twilio-Request-Id": `RQ${randomBytes(16).toString("hex")}`,
    "Content-Length": String(Buffer.byteLength(text)),
    ...headers,
  });
  response.end(text);
}
