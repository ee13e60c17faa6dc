// How many sockets the process can have: what the system lets it open, against what its calls need. With no descriptor
// left, accepting spins a whole core, so that connections are refused well before.
import { readFileSync } from "node:fs";

/** Beside the calls' sockets: webhooks, scrapes, browsers, and strangers. */
export const OTHER_CONNECTIONS = 500;
/** A socket to Twilio, one to the agent, and the recording's file. */
const PER_CALL = 3;
/** The database, its log, the workers' own, requests to Twilio. At rest, with two workers, it is 44. */
const OWN = 200;

export interface SocketBudget {
  /** Connections that may be accepted. */
  readonly connections: number;
  /** What is wrong, and what to do; undefined when nothing is. */
  readonly warning: string | undefined;
}

export function socketBudget(callsMax: number, descriptors: number | undefined): SocketBudget {
  const wanted = callsMax + OTHER_CONNECTIONS;
  const needed = PER_CALL * callsMax + OTHER_CONNECTIONS + OWN;
  if (descriptors === undefined || descriptors >= needed) return { connections: wanted, warning: undefined };
  const fits = Math.max(1, Math.floor((descriptors - OTHER_CONNECTIONS - OWN) / PER_CALL));
  return {
    // Each accepted connection may be a call's, which needs the others, too.
    connections: Math.min(wanted, Math.max(1, Math.floor((descriptors - OWN) / PER_CALL))),
    warning:
      `This process may open ${descriptors} files and sockets, and ${callsMax} calls may need ${needed}. ` +
      `Raise the limit (ulimit -n ${needed}; LimitNOFILE=${needed} in a systemd unit; --ulimit nofile=${needed} for a ` +
      `container), or set CALLS_MAX to ${fits}.`,
  };
}

/** How many this process may have open; undefined where the system doesn't tell. */
export function descriptorLimit(): number | undefined {
  try {
    return limitIn(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    return undefined; // not Linux
  }
}

/** The soft limit in what Linux tells: Node has raised it as far as it may go. */
export function limitIn(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}
