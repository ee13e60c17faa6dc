// Understands the TwiML a gateway answers with: text in, verbs out. Obeys nothing itself.
import { parseXml, type XmlElement, XmlError } from "./xml.ts";

export type HttpMethod = "GET" | "POST";

/** The noun of a bidirectional media stream. */
export interface StreamNoun {
  readonly url: string;
  readonly name: string | undefined;
  readonly track: string;
  readonly statusCallback: string | undefined;
  readonly statusCallbackMethod: HttpMethod;
  /** Arrive as `customParameters` of the stream's start. */
  readonly parameters: Readonly<Record<string, string>>;
}

export type Verb =
  | {
      readonly verb: "Connect";
      readonly action: string | undefined;
      readonly method: HttpMethod;
      readonly stream: StreamNoun;
    }
  | { readonly verb: "Say"; readonly text: string }
  | { readonly verb: "Play"; readonly url: string }
  | { readonly verb: "Pause"; readonly lengthS: number }
  | { readonly verb: "Redirect"; readonly url: string; readonly method: HttpMethod }
  | { readonly verb: "Reject"; readonly reason: "rejected" | "busy" }
  | { readonly verb: "Hangup" };

/** TwiML that Twilio would refuse, or that says something the twin does not know. */
export class TwimlError extends Error {
  constructor(what: string) {
    super(what);
    this.name = "TwimlError";
  }
}

/** The limit on each Parameter's name and value together, in characters. */
const PARAMETER_MAX = 500;

/** The verbs of a document in order; throws TwimlError. */
export function parseTwiml(source: string): Verb[] {
  const root = readXml(source);
  if (root.name !== "Response") throw new TwimlError(`the root element is <${root.name}>, not <Response>`);
  return root.children.map(verbOf);
}

function readXml(source: string): XmlElement {
  try {
    return parseXml(source);
  } catch (error) {
    if (error instanceof XmlError) throw new TwimlError(error.message);
    throw error;
  }
}

function verbOf(element: XmlElement): Verb {
  switch (element.name) {
    case "Connect": {
      allow(element, ["action", "method"]);
      const [noun, ...others] = element.children;
      if (noun?.name !== "Stream" || others.length > 0)
        throw new TwimlError("<Connect> must hold one <Stream>");
      const { action } = element.attributes;
      return { verb: "Connect", action, method: methodOf(element, "method"), stream: streamOf(noun) };
    }
    case "Say":
      allow(element, ["voice", "language", "loop"]);
      return { verb: "Say", text: element.text.trim() };
    case "Play":
      allow(element, ["loop", "digits"]);
      return { verb: "Play", url: element.text.trim() };
    case "Pause":
      allow(element, ["length"]);
      return { verb: "Pause", lengthS: lengthOf(element) };
    case "Redirect":
      allow(element, ["method"]);
      return { verb: "Redirect", url: element.text.trim(), method: methodOf(element, "method") };
    case "Reject":
      allow(element, ["reason"]);
      return { verb: "Reject", reason: choice(element, "reason", ["rejected", "busy"]) };
    case "Hangup":
      allow(element, []);
      return { verb: "Hangup" };
    default:
      throw new TwimlError(`<${element.name}> is no verb known here`);
  }
}

function streamOf(element: XmlElement): StreamNoun {
  allow(element, ["url", "name", "track", "statusCallback", "statusCallbackMethod"]);
  const { url, name, track, statusCallback } = element.attributes;
  if (url === undefined) throw new TwimlError("<Stream> has no url");
  const parameters: Record<string, string> = {};
  for (const child of element.children) {
    if (child.name !== "Parameter") throw new TwimlError(`<${child.name}> inside <Stream>`);
    allow(child, ["name", "value"]);
    const { name: parameter, value } = child.attributes;
    if (!parameter || value === undefined) throw new TwimlError("<Parameter> needs a name and a value");
    if (parameter.length + value.length >= PARAMETER_MAX) {
      throw new TwimlError(`<Parameter name="${parameter}"> has ${PARAMETER_MAX} characters or more`);
    }
    parameters[parameter] = value;
  }
  const statusCallbackMethod = methodOf(element, "statusCallbackMethod");
  return { url, name, track: track ?? "inbound_track", statusCallback, statusCallbackMethod, parameters };
}

function methodOf(element: XmlElement, attribute: string): HttpMethod {
  return choice(element, attribute, ["POST", "GET"]);
}

/** The attribute's value, or the first choice where it is absent. */
function choice<Choice extends string>(
  element: XmlElement,
  attribute: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const value = element.attributes[attribute] ?? choices[0];
  const chosen = choices.find((candidate) => candidate === value);
  if (chosen === undefined) {
    throw new TwimlError(`<${element.name} ${attribute}="${value}"> must be ${choices.join(" or ")}`);
  }
  return chosen;
}

function lengthOf(element: XmlElement): number {
  const text = element.attributes.length ?? "1";
  if (!/^\d+$/.test(text)) throw new TwimlError(`<Pause length="${text}"> must be whole seconds`);
  return Number(text);
}

/** Twilio warns of attributes it does not know; here a misspelt one is an error, so that it is seen. */
function allow(element: XmlElement, attributes: readonly string[]): void {
  for (const name of Object.keys(element.attributes)) {
    if (!attributes.includes(name)) throw new TwimlError(`<${element.name}> has no attribute ${name}`);
  }
}
