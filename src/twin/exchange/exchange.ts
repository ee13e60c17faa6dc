// The offline Twilio as a whole: accounts and their numbers, the people who can be called, every call, and what is
// wrong on purpose. Its REST side listens on a port; calls in go out to the gateway as TwilioTwin's do.
import { randomBytes } from "node:crypto";
import { Addresses } from "../addresses.ts";
import type { TwinCall } from "../call.ts";
import { realClock, type Stop, Ticker, type TwinClock } from "../clock.ts";
import type { DialOptions } from "../dial.ts";
import type { Switchboard } from "../switchboard.ts";
import { type AccountOptions, TwinAccount } from "./account.ts";
import { after } from "./agenda.ts";
import { RestError } from "./errors.ts";
import { Faults, type RestName } from "./faults.ts";
import { InboundCall } from "./inbound.ts";
import type { LiveCall } from "./liveCall.ts";
import { type Person, type Talking, talk } from "./people.ts";
import { type Order, PlacedCall } from "./placed.ts";
import { listen, type RestServer } from "./server.ts";

export interface ExchangeOptions {
  readonly accounts?: readonly AccountOptions[];
  /** Who is called, by number. */
  readonly people?: Readonly<Record<string, Person>>;
  /** Who answers all other numbers: says a question, listens, and hangs up once it is quiet. */
  readonly anyoneElse?: Person;
  /** The gateway's PUBLIC_BASE_URL and where it listens; without them every address is called as it is written. */
  readonly publicBase?: string;
  readonly gatewayBase?: string;
  /** From a call's being dialled to its ringing; 100 by default. */
  readonly dialMs?: number;
  /** What Twilio adds to a call's Timeout; 5,000 as there. */
  readonly timeoutBufferMs?: number;
  /** How many calls that are over are remembered, the latest; all by default. */
  readonly callsKept?: number;
  /** 0, any free port, by default. */
  readonly port?: number;
  readonly clock?: TwinClock;
  /** Random bytes for ids. */
  readonly entropy?: (bytes: number) => Buffer;
}

/** What the gateway asked for and Twilio's contract doesn't allow. */
export interface RestComplaint {
  /** The contract's operation, or method and path where it has none. */
  readonly operation: string;
  /** Empty when it is about no parameter. */
  readonly parameter: string;
  readonly text: string;
}

/** A request that came, in order. */
export interface RestRequest {
  readonly name: RestName | undefined;
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly params: URLSearchParams;
  /** What it was answered with; 0 for no answer. */
  readonly status: number;
}

/** Without a gateway nothing is rerouted: no public address lies under this one. */
const NOWHERE = "https://gateway.invalid";
/** The latest requests and complaints that are remembered. */
const NOTES_MAX = 10_000;

export class Exchange {
  readonly faults = new Faults();
  readonly accounts: TwinAccount[] = [];
  /** By number; may be changed at any time. */
  readonly people: Map<string, Person>;
  anyoneElse: Person;
  /** What the gateway did that Twilio's contract doesn't allow. */
  readonly complaints: RestComplaint[] = [];
  /** Every request that came, the refused ones too. */
  readonly requests: RestRequest[] = [];
  /** Called for each request once it is carried out, before it is answered. */
  onRequest: (request: RestRequest) => void = () => {};
  readonly #options: ExchangeOptions;
  readonly #entropy: (bytes: number) => Buffer;
  readonly #ticker: Ticker;
  readonly #calls = new Map<string, LiveCall>();
  /** When each account may dial next, on the monotonic clock. */
  readonly #nextDialMs = new Map<TwinAccount, number>();
  readonly #waiting = new Set<{
    readonly fits: (call: PlacedCall) => boolean;
    readonly found: (call: PlacedCall) => void;
  }>();
  readonly #pending = new Set<Stop>();
  #addresses: Addresses;
  #server: RestServer | undefined;

  private constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#entropy = options.entropy ?? randomBytes;
    this.#ticker = new Ticker(options.clock ?? realClock);
    this.people = new Map(Object.entries(options.people ?? {}));
    this.anyoneElse = options.anyoneElse ?? { does: "answers" };
    this.#addresses = new Addresses(options.publicBase ?? NOWHERE, options.gatewayBase ?? options.publicBase);
    for (const account of options.accounts ?? []) this.addAccount(account);
  }

  /** Begins to listen, on the loopback interface only. */
  static async start(options: ExchangeOptions = {}): Promise<Exchange> {
    const exchange = new Exchange(options);
    exchange.#server = await listen(exchange, options.port ?? 0);
    return exchange;
  }

  /** What a client has as its base address instead of https://api.twilio.com. */
  get url(): string {
    return this.#server!.url;
  }

  /** Of the wall clock, in milliseconds. */
  get wallMs(): number {
    return this.#ticker.clock.wallMs();
  }

  /** Where the gateway really is: addresses under the public base are called there. */
  setGateway(publicBase: string, gatewayBase = publicBase): void {
    this.#addresses = new Addresses(publicBase, gatewayBase);
  }

  addAccount(options: AccountOptions = {}): TwinAccount {
    const surroundings = { wallMs: () => this.wallMs, newSid: (prefix: string) => this.#newSid(prefix) };
    const account = new TwinAccount(options, surroundings);
    this.accounts.push(account);
    return account;
  }

  account(accountSid: string): TwinAccount | undefined {
    return this.accounts.find((account) => account.accountSid === accountSid);
  }

  /** All calls, newest first. */
  get calls(): readonly LiveCall[] {
    return [...this.#calls.values()].reverse();
  }

  call(callSid: string): LiveCall | undefined {
    return this.#calls.get(callSid);
  }

  /** The calls placed by REST, oldest first. */
  get placed(): readonly PlacedCall[] {
    return [...this.#calls.values()].filter((call) => call instanceof PlacedCall);
  }

  /** The first call placed to a number, as soon as there is one. */
  placedTo(to: string): Promise<PlacedCall> {
    const fits = ({ order }: PlacedCall) => order.to === to;
    const placed = this.placed.find(fits);
    if (placed !== undefined) return Promise.resolve(placed);
    const { promise, resolve } = Promise.withResolvers<PlacedCall>();
    this.#waiting.add({ fits, found: resolve });
    return promise;
  }

  /**
   * Someone calls a number of the exchange: its VoiceUrl is asked, and the TwiML read but not obeyed before `connect`
   * or `answer`. Throws for a number that no account owns.
   */
  async dial(options: DialOptions): Promise<TwinCall> {
    const leg = this.begin(options);
    if (leg.end === undefined) await leg.ring();
    return leg;
  }

  /** Someone calls, speaks, listens and hangs up by themselves; whatever the gateway says to it is obeyed at once. */
  phone(options: DialOptions, talking: Talking = {}): TwinCall {
    const leg = this.begin(options);
    leg.onStream = (stream) => talk(stream, talking, this.#ticker, () => void leg.hangUp());
    const { hangUpAfterMs } = talking;
    if (hangUpAfterMs !== undefined) {
      const stop = after(this.#ticker, hangUpAfterMs, () => void leg.hangUp());
      void leg.ended.then(stop);
    }
    if (leg.end === undefined) void leg.ring().then(() => leg.answer());
    return leg;
  }

  /** The same as `dial`, with the webhook sent by the call's `ring`. */
  begin(options: DialOptions): TwinCall {
    for (const account of this.accounts) {
      const number = account.number(options.to);
      if (number === undefined) continue;
      const call = new InboundCall(account, number, options, this.#switchboard(account), this.faults);
      this.#remember(call);
      return call.leg;
    }
    throw new Error(`no account of the exchange owns ${options.to}`);
  }

  /** Queues a call; it is dialled when its account's turn has come. */
  place(account: TwinAccount, order: Order): PlacedCall {
    if (account.callsMax !== Number.POSITIVE_INFINITY && this.#liveCalls(account) >= account.callsMax) {
      throw new RestError(10004);
    }
    const nowMs = this.#ticker.clock.nowMs();
    const dialMs = Math.max(nowMs, this.#nextDialMs.get(account) ?? nowMs);
    this.#nextDialMs.set(account, dialMs + 1_000 / account.callsPerSecond);
    const call = new PlacedCall(order, dialMs - nowMs, {
      account,
      switchboard: this.#switchboard(account),
      faults: this.faults,
      person: this.people.get(order.to) ?? this.anyoneElse,
      dialMs: this.#options.dialMs ?? 100,
      timeoutBufferMs: this.#options.timeoutBufferMs ?? 5_000,
    });
    this.#remember(call);
    for (const waiter of this.#waiting) {
      if (!waiter.fits(call)) continue;
      this.#waiting.delete(waiter);
      waiter.found(call);
    }
    return call;
  }

  /** Does something later, unless the exchange is closed by then. */
  later(delayMs: number, run: () => void): void {
    const stop = after(this.#ticker, delayMs, () => {
      this.#pending.delete(stop);
      run();
    });
    this.#pending.add(stop);
  }

  /** Remembers a request. */
  note(request: RestRequest): void {
    this.requests.push(request);
    if (this.requests.length > NOTES_MAX) this.requests.shift();
    this.onRequest(request);
  }

  /** Remembers what the contract doesn't allow. */
  complain(complaint: RestComplaint): void {
    this.complaints.push(complaint);
    if (this.complaints.length > NOTES_MAX) this.complaints.shift();
  }

  /** Resolves when every call is over and all callbacks of theirs have been answered. */
  async settled(): Promise<void> {
    await Promise.all(this.calls.map(({ concluded }) => concluded));
  }

  /** Ends everything; nothing of the exchange runs afterwards. */
  async close(): Promise<void> {
    for (const stop of this.#pending) stop();
    const closed = this.#server?.close();
    await Promise.all(this.calls.map((call) => call.close()));
    await closed;
  }

  #remember(call: LiveCall): void {
    this.#calls.set(call.record.facts.sid, call);
    const kept = this.#options.callsKept;
    if (kept !== undefined) void call.concluded.then(() => this.#forget(kept));
  }

  /** Drops the oldest calls that are over, but for so many. */
  #forget(kept: number): void {
    const over = [...this.#calls].filter(([, { record }]) => !record.isLive);
    for (const [sid] of over.slice(0, Math.max(0, over.length - kept))) this.#calls.delete(sid);
  }

  #liveCalls(account: TwinAccount): number {
    return [...this.#calls.values()].filter(
      ({ record }) => record.isLive && record.facts.accountSid === account.accountSid,
    ).length;
  }

  /** The prefix and 32 hex digits. */
  #newSid(prefix: string): string {
    return prefix + this.#entropy(16).toString("hex");
  }

  #switchboard(account: TwinAccount): Switchboard {
    const addresses = () => this.#addresses;
    return {
      account,
      get addresses() {
        return addresses();
      },
      ticker: this.#ticker,
      newSid: (prefix) => this.#newSid(prefix),
      firstTimestampMs: () => 60 + (this.#entropy(1)[0]! % 141),
      spoil: (callSid) => this.faults.takeSpoiling(callSid),
    };
  }
}
