// The offline Twilio: places calls to a gateway and conducts them as Twilio would, any number at once.
import { randomBytes } from "node:crypto";
import { Addresses } from "./addresses.ts";
import { TwinCall } from "./call.ts";
import { realClock, Ticker, type TwinClock } from "./clock.ts";
import type { DialOptions } from "./dial.ts";
import { type StreamOptions, TwinStream } from "./stream.ts";
import type { Account, Switchboard } from "./switchboard.ts";
import { Timeline } from "./timeline.ts";
import { type Signing, sendWebhook, type WebhookAnswer } from "./webhook.ts";

export interface TwinOptions extends Account {
  /** The gateway's PUBLIC_BASE_URL: what Twilio knows and signs. */
  readonly publicBase: string;
  /** Where the gateway listens; the public base by default. */
  readonly gatewayBase?: string;
  readonly clock?: TwinClock;
  /** Random bytes for ids. */
  readonly entropy?: (bytes: number) => Buffer;
}

export interface DirectStream {
  /** The public address, as a TwiML's Stream would name it. */
  readonly url: string;
  readonly callSid?: string;
  readonly streamSid?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

export class TwilioTwin {
  readonly account: Account;
  readonly addresses: Addresses;
  readonly #switchboard: Switchboard;
  readonly #calls = new Set<TwinCall>();
  readonly #streams = new Set<TwinStream>();

  constructor(options: TwinOptions) {
    const {
      accountSid,
      authToken,
      publicBase,
      gatewayBase,
      clock = realClock,
      entropy = randomBytes,
    } = options;
    this.account = { accountSid, authToken };
    this.addresses = new Addresses(publicBase, gatewayBase);
    this.#switchboard = {
      account: this.account,
      addresses: this.addresses,
      ticker: new Ticker(clock),
      newSid: (prefix) => prefix + entropy(16).toString("hex"),
      firstTimestampMs: () => 60 + (entropy(1)[0]! % 141),
    };
  }

  /** Calls a number: the webhook is sent and its TwiML read, but not obeyed before `connect` or `answer`. */
  async dial(options: DialOptions): Promise<TwinCall> {
    const call = this.begin(options);
    await call.ring();
    return call;
  }

  /** A call whose webhook is sent by its `ring`. */
  begin(options: DialOptions): TwinCall {
    const call = new TwinCall(this.#switchboard, options);
    this.#calls.add(call);
    void call.ended.then(() => call.settled()).then(() => this.#calls.delete(call));
    return call;
  }

  /** Opens a stream without a call, at an address of one's own making. */
  openStream(direct: DirectStream, options: StreamOptions = {}): TwinStream {
    const { ticker, newSid, firstTimestampMs } = this.#switchboard;
    const facts = {
      ...this.account,
      callSid: direct.callSid ?? newSid("CA"),
      streamSid: direct.streamSid ?? newSid("MZ"),
      publicUrl: direct.url,
      dialUrl: this.addresses.dialable(direct.url),
      parameters: direct.parameters ?? {},
      firstTimestampMs: firstTimestampMs(),
    };
    const stream = new TwinStream(facts, new Timeline(ticker.clock), ticker, options);
    this.#streams.add(stream);
    void stream.ended.then(() => this.#streams.delete(stream));
    return stream;
  }

  /** Sends any signed webhook; rejects with WebhookError when no answer came. */
  post(
    publicUrl: string,
    params: Readonly<Record<string, string>>,
    signing: Signing = "valid",
  ): Promise<WebhookAnswer> {
    const dialUrl = this.addresses.dialable(publicUrl);
    const { authToken } = this.account;
    return sendWebhook({ publicUrl, dialUrl, method: "POST", params, authToken, signing });
  }

  /** Ends whatever is still going on; nothing of the twin runs afterwards. */
  async close(): Promise<void> {
    const streams = [...this.#streams].map((stream) => stream.break("cut"));
    await Promise.all([...streams, ...[...this.#calls].map((call) => call.abandon())]);
  }
}
