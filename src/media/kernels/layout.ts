// Where everything stands in the kernels' memory. Read by both compilers, TypeScript's and AssemblyScript's, so it is
// constants alone, all of them byte addresses or lengths in bytes.
//
//   FILTER_2…6            one filter for each ratio of rates, see below
//   CODES_IN     160      decode: a frame of mu-law, the caller's
//   LINE         64 + 320 decode: the carrier's last samples, and behind them (CARRIER_IN) this frame's
//   PHASES       5 × 320  decode: what the filter puts between the carrier's samples, phase by phase
//   SAMPLES_OUT  1,920    decode: the frame at the agent's rate
//   SAMPLES_IN   1,920    encode: a frame at the agent's rate
//   PLANES       6 × 384  encode: every 2nd, 3rd or 6th sample, each behind its last ones from before
//   CARRIER_OUT  320      encode: the frame at the carrier's rate
//   CODES_OUT    160      encode: the same as mu-law
//   MESSAGE      16,384   readMedia: a message of the stream, and room for what stands behind its end
//   FOUND        16       readMedia: what it says, see below
//   PAYLOAD      12,288   readMedia: its audio, mu-law, and room for what is written behind its end
//   SPEECH       800      writeMedia: mu-law for the caller, up to 100 ms, and room behind its end
//   TEXT         2,048    writeMedia: the message that it goes out in
//   PREFIXES     2 MB     one prefix of 128 bytes after the other: what each stream's messages begin with, see below
//   STATES                one state of 384 bytes after the other: what each direction of each call remembers
//
// A filter, for a ratio of L:
//   0   shift of the way down's sums (Int32), on the way up it is 1
//   4   gain of the way down's pure phase (Int32)
//   16  L - 1 rows of 32 taps (Int16), the way up; and as many for the way down
//
// A prefix:
//   0    up to 127 characters
//   127  how many they are (Uint8)
//
// What was found in a message:
//   0   timestamp, in milliseconds (Float64)
//   8   where the stream's id begins (Int32), from the message's beginning
//   12  where it ends (Int32)

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

/** Vectors are read and written to their end, whatever of them is meant. */
export const SLACK_BYTES = 16;
export const MESSAGE_BYTES = 16_384;
export const PAYLOAD_BYTES = (MESSAGE_BYTES / 4) * 3;
export const SPEECH_BYTES = 800;
export const TEXT_BYTES = 2_048;
export const PREFIX_BYTES = 128;
export const PREFIX_LENGTH_AT = 127;
/** Streams of one worker, which may have all 10,000 calls that there can be. */
export const PREFIXES_MAX = 16_384;
export const SID_START_AT = 8;
export const SID_END_AT = 12;

export const FILTER_2 = 0;
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
export const MESSAGE = CODES_OUT + CODES_BYTES;
export const FOUND = MESSAGE + MESSAGE_BYTES + SLACK_BYTES;
export const PAYLOAD = FOUND + 16;
export const SPEECH = PAYLOAD + PAYLOAD_BYTES + SLACK_BYTES;
export const TEXT = SPEECH + SPEECH_BYTES + SLACK_BYTES;
export const PREFIXES = TEXT + TEXT_BYTES;
export const STATES = PREFIXES + PREFIXES_MAX * PREFIX_BYTES;

/** WebAssembly's unit of memory. There is room for 38,000 directions, and pages that nobody used cost nothing. */
export const PAGE_BYTES = 0x1_00_00;
export const PAGES = 256;
export const STATES_MAX = ((PAGES * PAGE_BYTES - STATES) / STATE_BYTES) | 0;
