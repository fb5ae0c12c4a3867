/*
 * Updates: tensors that training changed, and what a run remembers, as a tensor stream of schema `update`
 * (tstream(5)). A record is a tensor, or some rows of a large one; the pieces of a tensor follow each other.
 * Names with a '#' are memories of a run, the others a model's.
 *
 *	struct update_tensor t[] = {{"wte.weight", F32, 2, {50257, 768}, weights}, ...};
 *
 *	update_write("step-100.tsz", &meta, t, n, &options, err);
 *
 *	struct update *u = update_open("step-100.tsz", max_payload, err);
 *
 *	use(update_meta(u));
 *	update_read(u, t, n, err);                    fills t[].data
 *	update_close(u);
 */
#ifndef IO_UPDATE_H
#define IO_UPDATE_H

#include "base/dtype.h"
#include "base/err.h"
#include "io/meta.h"
#include "io/tswriter.h"

#define UPDATE_MAX_RANK 4

struct update_tensor {
	const char *name;
	enum dtype type;
	int rank; /* 1 to UPDATE_MAX_RANK */
	int64_t shape[UPDATE_MAX_RANK];
	void *data;
};

/* Writes n tensors to path ("-" is standard output). The file is old or new, never half. 0 or -1. */
int update_write(const char *path, const struct meta *meta, const struct update_tensor *tensors, size_t n,
	const struct tswriter_options *options, struct err *err);

struct update;

/* Opens a stream, which must be of schema `update`: otherwise ERR_MISMATCH. NULL on failure. */
struct update *update_open(const char *path, uint64_t max_payload, struct err *err);

const struct meta *update_meta(const struct update *u);

/* The stream's identity, tstream(5); after update_read(). */
const char *update_sha256(const struct update *u);

/*
 * Fills the data of n tensors from the stream, read to its end; once. ERR_MISMATCH names a tensor that is
 * missing or of another type or shape, or one of a model that is none of them; memories that are none of
 * them are skipped.
 */
int update_read(struct update *u, struct update_tensor *tensors, size_t n, struct err *err);

void update_close(struct update *u); /* NULL is fine */

#endif
