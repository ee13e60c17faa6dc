// The parts of the Speex resampler's WASM build that resampler.ts uses; the package has no types of its own.
declare module "@echogarden/speex-resampler-wasm/simd" {
  /** One instance with its own memory. Pointers are byte offsets into it; 0 is null. */
  export interface SpeexModule {
    /** Views of the memory. Replaced by others when it grows, and the old ones are then empty. */
    readonly HEAP16: Int16Array;
    readonly HEAPU32: Uint32Array;
    _malloc(bytes: number): number;
    /** A new state, or 0 with a code at `errorAt`. `quality` is 0 to 10. */
    _speex_resampler_init(
      channels: number,
      fromHz: number,
      toHz: number,
      quality: number,
      errorAt: number,
    ): number;
    /** The counts at `sourceCountAt` and `targetCountAt` say what there is, then what was used. Returns 0, or a code. */
    _speex_resampler_process_int(
      state: number,
      channel: number,
      sourceAt: number,
      sourceCountAt: number,
      targetAt: number,
      targetCountAt: number,
    ): number;
    _speex_resampler_reset_mem(state: number): number;
    _speex_resampler_destroy(state: number): void;
  }
  export default function instantiate(): Promise<SpeexModule>;
}
