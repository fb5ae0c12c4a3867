/*
 * A folder of its own for a group of tests, with whatever files each of them wants. A name here is a path in that
 * folder, "" the folder itself. What cannot be done fails the test.
 */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A group's setup and teardown; the latter fails where a test left something. */
int folder_open(void **state);
int folder_close(void **state);

/* A test's teardown: removes all that is in the folder, also after a test that failed. */
int folder_clear(void **state);

/* From the root, valid until seven more were asked for. */
const char *folder_path(const char *name);

void folder_put(const char *name, const char *text);
void folder_put_bytes(const char *name, const void *bytes, size_t n);

/* The whole file, a zero byte behind it, for free(); its size in *n unless that is NULL. */
char *folder_get(const char *name, size_t *n);

/* A file, or a folder and all that is in it; or what is not there. */
void folder_remove(const char *name);

/* The names that are in a folder, sorted, a space between them; valid until the next call. */
const char *folder_list(const char *name);

#endif
