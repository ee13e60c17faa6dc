// One frame's work in perFrame.ts's pool: base64 in, base64 out.
import alawmulaw from "alawmulaw";
import { doubled, halved } from "./linear.ts";

const { mulaw } = alawmulaw;

export default function echo(payload: string): string {
  const heard = doubled(mulaw.decode(Buffer.from(payload, "base64")));
  return Buffer.from(mulaw.encode(halved(heard))).toString("base64");
}
