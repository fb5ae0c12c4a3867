/* Is a tensor stream whole? By its headers and counts, or by every byte. */
#ifndef IO_TSCHECK_H
#define IO_TSCHECK_H

#include <stdint.h>

#include "base/err.h"
#include "io/tsreader.h"

struct tscheck {
	struct tstotals totals; /* of tscheck_quick(): what the ENDs say */
	uint64_t segments, bytes;
};

/* Hops over all member headers: finds what is cut off, lost, doubled or moved, not what is damaged inside. */
int tscheck_quick(struct tscheck *c, const char *path, const struct tsreader_options *options,
	struct err *err);

/* Inflates everything: all checksums, and of preference records all that pref_block_open() looks at. */
int tscheck_full(struct tscheck *c, const char *path, const struct tsreader_options *options,
	struct err *err);

#endif
