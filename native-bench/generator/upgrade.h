// The HTTP upgrade of one stream's socket.
#pragma once
#include "options.h"

// Connects, asks and checks the answer, waiting for each. Returns the socket, or -1 with what went wrong in `problem`.
int upgrade(const struct target *target, const char **problem);
