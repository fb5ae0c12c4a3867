/*
 * Verdicts on disk, so that nothing is judged twice: JSON Lines, {"key":DIGEST,"a":SHARE}, of which each is
 * appended and on its way to the disk before anything else is done with it. Several programs may append to
 * one file. A line that a crash has cut short is passed over.
 */
#ifndef CMD_JUDGECACHE_H
#define CMD_JUDGECACHE_H

#include <stdbool.h>

#include "eval/names.h"

struct judgecache {
	struct names keys;
	double *share; /* by key: the probability that a is better */
	size_t cap;
	int fd;
	const char *path;
};

/* Reads what is there; makes the file where there is none. Close in any case. */
int judgecache_open(struct judgecache *c, const char *path, struct err *err);
void judgecache_close(struct judgecache *c);

/* What was judged before, under a digest in hexadecimal. */
bool judgecache_find(const struct judgecache *c, const char *key, double *share);

/* Appends; not for several threads at once. */
int judgecache_add(struct judgecache *c, const char *key, double share, struct err *err);

#endif
