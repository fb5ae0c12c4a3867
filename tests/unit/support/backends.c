#include "tests/unit/support/backends.h"

const char *const backends[4] = {"cpu-base", "cpu-v3", "cpu-v4", "cpu"};
