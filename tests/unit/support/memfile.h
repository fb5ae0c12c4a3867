/*
 * The bytes of a tensor stream as a file that is on no disk, for checks by the thousand. What cannot be done fails
 * the test.
 */
#ifndef TESTS_MEMFILE_H
#define TESTS_MEMFILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

/* A group's setup and teardown. */
int memfile_open(void **state);
int memfile_close(void **state);

/* Of the one file there is. Not const, for readers that take lists of paths. */
extern char memfile_path[40];

/* Replaces what is in it. */
void memfile_set(const void *bytes, size_t n);

/* The same, then a check (io/tscheck.h) of all, or of the headers. 0 or the error's code. */
int memfile_check_full(const void *bytes, size_t n);
int memfile_check_quick(const void *bytes, size_t n);

/* Fails unless both checks say this code; or 0. */
void memfile_assert_refused(const struct buf *b, int code);
void memfile_assert_accepted(const struct buf *b);

#endif
