// The one wrapper round every uWebSockets.js callback. An exception that leaves an HTTP or upgrade callback
// ends the process, whatever handlers it has; one that leaves a socket's callback would end every call.

/** Told what failed, in words, and how. */
export type FaultLog = (what: string, error: unknown) => void;

/**
 * The same callback, but whatever it throws or rejects with is reported, then `recover` makes good what the
 * callback was about. Media frames go through it: once hot it passes its arguments on without an array.
 */
export function guard<Subject, Rest extends readonly unknown[]>(
  what: string,
  onFault: FaultLog,
  callback: (subject: Subject, ...rest: Rest) => unknown,
  recover: (subject: Subject) => void,
): (subject: Subject, ...rest: Rest) => void {
  const fault = (subject: Subject, error: unknown): void => {
    report(onFault, what, error);
    try {
      recover(subject);
    } catch (another) {
      report(onFault, `recovery of a ${what}`, another);
    }
  };
  return (subject, ...rest) => {
    try {
      const result = callback(subject, ...rest);
      if (result instanceof Promise) result.catch((error) => fault(subject, error));
    } catch (error) {
      fault(subject, error);
    }
  };
}

function report(onFault: FaultLog, what: string, error: unknown): void {
  try {
    onFault(what, error);
  } catch {
    // A log that fails has nowhere to be reported, and must not end the calls.
  }
}
