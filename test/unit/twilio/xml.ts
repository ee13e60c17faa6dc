// Reads the XML that TwiML is written in, strictly and apart from the library that writes it: elements,
// attributes, text, character references. Anything else is an error.
import assert from "node:assert/strict";

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (Element | string)[];
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';
const TAG =
  /<(?:\/(?<closed>[A-Za-z]+)|(?<opened>[A-Za-z]+)(?<attributes>(?: [A-Za-z]+="[^"<]*")*)(?<empty>\/)?)>/y;
const TEXT = /[^<]+/y;
const NAMED = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** The document's root; throws on anything that isn't well-formed. */
export function parseXml(document: string): Element {
  assert.ok(document.startsWith(DECLARATION));
  assert.ok(document.isWellFormed(), "no lone surrogates");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that XML 1.0 can't hold
  assert.doesNotMatch(document, /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/);
  const open = [{ name: "", attributes: {}, children: [] as (Element | string)[] }];
  for (let at = DECLARATION.length; at < document.length; ) {
    TAG.lastIndex = at;
    TEXT.lastIndex = at;
    const tag = TAG.exec(document)?.groups;
    const parent = open.at(-1)!;
    if (tag === undefined) {
      const text = TEXT.exec(document)?.[0];
      assert.ok(text !== undefined, `markup at ${at} of ${document}`);
      // XML 2.11 and 2.4: a bare line end is normalised, and `]]>` may not stand in text.
      assert.ok(!text.includes("]]>"));
      parent.children.push(resolved(text.replace(/\r\n?/g, "\n")));
      at = TEXT.lastIndex;
      continue;
    }
    at = TAG.lastIndex;
    if (tag.closed !== undefined) {
      assert.equal(open.pop()!.name, tag.closed);
      continue;
    }
    const element = { name: tag.opened!, attributes: attributesIn(tag.attributes!), children: [] };
    parent.children.push(element);
    if (tag.empty === undefined) open.push(element);
  }
  const [outside, ...unclosed] = open;
  assert.equal(unclosed.length, 0);
  const [root, ...more] = outside!.children;
  assert.ok(typeof root === "object" && more.length === 0);
  return root;
}

function attributesIn(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/ ([A-Za-z]+)="([^"]*)"/g)) {
    assert.ok(!(name! in attributes));
    // XML 3.3.3: white space in a value is a space, unless it is written as a reference.
    attributes[name!] = resolved(value!.replace(/\r\n|[\t\n\r]/g, " "));
  }
  return attributes;
}

function resolved(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]+);|#([0-9]+);|([a-z]+);)?/g, (reference, hex, decimal, name) => {
    const character = NAMED.get(name) ?? (hex && String.fromCodePoint(Number.parseInt(hex, 16)));
    const value = character ?? (decimal && String.fromCodePoint(Number(decimal)));
    assert.ok(value, `a reference: ${reference}`);
    return value;
  });
}
