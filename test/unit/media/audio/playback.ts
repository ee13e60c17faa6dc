// The other end of a call, as far as an outbound track can tell: a network that delays, and Twilio that plays.

const FRAME_MS = 20;

/** What is under way, with the time it arrives. Nothing overtakes. */
export class Wire<Message> {
  readonly #underWay: { message: Message; atMs: number }[] = [];
  #lastMs = 0;

  send(message: Message, atMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, atMs);
    this.#underWay.push({ message, atMs: this.#lastMs });
  }

  arrived(nowMs: number): Message[] {
    const later = this.#underWay.findIndex(({ atMs }) => atMs > nowMs);
    return this.#underWay.splice(0, later < 0 ? this.#underWay.length : later).map(({ message }) => message);
  }
}

export type Sent = { kind: "media"; generation: number } | { kind: "mark"; name: string } | { kind: "clear" };

/** Plays what it is sent, as Twilio does, in steps of a millisecond. */
export class Player {
  readonly playedMs: number[] = [];
  #queue: Sent[] = [];
  #intoFrameMs = 0;

  receive(message: Sent, echo: (name: string) => void): void {
    if (message.kind === "clear") {
      for (const queued of this.#queue) if (queued.kind === "mark") echo(queued.name);
      this.#queue = [];
      this.#intoFrameMs = 0;
    } else if (message.kind === "mark" && this.#queue.length === 0) echo(message.name);
    else this.#queue.push(message);
  }

  play(echo: (name: string) => void): void {
    const playing = this.#queue[0];
    if (playing?.kind !== "media") return;
    this.playedMs[playing.generation] = (this.playedMs[playing.generation] ?? 0) + 1;
    if (++this.#intoFrameMs < FRAME_MS) return;
    this.#intoFrameMs = 0;
    this.#queue.shift();
    for (let next = this.#queue[0]; next?.kind === "mark"; next = this.#queue[0]) {
      echo(next.name);
      this.#queue.shift();
    }
  }
}
