// Whether the gateway can carry another call as well as those it has: data and one pure function over what is measured
// of its strain. How that is measured is composition/overload.ts's; what a refused caller hears, the webhooks'.
import { assertNever } from "../../domain/errors.ts";

/**
 * What is measured, in parts of the value at which callers are turned away: 0 is none, 1 is there.
 *
 *   loop     60 ms that the front thread comes late: three frames, more than Twilio's own buffer is sure to hide
 *   lane     150 ms that audio waits for a media worker: with the network's share, people begin to talk at once
 *   playout  100 ms that agents' frames are sent late: half of what they are sent ahead of their time, which hides it
 *   memory   85 % of what the machine or the container has: whoever takes the rest is ended, with every call
 */
export const STRAINS = ["loop", "lane", "playout", "memory"] as const;
export type StrainName = (typeof STRAINS)[number];
export type Strain = Readonly<Record<StrainName, number>>;

export const HARD: Strain = { loop: 60, lane: 150, playout: 100, memory: 0.85 };
/** From here on no calls are placed, in parts of the hard limit: 25, 60 and 40 ms, and 75 % of the memory. */
const SOFT: Strain = { loop: 25 / 60, lane: 60 / 150, playout: 40 / 100, memory: 0.75 / 0.85 };
/** Nobody waits on the line for a call that is placed, so those make room before anyone is turned away. */
const CALLS_SOFT = 0.9;

/** Strain has to last so long before anyone is refused for it. A pause of the machine is over by then. */
const HOLD_MS = 500;
/** A level is left once strain has been so far under its limit, for so long… */
const CALM = 0.8;
const CALM_MS = 3_000;
/** …and callers are then let in one after the other, lest all that were turned away bring the strain back at once. */
const READMIT_PER_S = 5;
/** After so long the rate has grown to what no gateway is called at. */
const READMIT_MS = 10_000;

/** 0: every call is taken; 1: none is placed; 2: callers hear busy, too. */
export type Level = 0 | 1 | 2;

/**
 *   inbound   somebody calls one of our numbers
 *   outbound  the API asks for a call
 *   answered  someone has picked up a call that we placed: it was admitted when it was asked for
 */
export type Arrival = "inbound" | "outbound" | "answered";

export interface Admission {
  readonly level: Level;
  /** Since when strain has been at the soft and at the hard limit; undefined while it is under it. */
  readonly softSinceMs: number | undefined;
  readonly hardSinceMs: number | undefined;
  /** Since when it has been low enough to leave this level. */
  readonly calmSinceMs: number | undefined;
  /** After level 2, how many calls were taken since then. */
  readonly reopening: { readonly sinceMs: number; readonly taken: number } | undefined;
}

export const OPEN: Admission = {
  level: 0,
  softSinceMs: undefined,
  hardSinceMs: undefined,
  calmSinceMs: undefined,
  reopening: undefined,
};

export type AdmissionEvent =
  | { readonly type: "measured"; readonly strain: Strain }
  | { readonly type: "taken" }; // a call

/** Pure. */
export function next(admission: Admission, event: AdmissionEvent, nowMs: number): Admission {
  switch (event.type) {
    case "measured":
      return measured(admission, event.strain, nowMs);
    case "taken": {
      const { reopening } = admission;
      return reopening === undefined
        ? admission
        : { ...admission, reopening: { ...reopening, taken: reopening.taken + 1 } };
    }
    default:
      return assertNever(event);
  }
}

/**
 * Whether such a call is refused now. `callsShare` is the share of the calls it may have that the gateway has: a count
 * and not a measurement, so that it needs no patience either way; all of them taken is refused elsewhere.
 */
export function refuses(admission: Admission, arrival: Arrival, callsShare: number, nowMs: number): boolean {
  const { level, reopening } = admission;
  switch (arrival) {
    case "answered":
      return false;
    case "outbound":
      return level >= 1 || reopening !== undefined || callsShare >= CALLS_SOFT;
    case "inbound":
      return (
        level >= 2 || (reopening !== undefined && reopening.taken >= allowance(nowMs - reopening.sinceMs))
      );
    default:
      return assertNever(arrival);
  }
}

/** Whether nothing has to be measured for as long as there are no calls. */
export function isAtRest({ level, reopening }: Admission): boolean {
  return level === 0 && reopening === undefined;
}

/** The level as an operator sees it, the calls included. */
export function levelOf({ level }: Admission, callsShare: number): Level {
  if (callsShare >= 1) return 2;
  return callsShare >= CALLS_SOFT && level === 0 ? 1 : level;
}

/** Calls that may be taken within so long after callers were turned away: the rate grows by itself each second. */
function allowance(sinceMs: number): number {
  const seconds = sinceMs / 1_000;
  return 1 + Math.floor(READMIT_PER_S * (seconds + seconds ** 2 / 2));
}

function measured(admission: Admission, strain: Strain, nowMs: number): Admission {
  const hard = worst(strain, () => 1);
  const soft = worst(strain, (name) => SOFT[name]);
  const hardSinceMs = hard >= 1 ? (admission.hardSinceMs ?? nowMs) : undefined;
  const softSinceMs = soft >= 1 ? (admission.softSinceMs ?? nowMs) : undefined;
  const isHeld = (sinceMs: number | undefined): boolean =>
    sinceMs !== undefined && nowMs - sinceMs >= HOLD_MS;
  const reached: Level = isHeld(hardSinceMs) ? 2 : isHeld(softSinceMs) ? 1 : 0;
  const since = { hardSinceMs, softSinceMs };
  if (reached > admission.level) return { ...admission, level: reached, ...since, calmSinceMs: undefined };

  const { level } = admission;
  const isCalm = level > 0 && (level === 2 ? hard : soft) < CALM;
  const calmSinceMs = isCalm ? (admission.calmSinceMs ?? nowMs) : undefined;
  const isReopened = admission.reopening !== undefined && nowMs - admission.reopening.sinceMs >= READMIT_MS;
  const reopening = isReopened ? undefined : admission.reopening;
  if (calmSinceMs === undefined || nowMs - calmSinceMs < CALM_MS) {
    return { level, ...since, calmSinceMs, reopening };
  }
  return level === 2
    ? { level: 1, ...since, calmSinceMs: undefined, reopening: { sinceMs: nowMs, taken: 0 } }
    : { level: 0, ...since, calmSinceMs: undefined, reopening };
}

function worst(strain: Strain, limitOf: (name: StrainName) => number): number {
  let most = 0;
  for (const name of STRAINS) most = Math.max(most, strain[name] / limitOf(name));
  return most;
}
