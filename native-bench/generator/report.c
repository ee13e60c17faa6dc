// The report. Names are those that native-bench/run/generator.ts reads.
#include "report.h"
#include <stdio.h>

static double ms(uint64_t ns) { return (double)ns / NS_PER_MS; }

static void put_durations(const char *name, const struct histogram *histogram) {
  const double mean_ms = histogram->count == 0 ? 0 : ms(histogram->sum_ns) / (double)histogram->count;
  printf("\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f,\"mean\":%.3f},", name,
         ms(histogram_percentile_ns(histogram, 50)), ms(histogram_percentile_ns(histogram, 99)),
         ms(histogram_percentile_ns(histogram, 99.9)), ms(histogram->max_ns), mean_ms);
}

static void put_count(const char *name, uint64_t count) { printf("\"%s\":%llu,", name, (unsigned long long)count); }

void report(const struct finding *finding, const struct tally *tally) {
  printf("{\"streams\":%zu,\"seconds\":%.3f,", finding->streams, finding->seconds);
  put_count("sent", tally->sent);
  put_count("returned", tally->returned);
  put_count("lost", tally->sent - tally->returned - tally->abandoned);
  put_count("late", tally->late);
  put_count("wrong", tally->wrong);
  put_count("foreign", tally->foreign);
  put_count("repeated", tally->repeated);
  put_count("overtaken", tally->overtaken);
  put_count("blocked", tally->blocked);
  put_count("marks", tally->marks);
  put_count("marksUnkept", tally->marks_unkept);
  put_count("clears", tally->clears);
  put_count("unknown", tally->unknown);
  put_count("reset", tally->reset);
  put_count("closed", tally->closed);
  put_count("broken", tally->broken);
  put_durations("roundTripMs", &tally->round_trip);
  put_durations("latenessMs", &tally->lateness);
  printf("\"cpu\":{\"userS\":%.3f,\"systemS\":%.3f},", finding->user_seconds, finding->system_seconds);
  printf("\"arrivals\":\"%s\",", tally->unstamped == 0 ? "kernel" : tally->stamped == 0 ? "read" : "mixed");
  printf("\"wallStepMs\":%.3f}\n", ms(finding->wall_step_ns));
}
