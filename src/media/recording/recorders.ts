// The recorders of one worker's calls: where their files lie, what they share, and how many there may be.
import type { Clock } from "../../domain/clock.ts";
import { recordingName } from "../../domain/recordingFile.ts";
import type { MakeRecorder, Recorder } from "../pipeline/recorder.ts";
import { CallRecorder, type InTurn } from "./callRecorder.ts";
import { PartFile } from "./partFile.ts";

/** Files open at once, those of calls that are over and not written yet included: a disk that hangs lets go of none. */
const OPEN_MAX = 2_000;

/** Makes the recorders of calls that are recorded, into this folder, which is made when it is first needed. */
export function recordersIn(folder: string, clock: Clock): MakeRecorder {
  let open = 0;
  const inTurn = oneAfterTheOther();
  return (ticket, startedMs, tell) => {
    const { recording, resumed, run } = ticket;
    if (recording === undefined) return NONE;
    const startedWallMs = clock.wallMs() - (clock.nowMs() - startedMs);
    const name = (nearMs: number) => recordingName(run, startedWallMs + nearMs, recording.retentionDays);
    // The wall clock may have been set since the file was named, which near midnight is another name.
    const names = resumed === undefined ? [name(0)] : [name(0), name(-NEAR_MS), name(NEAR_MS)];
    if (open >= OPEN_MAX) {
      tell({
        kind: "recording",
        state: "failed",
        file: names[0]!,
        lastedMs: 0,
        droppedMs: 0,
        why: "too_many",
      });
      return NONE;
    }
    open++;
    const file = new PartFile(folder, names, resumed !== undefined);
    return new CallRecorder({ file, inTurn, clock, startedMs, tell, closed: () => open-- });
  };
}

const NEAR_MS = 60_000;

/**
 * One worker asks the disk for one thing at a time. The process has four threads for all that waits for a disk or for a
 * name server: with a disk that hangs, a hundred calls' writes would have them all, and no agent could be dialled.
 */
function oneAfterTheOther(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
}

const NONE: Recorder = { caller() {}, agent() {}, cleared() {}, tick() {}, finish() {} };
