// Reads the XML that TwiML is made of, strictly: what Twilio would refuse is refused here, with the place.

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** All text directly inside, entities decoded. */
  readonly text: string;
}

export class XmlError extends Error {
  constructor(what: string, at: number) {
    super(`${what} at character ${at}`);
    this.name = "XmlError";
  }
}

const NAME = /[A-Za-z_][\w.:-]*/y;
const SPACE = /[ \t\r\n]*/y;
const ENTITY = /&(?:#(\d+)|#x([0-9A-Fa-f]+)|(\w+));|&/g;
const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const DEPTH_MAX = 20;

/** The root element of a document; throws XmlError if it isn't well formed. Document types are refused. */
export function parseXml(source: string): XmlElement {
  const reader = new Reader(source.replace(/^\uFEFF/, ""));
  reader.skipMisc();
  const root = reader.element(0);
  reader.skipMisc();
  if (!reader.atEnd()) reader.fail("something follows the root element");
  return root;
}

class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  atEnd(): boolean {
    return this.#at === this.#source.length;
  }

  fail(what: string): never {
    throw new XmlError(what, this.#at);
  }

  element(depth: number): XmlElement {
    if (depth > DEPTH_MAX) this.fail("elements nest too deeply");
    if (!this.#take("<")) this.fail("expected an element");
    const name = this.#match(NAME) || this.fail("expected a name");
    const attributes = this.#attributes();
    if (this.#take("/>")) return { name, attributes, children: [], text: "" };
    if (!this.#take(">")) this.fail(`<${name}> is not closed by >`);
    const { children, text } = this.#content(depth);
    if (!this.#take(`</${name}`)) this.fail(`expected </${name}>`);
    this.#match(SPACE);
    if (!this.#take(">")) this.fail(`expected </${name}>`);
    return { name, attributes, children, text };
  }

  /** White space, comments, the declaration and processing instructions. */
  skipMisc(): void {
    do this.#match(SPACE);
    while (this.#skipComment() || this.#skipInstruction());
  }

  #attributes(): Record<string, string> {
    const attributes: Record<string, string> = {};
    while (this.#match(SPACE) !== "") {
      const name = this.#match(NAME);
      if (name === "") break;
      if (Object.hasOwn(attributes, name)) this.fail(`attribute ${name} is there twice`);
      this.#match(SPACE);
      if (!this.#take("=")) this.fail(`attribute ${name} has no value`);
      this.#match(SPACE);
      const quote = this.#take('"')
        ? '"'
        : this.#take("'")
          ? "'"
          : this.fail(`attribute ${name} is not quoted`);
      const value = this.#until(quote);
      if (value.includes("<")) this.fail("< inside an attribute");
      attributes[name] = this.#decoded(value);
    }
    return attributes;
  }

  #content(depth: number): { children: XmlElement[]; text: string } {
    const children: XmlElement[] = [];
    let text = "";
    while (!this.#source.startsWith("</", this.#at)) {
      if (this.atEnd()) this.fail("the document ends inside an element");
      if (this.#take("<![CDATA[")) text += this.#until("]]>");
      else if (this.#skipComment() || this.#skipInstruction()) continue;
      else if (this.#source[this.#at] === "<") children.push(this.element(depth + 1));
      else text += this.#text();
    }
    return { children, text };
  }

  #text(): string {
    const end = this.#source.indexOf("<", this.#at);
    const raw = this.#source.slice(this.#at, end === -1 ? undefined : end);
    const text = this.#decoded(raw);
    this.#at += raw.length;
    return text;
  }

  #skipComment(): boolean {
    if (!this.#take("<!--")) return false;
    if (this.#until("-->").includes("--")) this.fail("-- inside a comment");
    return true;
  }

  #skipInstruction(): boolean {
    if (!this.#take("<?")) return false;
    this.#until("?>");
    return true;
  }

  #decoded(raw: string): string {
    return raw.replace(ENTITY, (_, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return NAMED[name] ?? this.fail(`unknown entity &${name};`);
      const digits = decimal ?? hex;
      if (digits === undefined) return this.fail("an & that is not escaped");
      const point = Number.parseInt(digits, decimal === undefined ? 16 : 10);
      return point > 0 && point <= 0x10_ffff ? String.fromCodePoint(point) : this.fail("no such character");
    });
  }

  #take(literal: string): boolean {
    if (!this.#source.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  #until(literal: string): string {
    const end = this.#source.indexOf(literal, this.#at);
    if (end === -1) this.fail(`expected ${literal}`);
    const found = this.#source.slice(this.#at, end);
    this.#at = end + literal.length;
    return found;
  }

  /** What a sticky pattern matches here; empty when it doesn't. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}
