/*
 * The only door of the two libraries that know deflate: what is whole in memory goes by libdeflate, which is twice as
 * fast, and may run in any thread; files of any length, gzipped or plain, are read by zlib.
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
