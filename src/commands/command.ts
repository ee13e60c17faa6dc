// What the operator's commands share: arguments, help, exit statuses and sentences. Statuses: 0 done, 1 failed, 2 not
// understood.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { GatewayError } from "../domain/errors.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<Declared extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Declared; allowPositionals: false }>
>["values"];

export interface Command<Declared extends Options> {
  /** As it is called after `npm run`. */
  readonly name: string;
  readonly help: string;
  readonly options: Declared;
  /** What it has to say when it is done. Throws GatewayError when it fails, UsageError when it was asked for nothing sensible. */
  run(given: Values<Declared>): string | Promise<string>;
}

export class UsageError extends Error {
  constructor(what: string) {
    super(what);
    this.name = "UsageError";
  }
}

/** Runs it with the process's arguments; the process's exit status tells how it went. */
export async function runCommand<Declared extends Options>(command: Command<Declared>): Promise<void> {
  const { name, help, options, run } = command;
  const print = (text: string) => process.stdout.write(`${text.trimEnd()}\n`);
  const fail = (sentence: string, status: number) => {
    process.stderr.write(`${name}: ${sentence}\n`);
    process.exitCode = status;
  };
  try {
    const given = readArguments(process.argv.slice(2), options);
    if ("help" in given && given.help === true) print(help);
    else print(await run(given));
  } catch (error) {
    if (error instanceof UsageError) fail(`${error.message} (--help tells how it is used)`, EXIT_USAGE);
    else if (error instanceof GatewayError) fail(error.message, EXIT_FAILED);
    else throw error;
  }
}

function readArguments<Declared extends Options>(args: string[], options: Declared): Values<Declared> {
  try {
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
