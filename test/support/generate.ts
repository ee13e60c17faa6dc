// npm run generate: writes the committed files that are made from code.
import { writeFileSync } from "node:fs";
import { generated } from "./generated.ts";

for (const { name, path, text } of await generated()) {
  writeFileSync(path, text);
  process.stdout.write(`${name}\n`);
}
