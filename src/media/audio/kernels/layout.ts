// Where everything stands in the kernels' memory. Read by both compilers, TypeScript's and AssemblyScript's, so it is
// constants alone, all of them byte addresses or lengths in bytes.
//
//   TO_MULAW     64 KiB   codes by a sample's low 16 bits
//   TO_PCM       512      samples by code
//   FILTER_2…6            one filter for each ratio of rates, see below
//   CODES_IN     160      decode: a frame of mu-law, the caller's
//   LINE         64 + 320 decode: the carrier's last samples, and behind them (CARRIER_IN) this frame's
//   PHASES       5 × 320  decode: what the filter puts between the carrier's samples, phase by phase
//   SAMPLES_OUT  1,920    decode: the frame at the agent's rate
//   SAMPLES_IN   1,920    encode: a frame at the agent's rate
//   PLANES       6 × 384  encode: every 2nd, 3rd or 6th sample, each behind its last ones from before
//   CARRIER_OUT  320      encode: the frame at the carrier's rate
//   CODES_OUT    160      encode: the same as mu-law
//   STATES                one state of 384 bytes after the other: what each direction of each call remembers
//
// A filter, for a ratio of L:
//   0   shift of the way down's sums (Int32), on the way up it is 1
//   4   gain of the way down's pure phase (Int32)
//   16  L - 1 rows of 32 taps (Int16), the way up; and as many for the way down

/** A frame of the carrier's is 160 samples: as mu-law 160 bytes, as samples 320. */
export const CODES_BYTES = 160;
export const CARRIER_BYTES = 320;
/** At an agent's rate it is six times as much, at most. */
export const SAMPLES_BYTES = 1_920;
/** A filter looks back over 31 samples; 32 are kept. */
export const HISTORY_BYTES = 64;
/** History and frame, one behind the other. */
export const PLANE_BYTES = 384;
/** 32 taps. */
export const ROW_BYTES = 64;
export const ROWS_AT = 16;
/** History of six planes. */
export const STATE_BYTES = 384;

export const TO_MULAW = 0;
export const TO_PCM = 0x1_00_00;
export const FILTER_2 = TO_PCM + 512;
export const FILTER_3 = FILTER_2 + ROWS_AT + 2 * ROW_BYTES;
export const FILTER_6 = FILTER_3 + ROWS_AT + 4 * ROW_BYTES;
export const CODES_IN = FILTER_6 + ROWS_AT + 10 * ROW_BYTES;
export const LINE = CODES_IN + CODES_BYTES;
export const CARRIER_IN = LINE + HISTORY_BYTES;
export const PHASES = LINE + PLANE_BYTES;
export const SAMPLES_OUT = PHASES + 5 * CARRIER_BYTES;
export const SAMPLES_IN = SAMPLES_OUT + SAMPLES_BYTES;
export const PLANES = SAMPLES_IN + SAMPLES_BYTES;
export const CARRIER_OUT = PLANES + 6 * PLANE_BYTES;
export const CODES_OUT = CARRIER_OUT + CARRIER_BYTES;
export const STATES = CODES_OUT + CODES_BYTES;

/** WebAssembly's unit of memory. A mebibyte at first holds the states of 2,500 directions; pages nobody used cost nothing. */
export const PAGE_BYTES = 0x1_00_00;
export const PAGES = 16;
export const PAGES_MAX = 256;
