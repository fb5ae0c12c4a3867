/*
 * zlib's only door: checksums, raw deflate, and reading of plain or gzipped text files. The functions
 * on memory may run in any thread.
 */
#ifndef IO_ZIP_H
#define IO_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

uint32_t zip_crc32(const void *data, size_t n);

/* Appends the raw deflate of n bytes to out, from a fresh state; level 0 stores. */
int zip_deflate(const void *data, size_t n, int level, struct buf *out, struct err *err);

/*
 * The same of data in n parts, one behind the other. Of floats, only runs of one byte are looked for besides the bytes'
 * frequencies: their mantissas are as good as random, so that no more is found, and looking takes three times as long.
 */
struct zip_part {
	size_t size;
	bool floats;
};

int zip_deflate_parts(const void *data, const struct zip_part *parts, size_t n, int level, struct buf *out, struct err *err);

/* The same as a gzip member of its own. */
int zip_member(const void *data, size_t n, int level, struct buf *out, struct err *err);

/* Inflates exactly n bytes to exactly size; anything else is ERR_CORRUPT. */
int zip_inflate(const void *data, size_t n, void *out, size_t size, struct err *err);

/* A file read as bytes, inflated if it is gzip (all members, as zcat does). */
struct zipfile;

struct zipfile *zipfile_open(const char *path, struct err *err); /* "-": standard input */
void zipfile_close(struct zipfile *z);

/* Up to n bytes; *got is less only at the end. A damaged or cut gzip file is ERR_CORRUPT. */
int zipfile_read(struct zipfile *z, void *p, size_t n, size_t *got, struct err *err);

#endif
