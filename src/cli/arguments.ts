// What all commands share in reading their arguments. A wrong one ends the command with status 2 and a sentence.
import { type ParseArgsConfig, parseArgs } from "node:util";

/** A command that can't begin; the message says what to do about it. */
export class UsageError extends Error {
  constructor(what: string) {
    super(what);
    this.name = "UsageError";
  }
}

export const EXIT_USAGE = 2;

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<Declared extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Declared; allowPositionals: false }>
>["values"];

/** Parses a command line; throws UsageError for what it doesn't know. */
export function readOptions<Declared extends Options>(args: string[], options: Declared): Values<Declared> {
  try {
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A number within bounds, or the default where the option is absent. */
export function numberOption(
  name: string,
  text: string | undefined,
  {
    default: fallback,
    min,
    max,
    whole = false,
  }: { default: number; min: number; max: number; whole?: boolean },
): number {
  if (text === undefined) return fallback;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw new UsageError(
      `--${name} must be ${whole ? "a whole number" : "a number"} from ${min} to ${max}, not ${text}`,
    );
  }
  return value;
}

/** A base address, without a slash at its end. */
export function baseOption(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBase =
    url !== undefined && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username;
  if (!isBase)
    throw new UsageError(`--${name} must be an http or https address without a query, not ${text}`);
  return text.replace(/\/+$/, "");
}

/** Runs a command: its status becomes the process's, and a UsageError is one sentence on stderr. */
export async function runCommand(name: string, command: (args: string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  }
}
