// The package's plain build has the face of the other.
declare module "@echogarden/speex-resampler-wasm" {
  export { default } from "@echogarden/speex-resampler-wasm/simd";
}
