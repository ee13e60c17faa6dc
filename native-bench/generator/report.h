// What a run found, as one JSON object.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include "tally.h"

struct finding {
  size_t streams;
  // The measured time as it was, and what this program used of a processor in it.
  double seconds, user_seconds, system_seconds;
  // By how much the wall clock was set in the run, either way.
  uint64_t wall_step_ns;
};

void report(const struct finding *finding, const struct tally *tally);
