// What is asked of an agent's server, in the order of a call.
import { type Message, Session } from "./session.ts";

export interface Check {
  readonly isGood: boolean;
  readonly what: string;
  /** What to do about it. */
  readonly advice?: string;
}

export interface Plan {
  readonly url: string;
  readonly secret: string | undefined;
  /** 16-bit samples at 8 kHz. */
  readonly speech: Int16Array;
}

const READY_MS = 3_000;
const GREETING_MS = 1_500;
/** One that never pauses is spoken to all the same. */
const GREETING_HEARD_MS = 5_000;
const ANSWER_MS = 5_000;
/** What still comes of a cut utterance may come for so long. */
const CUT_MS = 1_000;

const HELLO = {
  type: "hello",
  version: 1,
  call: {
    run_id: 1,
    call_sid: "CA00000000000000000000000000000000",
    account_sid: "AC00000000000000000000000000000000",
    direction: "inbound",
    from: "+14155550142",
    to: "+12025550100",
    workflow: { id: 1, name: "Check", version: 1 },
    variables: {},
    parameters: {},
  },
  resumed: false,
};

/** Plays one call, and the loss of one; tells each finding as soon as it is there. */
export async function check(plan: Plan, tell: (check: Check) => void): Promise<void> {
  const good = (what: string) => tell({ isGood: true, what });
  const bad = (what: string, advice: string) => tell({ isGood: false, what, advice });
  const session = await opened(plan, "it accepts the connection", tell);
  if (session === undefined) return;
  session.send(HELLO);
  if (!(await isReady(session, tell, "it answers hello with ready"))) return session.drop();
  const ready = session.all("ready")[0]!;
  session.beginAudio(ready);
  good(
    `it hears ${words(session.hears)} in messages of ${session.hears.messageMs} ms, and speaks ${words(session.speaks)}`,
  );

  await converse(session, plan.speech, good, bad);
  if (!session.isLeaving) await pressKeys(session, good);
  if (!session.isLeaving) await interrupt(session, good, bad);
  await leave(session, good, bad);
  if (session.problems.size === 0) good("all that it sent is of the protocol");
  for (const problem of session.problems)
    bad(
      `not all that it sent is of the protocol: ${problem}`,
      "see docs/agents.md and docs/agent-protocol.schema.json",
    );
  await takeOver(plan, ready, tell);
}

type Good = (what: string) => void;
type Bad = (what: string, advice: string) => void;

async function opened(
  { url, secret }: Plan,
  what: string,
  tell: (check: Check) => void,
): Promise<Session | undefined> {
  const sinceMs = performance.now();
  try {
    const session = await Session.open(url, secret);
    tell({ isGood: true, what: `${what} (${Math.round(performance.now() - sinceMs)} ms)` });
    return session;
  } catch (error) {
    const why =
      error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error);
    const advice = /response: 40[13]$/.test(String(why))
      ? "give the secret that it expects with --secret"
      : "start the server, and give its address with --url, such as ws://127.0.0.1:9000";
    tell({ isGood: false, what: `${what}: ${why}`, advice });
    return undefined;
  }
}

async function isReady(session: Session, tell: (check: Check) => void, what: string): Promise<boolean> {
  const sinceMs = session.nowMs;
  const isReady = await session.until(() => session.all("ready").length > 0, READY_MS);
  const problem = [...session.problems].find((each) => each.startsWith("ready"));
  if (isReady && problem === undefined) {
    tell({ isGood: true, what: `${what} (${Math.round(session.nowMs - sinceMs)} ms)` });
    return true;
  }
  const why =
    problem ?? (session.closed === undefined ? `not within ${READY_MS / 1_000} s` : "it closed instead");
  tell({ isGood: false, what: `${what}: ${why}`, advice: 'send {"type":"ready"} as the first message' });
  return false;
}

/** Lets it greet, says something, and waits for what it says to that. */
async function converse(session: Session, speech: Int16Array, good: Good, bad: Bad): Promise<void> {
  const until = (probe: () => boolean, timeoutMs: number) =>
    session.until(() => probe() || session.isLeaving, timeoutMs);
  await until(() => session.audios.length > 0, GREETING_MS);
  const isGreeting = session.audios.length > 0;
  if (isGreeting) good("it greets");
  await until(() => session.waitingMs === 0, GREETING_HEARD_MS);
  session.say(speech);
  const before = session.audios.length;
  await until(() => !session.isSpeaking, 60_000);
  await until(() => session.audios.length > before, ANSWER_MS);
  const answered = session.audios.length > before;
  if (answered) good("it answers what the caller says");
  else if (isGreeting) good("it does not answer what the caller said, which may be meant so");
  else if (!session.isLeaving)
    bad(
      "it says nothing, neither first nor in answer",
      "send audio as binary messages once ready is sent, in the format that its speaks names",
    );
}

async function pressKeys(session: Session, good: Good): Promise<void> {
  for (const digit of ["5", "*"]) session.send({ type: "dtmf", digit });
  await session.pass(300);
  if (!session.isLeaving) good("it takes keys");
}

async function interrupt(session: Session, good: Good, bad: Bad): Promise<void> {
  const isSpeaking = session.waitingMs > 0;
  const atMs = session.nowMs;
  const messages = session.messages.length;
  session.interrupt("caller", 1);
  await session.pass(2 * CUT_MS);
  if (session.isLeaving) return;
  const late = session.audios.filter((audio) => audio.atMs > atMs + CUT_MS).length;
  const begun = session.messages
    .slice(messages)
    .find(({ message: { type } }) => ["utterance_start", "utterance_end", "clear"].includes(type));
  const interruption = begun?.message.type === "utterance_start" ? begun.message.interruption : undefined;
  if (typeof interruption === "number" && interruption !== 1)
    bad(
      `after interrupted it begins an utterance with interruption ${interruption}`,
      "give the number of the last interrupted you have seen, or what you say is thrown away",
    );
  else if (late > 0 && begun === undefined)
    bad(
      "after interrupted it goes on as if nothing had been",
      'stop at interrupted, and send {"type":"utterance_start","interruption":<its number>} before what is new: until then what you send is thrown away',
    );
  else if (isSpeaking) good("it stops when the caller speaks over it");
  else good("it takes an interruption (it was not speaking)");
}

/** The call ends: by the caller, or by what the server has said or done. */
async function leave(session: Session, good: Good, bad: Bad): Promise<void> {
  const hasHungUp = session.all("hang_up").length > 0;
  if (hasHungUp) {
    good("it hangs up");
    await session.until(() => session.waitingMs === 0, 30_000);
  } else if (session.closed !== undefined) {
    const { code } = session.closed;
    if (code === 1_000 || code === 1_005)
      good("it closes in good order, which ends the call once all is heard");
    else bad(`it broke off (${code})`, "a caller would wait while it is called again; look at its log");
    return;
  }
  if (await session.end(hasHungUp ? "agent_hung_up" : "caller_hung_up"))
    good("it closes when the call has ended");
  else
    bad("it does not close when the call has ended", "answer the close frame; libraries do it by themselves");
}

/** The gateway has lost its connection, and calls again. */
async function takeOver(plan: Plan, ready: Message, tell: (check: Check) => void): Promise<void> {
  const session = await opened(plan, "it accepts another connection for a call that goes on", tell);
  if (session === undefined) return;
  session.send({ ...HELLO, resumed: true });
  const resumeId = ready.resume_id ?? null;
  session.send({ type: "resumed", lost: "socket", heard_ms: 1_000, resume_id: resumeId, away_ms: 200 });
  await isReady(session, tell, "it is ready for a call that goes on");
  await session.end("caller_hung_up");
}

function words({ encoding, rateHz }: { readonly encoding: string; readonly rateHz: number }): string {
  return `${encoding === "mulaw" ? "mu-law" : encoding} at ${rateHz} Hz`;
}
