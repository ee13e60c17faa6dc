// The environment's variables as they stand there, each read once into the shape that was asked for; what is wrong with
// them is gathered. Which there are, and what they mean, it doesn't know.
import { readFileSync } from "node:fs";

/** Variables the twilio package and Twilio's command line read; not ours to refuse. */
const READ_BY_TWILIO = /^TWILIO_(API_KEY|API_SECRET|CA_BUNDLE|EDGE|LOG_LEVEL|PROFILE|REGION)$/;

/** Kubernetes puts these into every container for each service, so also for one called `linecard`. */
const MADE_BY_KUBERNETES = /_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$/;

/** Reads variables and gathers what is wrong with them; a wrong one reads as if it were not set. */
export class Variables {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #asked = new Set<string>();
  readonly #problems: string[] = [];

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  problem(name: string, wrong: string): undefined {
    this.#problems.push(`${name} ${wrong}`);
  }

  text(name: string): string | undefined {
    this.#asked.add(name);
    return this.#env[name]?.trim() || undefined;
  }

  isGiven(name: string): boolean {
    const file = `${name}_FILE`;
    return Boolean(this.#env[name]?.trim() || (this.#asked.has(file) && this.#env[file]?.trim()));
  }

  matching(name: string, shape: RegExp, wrong: string): string | undefined {
    const text = this.text(name);
    return text === undefined || shape.test(text) ? text : this.problem(name, wrong);
  }

  filePath(name: string): string | undefined {
    return this.matching(name, /[^/\\]$/, "must be a file, not a folder");
  }

  /** From the variable or from the file that `<name>_FILE` names. */
  secret(name: string, shape = /^/, wrong = ""): string | undefined {
    const direct = this.text(name);
    const path = this.text(`${name}_FILE`);
    if (direct !== undefined && path !== undefined) {
      return this.problem(name, `is given twice: keep it or ${name}_FILE`);
    }
    const secret = path === undefined ? direct : this.#contents(`${name}_FILE`, path);
    if (secret === undefined) return undefined;
    if (/\p{Cc}/u.test(secret)) return this.problem(name, "must be a single line without control characters");
    return shape.test(secret) ? secret : this.problem(name, wrong);
  }

  /** The path is not shown: a secret may have been put in its place. */
  #contents(name: string, path: string): string | undefined {
    try {
      return readFileSync(path, "utf8").trim() || this.problem(name, "names a file that is empty");
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      return this.problem(name, `names a file that can't be read (${code})`);
    }
  }

  integer(
    name: string,
    { default: otherwise, min, max }: { default: number; min: number; max: number },
  ): number {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.problem(name, `must be a whole number from ${min} to ${max}, not ${shown(text)}`);
    return otherwise;
  }

  oneOf<Option extends string>(name: string, options: readonly Option[], otherwise: Option): Option {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const option = options.find((candidate) => candidate === text);
    if (option === undefined) this.problem(name, `must be one of ${options.join(", ")}, not ${shown(text)}`);
    return option ?? otherwise;
  }

  /** Comma-separated entries, each in its canonical form, none twice. `canonical` gives undefined for a wrong one. */
  list(name: string, canonical: (entry: string) => string | undefined, wrong: string): readonly string[] {
    const entries = (this.text(name) ?? "").split(",").map((entry) => entry.trim());
    const read = entries.filter((entry) => entry !== "").map(canonical);
    if (read.includes(undefined)) this.problem(name, wrong);
    return [...new Set(read)].filter((entry) => entry !== undefined);
  }

  /** A mistyped name would otherwise leave a default in force unseen. To be asked after everything was read. */
  refuseUnknown(): void {
    for (const name of Object.keys(this.#env)) {
      if (!/^(LINECARD|TWILIO)_/.test(name) || this.#asked.has(name) || !this.isGiven(name)) continue;
      if (READ_BY_TWILIO.test(name) || MADE_BY_KUBERNETES.test(name)) continue;
      this.problem(name, `is not a setting; the nearest is ${nearest(name, this.#asked)}`);
    }
  }

  /** Of all that were read so far, in that order. */
  get problems(): readonly string[] {
    return this.#problems;
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function nearest(name: string, candidates: Iterable<string>): string {
  const byDistance = [...candidates].map((candidate) => ({
    candidate,
    edits: editsBetween(name, candidate),
  }));
  return byDistance.reduce((best, next) => (next.edits < best.edits ? next : best)).candidate;
}

/** Levenshtein's distance, one row at a time. */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = row[column]! + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, row[column + 1]! + 1, next[column]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
