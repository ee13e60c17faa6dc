// How the API shows a secret, and what it means when that comes back: a client that saves what it was answered keeps
// what is stored, and no other mask ever takes a secret's place.

const BEGINNING = "****";
const SHOWN_CHARS = 4;
/** Of a shorter one the last four characters would be too much of it. */
const SHOWN_FROM_CHARS = 12;

/** The secret's last four characters; of a short one, nothing. */
export function mask(secret: string): string {
  return `${BEGINNING}${secret.length >= SHOWN_FROM_CHARS ? secret.slice(-SHOWN_CHARS) : ""}`;
}

/** `stored`: as it is stored. `foreign`: a mask, but not that one's. `clear`: what it says. */
export type Sent = "stored" | "foreign" | "clear";

/** What a secret's field was sent as, where `stored` is what it has by now. */
export function sentAs(text: string, stored: string | undefined): Sent {
  if (stored !== undefined && text === mask(stored)) return "stored";
  return text.startsWith(BEGINNING) ? "foreign" : "clear";
}

/** For whoever sent one. */
export const FOREIGN_MASK =
  "This is a mask and not the one of what is stored, so it was not saved: give the whole value, or send the mask exactly as it was answered.";
