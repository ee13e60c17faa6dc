// Reads CSV as RFC 4180 has it, for tests of what was written. Written apart from the writer.

/** Rows of cells. Throws where a quote stands in the wrong place or a line ends in anything but CR LF. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = "";
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (at >= text.length) throw new Error("a quoted cell has no end");
        if (text[at] === '"' && text[at + 1] !== '"') break;
        if (text[at] === '"') at++;
        cell += text[at];
      }
      at++;
    } else {
      while (at < text.length && text[at] !== "," && text[at] !== "\r") {
        if (text[at] === '"' || text[at] === "\n")
          throw new Error(`${JSON.stringify(text[at])} in a bare cell`);
        cell += text[at++];
      }
    }
    row.push(cell);
    if (text[at] === ",") {
      at++;
    } else if (text.startsWith("\r\n", at)) {
      at += 2;
      rows.push(row);
      row = [];
    } else {
      throw new Error(`a cell is followed by ${JSON.stringify(text[at])}`);
    }
  }
  if (row.length > 0) throw new Error("the last line has no end");
  return rows;
}
