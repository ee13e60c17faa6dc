// Configurations and phone numbers, put together: the operations on them, and what keeps Twilio in step.
import type { Clock } from "../domain/clock.ts";
import type { Operation } from "../http/operation.ts";
import { configurationOperations } from "../numbers/configurations/configurationOperations.ts";
import type { Configuration, Directory } from "../numbers/directory.ts";
import { numberOperations } from "../numbers/numberOperations.ts";
import { type SyncObserver, VoiceUrlSync } from "../numbers/sync/sync.ts";
import type { SyncCounts } from "../numbers/sync/syncTally.ts";
import type { Store } from "../store/store.ts";
import type { TwilioAccess, TwilioRest } from "../twilio/rest.ts";

export interface NumbersParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly directory: Directory;
  readonly rest: TwilioRest;
  readonly accessOf: (configuration: Configuration) => TwilioAccess;
  readonly observer: SyncObserver;
  /** With the port it really has. */
  readonly publicBase: () => string;
  readonly voiceFallbackUrl: string | undefined;
}

export interface Numbers {
  readonly operations: readonly Operation[];
  /** Numbers by how they stand with Twilio. */
  counts(): SyncCounts;
  /** Looks at every account, once the front listens. */
  start(): void;
  stop(): void;
}

export function numbers(parts: NumbersParts): Numbers {
  const sync = new VoiceUrlSync(parts);
  const shared = { ...parts, sync };
  return {
    operations: [...configurationOperations(shared), ...numberOperations(shared)],
    counts: () => sync.counts(),
    start: () => sync.start(),
    stop: () => sync.stop(),
  };
}
