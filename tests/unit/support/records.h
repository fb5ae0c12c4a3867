/*
 * Preference records of many shapes, and a folder (tests/unit/support/folder.h) with a file for them. What cannot be
 * done fails the test.
 */
#ifndef TESTS_RECORDS_H
#define TESTS_RECORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/pref.h"

/* A group's setup and teardown; the latter fails where a test left more than the file. */
int records_open(void **state);
int records_close(void **state);

/* Of the file. Not const, for readers that take lists of paths. */
extern char records_path[200];

/* Every column that there is for tokens. */
extern const struct pref_schema records_schema;

/* Record i, always the same. Its arrays are valid until the next call. */
struct pref_rec records_make(uint32_t i);

/* Writes records 0 to n - 1 to the file, with 2 dropped and 3 truncated in its totals. */
void records_write(uint32_t n, int threads, int level);

#endif
