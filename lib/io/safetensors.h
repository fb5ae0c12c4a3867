/*
 * safetensors documents: u64 header length, JSON header, data
 * (https://huggingface.co/docs/safetensors, "Format"). Two kinds of reading:
 *
 * strict, for blocks of a stream: at most 64 tensors of rank <= 4, a header of at most 1 MiB that
 * must be, byte for byte, what safetensors_encode() would write: canonical JSON, tensors by dtype size
 * descending and then by name, no holes, 8 + length a multiple of 64 by as few spaces as will do (as many
 * as one likes where there are no tensors);
 *
 * lenient, for model files from elsewhere: any order and white space, a header of at most 100 MB; but
 * no duplicates, holes or overlaps, and each shape times dtype equal to its byte range.
 */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/dtype.h"
#include "base/err.h"
#include "io/meta.h"

#define SAFETENSORS_MAX_RANK 8
#define SAFETENSORS_STRICT_HEADER ((uint64_t)1 << 20) /* bytes */

struct safetensor {
	char *name;
	enum dtype dtype;
	int rank;
	int64_t shape[SAFETENSORS_MAX_RANK];
	uint64_t begin, end; /* of its data, in bytes from the data's start */
};

struct safetensors {
	struct meta meta;
	struct safetensor *tensors; /* in the header's order */
	size_t n, cap;
	uint64_t data; /* where the data starts, from the document's start */
	uint64_t size; /* of the data, in bytes */
};

#define SAFETENSORS_INIT                                                                           \
	{                                                                                          \
		.meta = META_INIT                                                                  \
	}

enum safetensors_rules { SAFETENSORS_STRICT, SAFETENSORS_LENIENT };

/*
 * Parses the header of a document of size bytes into an initialised s. Errors (ERR_CORRUPT) name the
 * tensor and the byte. The data itself is not looked at. Release s in any case.
 */
int safetensors_parse(struct safetensors *s, const void *doc, size_t size,
	enum safetensors_rules rules, struct err *err);

void safetensors_release(struct safetensors *s);

/* The tensor of that name, or NULL; walks. */
const struct safetensor *safetensors_find(const struct safetensors *s, const char *name);

/* How many elements, by the shape. */
size_t safetensor_count(const struct safetensor *t);

/* Adds a tensor of rank <= SAFETENSORS_MAX_RANK; begin and end are set by safetensors_encode(). */
int safetensors_add(struct safetensors *s, const char *name, enum dtype dtype, int rank,
	const int64_t *shape, struct err *err);

/*
 * Puts the tensors in canonical order, lays their data end to end, and appends length and header to
 * out; the data, s->size bytes, is the caller's to append, each tensor at s->data + begin.
 */
int safetensors_encode(struct safetensors *s, struct buf *out, struct err *err);

#endif
