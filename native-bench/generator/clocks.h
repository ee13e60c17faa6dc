// The two clocks of a run. Pace is kept by the monotonic one. The kernel stamps what arrives by the wall clock, so
// sending is stamped by it too, and a run in which it was set is no run (`wall_step_ns`).
#pragma once
#include <stdint.h>
#include <time.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static inline uint64_t wall_ns(void) { return clock_ns(CLOCK_REALTIME); }

static inline void sleep_until_ns(uint64_t monotonic) {
  const struct timespec then = {.tv_sec = (time_t)(monotonic / NS_PER_S), .tv_nsec = (long)(monotonic % NS_PER_S)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}
