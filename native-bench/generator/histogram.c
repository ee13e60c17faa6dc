// A log-linear histogram: the position of the highest bit, and the six bits after it.
#include "histogram.h"
#include "clocks.h"

#define LOWEST_NS NS_PER_US
#define HIGHEST_NS (10 * NS_PER_S)

_Static_assert(HIGHEST_NS < 1ull << OCTAVES, "every duration has a bucket");
_Static_assert(LOWEST_NS >= 1 << STEP_BITS, "every duration has six bits behind its highest");

static unsigned bucket_of(uint64_t ns) {
  const unsigned octave = 63 - (unsigned)__builtin_clzll(ns);
  return (octave << STEP_BITS) + (unsigned)(ns >> (octave - STEP_BITS) & ((1 << STEP_BITS) - 1));
}

static uint64_t middle_of(unsigned bucket) {
  const unsigned octave = bucket >> STEP_BITS;
  const uint64_t step = 1ull << (octave - STEP_BITS);
  return (1ull << octave) + (bucket & ((1 << STEP_BITS) - 1)) * step + step / 2;
}

void histogram_add(struct histogram *histogram, uint64_t ns) {
  const uint64_t within = ns < LOWEST_NS ? LOWEST_NS : ns > HIGHEST_NS ? HIGHEST_NS : ns;
  histogram->buckets[bucket_of(within)]++;
  histogram->count++;
  histogram->sum_ns += within;
  if (within > histogram->max_ns) histogram->max_ns = within;
}

uint64_t histogram_percentile_ns(const struct histogram *histogram, double percent) {
  if (histogram->count == 0) return 0;
  const double wanted = (double)histogram->count * percent / 100;
  uint64_t seen = 0;
  unsigned bucket = 0;
  for (; bucket < BUCKETS; bucket++) {
    seen += histogram->buckets[bucket];
    if (seen > 0 && (double)seen >= wanted) break;
  }
  const uint64_t middle = middle_of(bucket);
  return middle > histogram->max_ns ? histogram->max_ns : middle;
}
