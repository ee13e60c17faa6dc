// The load generator: N media streams as Twilio makes them, one thread, every frame on time and every echo recognised.
//
// Frame k of the whole run belongs to stream k mod N and is due at origin + k * 20 ms / N, so streams are spread evenly
// over each frame. Between frames the thread sleeps on the clock, never in epoll, and reads what has come when it
// wakes: the server's send then wakes nobody, as it would not with a network between them. When something came is the
// kernel's time stamp, so reading late costs no accuracy.
//
// Says on standard error when the streams are up and when measuring begins and ends; the result is on standard output.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "report.h"
#include "stream.h"

// Sleeping ends no more often than this.
#define NAP_NS (200 * NS_PER_US)
// Echoes of the last measured frames have so long to arrive; frames go on being sent meanwhile.
#define ECHO_NS (500 * NS_PER_MS)
// Between the last upgrade and the first frame.
#define LEAD_IN_NS (50 * NS_PER_MS)
#define FRAME_NS (FRAME_MS * NS_PER_MS)
#define EVENTS_MAX 512
// Frames that are sent before what has come back is looked at again.
#define TURNS_AT_ONCE 64

struct run {
  struct options options;
  size_t count;
  struct stream *streams;
  struct tally tally;
  int poll;
};

static int say_failure(const char *what) {
  fprintf(stderr, "generator: %s\n", what);
  return EXIT_FAILURE;
}

static bool open_streams(struct run *run, const struct target *targets) {
  for (size_t i = 0; i < run->count; i++) {
    struct stream *const stream = &run->streams[i];
    const char *const problem = stream_open(stream, &targets[i], i, run->options.marks);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = stream};
    if (problem == NULL && epoll_ctl(run->poll, EPOLL_CTL_ADD, stream->fd, &event) == 0) continue;
    fprintf(stderr, "generator: stream %zu: %s\n", i + 1, problem != NULL ? problem : "it can't be polled");
    return false;
  }
  fprintf(stderr, "up %zu\n", run->count);
  return true;
}

static void read_all(struct run *run) {
  struct epoll_event events[EVENTS_MAX];
  int ready;
  do {
    ready = epoll_wait(run->poll, events, EVENTS_MAX, 0);
    for (int i = 0; i < ready; i++) stream_read(events[i].data.ptr, &run->tally);
  } while (ready == EVENTS_MAX);
}

// Streams begin to speak one after the other, over the first half of the warm-up: a server that has just started meets
// its first frames in interpreted code, and no telephone rings a thousand times at once.
static uint64_t first_turn_of(const struct run *run, uint64_t stream) {
  const double turns = run->options.warm_up_seconds / 2 * NS_PER_S / FRAME_NS;
  return (uint64_t)(turns * (double)stream / (double)run->count);
}

// A stream's turn: its frame, unless it belongs to a burst, whose last frame takes those held back along.
static void take_turn(struct run *run, uint64_t turn, uint64_t due_ns) {
  struct stream *const stream = &run->streams[turn % run->count];
  const uint64_t first = first_turn_of(run, turn % run->count);
  if (turn / run->count < first) return;
  const uint64_t number = turn / run->count - first;
  const unsigned every = run->options.burst_every, held = run->options.burst_frames;
  if (every > 0) {
    const uint64_t phase = (number + turn % run->count) % every; // not all streams at the same time
    if (phase >= every - held && phase < every - 1) return;
    for (unsigned i = 1; i < held && stream->sent < number; i++) stream_send(stream, &run->tally, 0);
  }
  stream_send(stream, &run->tally, due_ns);
}

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

// Sends and reads until a time; `turn` goes on from one stretch to the next. One that is behind reads all the same.
static void conduct(struct run *run, uint64_t origin_ns, uint64_t *turn, uint64_t until_ns) {
  for (uint64_t now_ns; (now_ns = monotonic_ns()) < until_ns;) {
    uint64_t due_ns;
    unsigned taken = 0;
    while ((due_ns = origin_ns + *turn * FRAME_NS / run->count) <= now_ns && taken++ < TURNS_AT_ONCE) {
      take_turn(run, (*turn)++, due_ns);
      now_ns = monotonic_ns();
    }
    read_all(run);
    now_ns = monotonic_ns();
    if (due_ns > now_ns) sleep_until_ns(due_ns > now_ns + NAP_NS ? due_ns : now_ns + NAP_NS);
  }
}

// Cuts the streams that are to be cut by now, the last ones first.
static void cut_streams(struct run *run, uint64_t measured_ns, size_t *cut) {
  const double wanted = run->options.resets_per_second * (double)measured_ns / NS_PER_S;
  for (; *cut < run->count && (double)*cut < wanted; ++*cut)
    stream_reset(&run->streams[run->count - 1 - *cut], &run->tally);
}

static struct finding measure(struct run *run) {
  const uint64_t warm_up_ns = (uint64_t)(run->options.warm_up_seconds * NS_PER_S);
  const uint64_t measured_ns = (uint64_t)(run->options.seconds * NS_PER_S);
  const uint64_t origin_ns = monotonic_ns() + LEAD_IN_NS, from_ns = origin_ns + warm_up_ns;
  const uint64_t wall_ahead_ns = wall_ns() - monotonic_ns();
  uint64_t turn = 0;
  size_t cut = 0;
  struct rusage before, after;

  conduct(run, origin_ns, &turn, from_ns);
  fputs("measuring\n", stderr);
  getrusage(RUSAGE_SELF, &before);
  const uint64_t began_ns = monotonic_ns();
  run->tally.from_ns = wall_ns();
  run->tally.to_ns = run->tally.from_ns + measured_ns;
  if (run->options.resets_per_second == 0)
    conduct(run, origin_ns, &turn, began_ns + measured_ns);
  else
    for (uint64_t at_ns = 0; at_ns < measured_ns; at_ns += FRAME_NS) {
      conduct(run, origin_ns, &turn, began_ns + at_ns + FRAME_NS);
      cut_streams(run, at_ns, &cut);
    }
  const uint64_t ended_ns = monotonic_ns();
  getrusage(RUSAGE_SELF, &after);
  fputs("measured\n", stderr);
  conduct(run, origin_ns, &turn, ended_ns + ECHO_NS);

  const int64_t step_ns = (int64_t)(wall_ns() - monotonic_ns() - wall_ahead_ns);
  return (struct finding){
      .streams = run->count,
      .seconds = (double)(ended_ns - began_ns) / NS_PER_S,
      .user_seconds = seconds_of(after.ru_utime) - seconds_of(before.ru_utime),
      .system_seconds = seconds_of(after.ru_stime) - seconds_of(before.ru_stime),
      .wall_step_ns = (uint64_t)(step_ns < 0 ? -step_ns : step_ns),
  };
}

int main(int count, char **arguments) {
  struct run run = {.options = read_options(count, arguments)};
  const struct target *const targets = read_targets(&run.options, &run.count);
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  prctl(PR_SET_TIMERSLACK, 1); // or the kernel adds 50 microseconds to every nap
  codes_prepare();
  run.streams = calloc(run.count, sizeof *run.streams);
  run.poll = epoll_create1(EPOLL_CLOEXEC);
  if (run.streams == NULL || run.poll < 0) return say_failure("there is no memory for the streams");
  if (!open_streams(&run, targets)) return EXIT_FAILURE;
  const struct finding finding = measure(&run);
  for (size_t i = 0; i < run.count; i++) stream_stop(&run.streams[i]);
  report(&finding, &run.tally);
  return EXIT_SUCCESS;
}
