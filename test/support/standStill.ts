// A front thread that stands still, as under too much work or in a pause of the machine: really, and for everything in
// the process, the offline Twilio included.

const NOTHING = new Int32Array(new SharedArrayBuffer(4));

/** Nothing of this thread happens for so long. Costs no CPU. */
export function standStill(ms: number): void {
  Atomics.wait(NOTHING, 0, 0, ms);
}

/** Stands still again and again, one turn of the event loop in between, until so long has passed. */
export async function stagger(forMs: number, eachMs: number): Promise<void> {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) {
    standStill(eachMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
