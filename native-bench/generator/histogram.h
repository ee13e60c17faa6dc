// Durations from 1 microsecond to 10 seconds, told to within 1 %.
#pragma once
#include <stdint.h>

// Each power of two is cut into 64 steps, whose middles are within 0.8 % of what they stand for.
#define STEP_BITS 6
#define OCTAVES 34
#define BUCKETS (OCTAVES << STEP_BITS)

struct histogram {
  uint64_t count, sum_ns, max_ns;
  uint32_t buckets[BUCKETS];
};

// Shorter and longer durations count as the limits.
void histogram_add(struct histogram *histogram, uint64_t ns);
// 0 when nothing was added; never more than the longest.
uint64_t histogram_percentile_ns(const struct histogram *histogram, double percent);
