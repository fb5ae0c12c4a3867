/*
 * Provenance: the chain of programs that made a stream, as in SAM's @PG lines, under the metadata key
 * `prov`: a JSON array of {"id":2,"program":"ref-logp","version":"0.1.0","args":[...],"previous":1,
 * "inputs":["<sha256>",...]}. No clock, host, process, folder or thread count, so that the same input
 * and options give the same bytes.
 */
#ifndef IO_PROV_H
#define IO_PROV_H

#include "base/err.h"
#include "io/meta.h"

/*
 * Adds a step to meta's chain. args: nargs strings, those options that shape the output. inputs: digests
 * of what was read, NULL-terminated; empty strings are left out. ERR_CORRUPT if `prov` is no such array.
 */
int prov_add(struct meta *meta, const char *program, const char *version, const char *const *args,
	int nargs, const char *const *inputs, struct err *err);

#endif
