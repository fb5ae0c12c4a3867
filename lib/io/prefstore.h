/*
 * Preference records by number, from streams on disk: members are found by hopping over headers, blocks
 * are inflated when a record of theirs is asked for, and the last ones used are kept. Memory: 40 bytes a
 * block, and the cache.
 *
 *	struct prefstore *s = prefstore_open(paths, n, spool, max_payload, err);
 *
 *	prefstore_get(s, 17, &rec, err);          valid until the next call; pref_copy() keeps it
 */
#ifndef IO_PREFSTORE_H
#define IO_PREFSTORE_H

#include "io/pref.h"
#include "io/tsgrammar.h"

struct prefstore;

/*
 * Opens n files. What cannot be read twice (a pipe, and standard input, meant by n = 0 or "-") is first
 * copied into a nameless file in the folder of the path spool. The streams must be whole: END of every
 * segment is insisted on. NULL on failure.
 */
struct prefstore *prefstore_open(
	char *const *paths, int n, const char *spool, uint64_t max_payload, struct err *err);

uint64_t prefstore_records(const struct prefstore *s);
const struct meta *prefstore_meta(const struct prefstore *s);
const struct pref_schema *prefstore_schema(const struct prefstore *s);
const char *prefstore_head_sha256(const struct prefstore *s);
const struct tstotals *prefstore_totals(const struct prefstore *s);

/* Record i < prefstore_records(). Errors name file and byte. */
int prefstore_get(struct prefstore *s, uint64_t i, struct pref_rec *rec, struct err *err);

void prefstore_close(struct prefstore *s); /* NULL is fine */

#endif
