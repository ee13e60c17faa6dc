// Secrets at rest: sealed with AES-256-GCM, bound to the row and column they stand in. Knows no table.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";

const ALGORITHM = "aes-256-gcm";
/** Of this layout: version, key's mark, nonce, tag, ciphertext. */
const VERSION = 1;
const MARK_BYTES = 4;
/** NIST SP 800-38D, 8.2: 96 random bits, fine for 2^32 secrets under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const DERIVED_BYTES = 32;
const HEAD_BYTES = 1 + MARK_BYTES + NONCE_BYTES + TAG_BYTES;

/** Columns of one table that hold sealed secrets, or nothing; its rows have an `id`. */
export interface SealedColumns<Column extends string = string> {
  readonly table: string;
  readonly columns: readonly Column[];
  /** Where a secret stands, as its seal knows it. */
  placeOf(id: number, column: Column): string;
}

/** A sealed secret that was changed, moved to another row or column, or sealed with another key. */
export class SealBroken extends Error {
  constructor(place: string, cause?: unknown) {
    super(`the secret in ${place} can't be opened`, { cause });
    this.name = "SealBroken";
  }
}

export class Vault {
  readonly #key: KeyObject;
  readonly #mark: Buffer;

  /** `key` has 32 bytes. */
  constructor(key: KeyObject) {
    this.#key = key;
    this.#mark = createHash("sha256")
      .update("linecard vault mark")
      .update(key.export())
      .digest()
      .subarray(0, MARK_BYTES);
  }

  /** `place` names where the result will stand, such as `configurations/7/auth_token`: it opens nowhere else. */
  seal(secret: string, place: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(Buffer.from(place));
    const sealed = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), this.#mark, nonce, cipher.getAuthTag(), sealed]);
  }

  /** A key for one purpose alone, which tells nothing of this one: another with every key, the same with the same. */
  keyFor(purpose: string): KeyObject {
    const bytes = hkdfSync("sha256", this.#key, new Uint8Array(0), `linecard ${purpose}`, DERIVED_BYTES);
    return createSecretKey(new Uint8Array(bytes));
  }

  /** Throws SealBroken. */
  open(sealed: Uint8Array, place: string): string {
    const bytes = Buffer.from(sealed);
    const mark = bytes.subarray(1, 1 + MARK_BYTES);
    if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION || !mark.equals(this.#mark))
      throw new SealBroken(place);
    const nonce = bytes.subarray(1 + MARK_BYTES, 1 + MARK_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(HEAD_BYTES - TAG_BYTES, HEAD_BYTES));
    try {
      return decipher.update(bytes.subarray(HEAD_BYTES), undefined, "utf8") + decipher.final("utf8");
    } catch (cause) {
      throw new SealBroken(place, cause);
    }
  }
}
