/* tstream diff: two streams, record by record. */
#ifndef CMD_TSDIFF_H
#define CMD_TSDIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "io/tsreader.h"

struct cmd_tsdiff {
	double tolerance; /* of log-probs, relative */
	int64_t limit;	  /* records that are named */
	struct tsreader_options options;
};

/* Prints what differs to stdout; *differ says whether anything does. 0 or -1. */
int cmd_tsdiff(const struct cmd_tsdiff *how, char *const paths[2], bool *differ, struct err *err);

#endif
