// Placing calls, put together: the line, what is asked once, and the operations that lead to it.

import type { LiveCalls } from "../calls/live/liveCalls.ts";
import { liveOperations } from "../calls/live/liveOperations.ts";
import type { CallLog } from "../calls/log/callLog.ts";
import type { CallObserver } from "../calls/observer.ts";
import { Dialer } from "../calls/outbound/dialer.ts";
import type { DialObserver } from "../calls/outbound/dialObserver.ts";
import { Idempotency } from "../calls/outbound/idempotency.ts";
import { outboundOperations } from "../calls/outbound/outboundOperations.ts";
import { runUrls } from "../calls/webhooks/twilioPaths.ts";
import type { Clock } from "../domain/clock.ts";
import type { Operation } from "../http/operation.ts";
import type { Configuration, Directory } from "../numbers/directory.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";
import type { TwilioAccess, TwilioRest } from "../twilio/rest.ts";

export interface OutboundParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly directory: Directory;
  readonly records: CallLog;
  readonly calls: LiveCalls;
  readonly rest: TwilioRest;
  readonly access: (configuration: Configuration) => TwilioAccess;
  readonly observer: CallObserver & DialObserver;
  readonly settings: Settings;
  /** With the port it really has. */
  readonly publicBase: () => string;
  /** Of each account; Twilio's default is 1. */
  readonly callsPerS?: number;
}

export interface Outbound {
  /** To be started once the front listens. */
  readonly dialer: Dialer;
  readonly operations: readonly Operation[];
}

export function outbound(parts: OutboundParts): Outbound {
  const { settings, publicBase, store, clock, callsPerS } = parts;
  const { callsMax, dialPrefixes, voiceFallbackUrl } = settings;
  const idempotency = new Idempotency(store.idempotency, clock);
  const dialer = new Dialer({
    ...parts,
    urls: (run) => runUrls(publicBase(), run, voiceFallbackUrl),
    ...(callsPerS !== undefined && { callsPerS }),
  });
  return {
    dialer,
    operations: [
      ...outboundOperations({ ...parts, dialer, idempotency, callsMax, dialPrefixes }),
      ...liveOperations({ ...parts, dialer }),
    ],
  };
}
