// Arguments and the list of streams.
#include "options.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define USAGE_STATUS 2
#define SECONDS_MAX 3600
#define STREAMS_MAX 10000
#define LINE_MAX 2048
#define NICENESS_LEAST (-20)
#define NICENESS_MOST 19

static const char HELP[] =
    "Opens streams as Twilio does, one per line of standard input, and measures what comes back.\n\n"
    "generator [options]\n"
    "  --seconds <s>       measured time (5)\n"
    "  --warm-up <s>       time before it that counts for nothing (2)\n"
    "  --streams <file>    the list of streams, instead of standard input\n"
    "  --marks <when>      echoed once played, or at-once (played)\n"
    "  --burst <n>/<m>     of every m frames, n are held back and sent together\n"
    "  --resets <number>   streams a second that are cut abruptly (0)\n"
    "  --niceness <n>      as nice(1) has it, from -20 to 19 (as it was started)\n\n"
    "A line: ws://127.0.0.1:port/path [callSid accountSid [signature]], between spaces.\n";

__attribute__((format(printf, 1, 2), noreturn)) static void usage(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("generator: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(USAGE_STATUS);
}

static double number(const char *name, const char *text, double least, double most) {
  char *end;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= least && value <= most))
    usage("--%s must be a number from %g to %g, not %s", name, least, most, text);
  return value;
}

static void set_niceness(const char *text) {
  const double value = number("niceness", text, NICENESS_LEAST, NICENESS_MOST);
  if (setpriority(PRIO_PROCESS, 0, (int)value) != 0) usage("a niceness of %d is for root to set", (int)value);
}

struct options read_options(int count, char **arguments) {
  struct options options = {.seconds = 5, .warm_up_seconds = 2, .marks = MARKS_PLAYED};
  static const struct option known[] = {
      {"seconds", required_argument, NULL, 's'}, {"warm-up", required_argument, NULL, 'w'},
      {"streams", required_argument, NULL, 'f'}, {"marks", required_argument, NULL, 'm'},
      {"burst", required_argument, NULL, 'b'},   {"resets", required_argument, NULL, 'r'},
      {"niceness", required_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0}};
  int found;
  while ((found = getopt_long(count, arguments, "", known, NULL)) != -1) {
    switch (found) {
      case 's':
        options.seconds = number("seconds", optarg, 0, SECONDS_MAX);
        break;
      case 'w':
        options.warm_up_seconds = number("warm-up", optarg, 0, SECONDS_MAX);
        break;
      case 'f':
        options.streams_path = optarg;
        break;
      case 'm':
        if (strcmp(optarg, "played") != 0 && strcmp(optarg, "at-once") != 0)
          usage("--marks must be played or at-once, not %s", optarg);
        options.marks = strcmp(optarg, "played") == 0 ? MARKS_PLAYED : MARKS_AT_ONCE;
        break;
      case 'b':
        if (sscanf(optarg, "%u/%u", &options.burst_frames, &options.burst_every) != 2 || options.burst_frames < 2 ||
            options.burst_frames > options.burst_every)
          usage("--burst must be two numbers such as 10/250, the first from 2 to the second, not %s", optarg);
        break;
      case 'r':
        options.resets_per_second = number("resets", optarg, 0, 1000);
        break;
      case 'n':
        set_niceness(optarg);
        break;
      case 'h':
        fputs(HELP, stdout);
        exit(EXIT_SUCCESS);
      default:
        exit(USAGE_STATUS); // getopt has said what is wrong
    }
  }
  if (optind < count) usage("%s is not an option", arguments[optind]);
  return options;
}

static void read_target(const char *line, struct target *target, size_t number) {
  char host[INET_ADDRSTRLEN], url_path[PATH_MAX_CHARACTERS] = "/";
  unsigned port = 0;
  char url[LINE_MAX];
  const int words = sscanf(line, "%2047s %34s %34s %127s", url, target->call_sid, target->account_sid, target->signature);
  if (words < 1 || sscanf(url, "ws://%15[0-9.]:%u%511s", host, &port, url_path) < 2 || port < 1 || port > 65535)
    usage("line %zu is no stream such as ws://127.0.0.1:8080/media/token", number);
  target->address.sin_family = AF_INET;
  target->address.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, host, &target->address.sin_addr) != 1 || strncmp(host, "127.", 4) != 0)
    usage("line %zu: load is put on this machine only, on 127.0.0.0/8, not on %s", number, host);
  strcpy(target->path, url_path);
  if (words < 3) {
    // A peer takes any call.
    snprintf(target->call_sid, sizeof target->call_sid, "CA%032zx", number);
    snprintf(target->account_sid, sizeof target->account_sid, "AC%032x", 0);
  }
}

struct target *read_targets(const struct options *options, size_t *count) {
  FILE *const file = options->streams_path == NULL ? stdin : fopen(options->streams_path, "r");
  if (file == NULL) usage("%s can't be read", options->streams_path);
  struct target *const targets = calloc(STREAMS_MAX, sizeof *targets);
  if (targets == NULL) usage("there is no memory for the streams");
  char line[LINE_MAX];
  *count = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (line[strspn(line, " \r\n")] == '\0') continue;
    if (*count == STREAMS_MAX) usage("there are more than %d streams", STREAMS_MAX);
    read_target(line, &targets[*count], *count + 1);
    ++*count;
  }
  if (file != stdin) fclose(file);
  if (*count == 0) usage("no streams were given");
  return targets;
}
