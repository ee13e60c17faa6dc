// A keeper of call records that keeps them in memory: what the database does for the call log, without a disk. It can
// be made to refuse, and to wait.
import type { RecordKeeper } from "../../src/calls/log/callLog.ts";
import type { RecordChange } from "../../src/calls/log/records.store.ts";
import type { CallLogEvent, CallRecord } from "../../src/calls/log/records.ts";
import { GatewayError } from "../../src/domain/errors.ts";
import type { CallSid, RunId } from "../../src/domain/ids.ts";

export class MemoryKeeper implements RecordKeeper {
  /** The batches that were written, oldest first. */
  readonly batches: (readonly RecordChange[])[] = [];
  /** While set, nothing can be written, for this reason. */
  broken: string | undefined;
  /** While set, a batch is written only once this resolves. */
  held: Promise<void> | undefined;
  readonly #records = new Map<RunId, Omit<CallRecord, "events">>();
  readonly #events = new Map<RunId, CallLogEvent[]>();
  readonly #byCallSid = new Map<CallSid, RunId>();

  async save(changes: readonly RecordChange[]): Promise<readonly RunId[]> {
    const copies = structuredClone(changes); // as on its way to another thread
    await this.held;
    if (this.broken !== undefined) throw new GatewayError("STORE_UNAVAILABLE", this.broken);
    this.batches.push(copies);
    return copies.flatMap((change) => (this.#put(change) ? [] : [change.record.run]));
  }

  async get(run: RunId): Promise<CallRecord | undefined> {
    const record = this.#records.get(run);
    return record && structuredClone({ ...record, events: this.#events.get(run)! });
  }

  async find(callSid: CallSid): Promise<CallRecord | undefined> {
    const run = this.#byCallSid.get(callSid);
    return run && this.get(run);
  }

  /** False for a second run of one call, as the database's unique column has it. */
  #put({ record, firstOrdinal, events }: RecordChange): boolean {
    const { run, callSid } = record;
    if (callSid !== undefined) {
      if ((this.#byCallSid.get(callSid) ?? run) !== run) return false;
      this.#byCallSid.set(callSid, run);
    }
    this.#records.set(run, record);
    const known = this.#events.get(run) ?? [];
    this.#events.set(run, known);
    for (const [index, event] of events.entries()) known[firstOrdinal + index] ??= event;
    return true;
  }
}
