/*
 * Files and descriptors: whole reads and writes in spite of signals and short counts, mappings, and
 * output that has its name only when it is complete. "-" stands for standard input or output.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Opens for reading; "-" is standard input, which is duplicated. The descriptor, or -1. */
int file_open(const char *path, struct err *err);

/* The same for use with poll(2): does not wait for a FIFO's writer. Reads may give EAGAIN. */
int file_open_poll(const char *path, struct err *err);

/* Up to n bytes into p; *got fewer only at end of file. 0 or -1. */
int fd_read(int fd, void *p, size_t n, size_t *got, struct err *err);

/* All n bytes. 0 or -1. */
int fd_write(int fd, const void *p, size_t n, struct err *err);

/* Appends the whole file to out; ERR_LIMIT beyond limit bytes. Errors name the path. */
int file_read(const char *path, size_t limit, struct buf *out, struct err *err);

/* A file in memory, read only; size 0 is fine (data is then NULL). Errors name the path. */
struct mapping {
	const uint8_t *data;
	size_t size;
};

int mapping_open(struct mapping *m, const char *path, struct err *err);
void mapping_close(struct mapping *m);

/*
 * Output to a path: a temporary file beside it gets the name, after fsync, at outfile_commit(), and
 * the folder is synced. Without that, outfile_close() removes it, so that the path is old or new, never
 * half. Where the file system can, the file has no name until then, so that killing the process leaves
 * nothing either. A symbolic link to a file is followed. "-" is standard output; devices, pipes and the
 * like are opened as they are: nothing to rename.
 */
struct outfile {
	int fd;
	char *path, *temporary; /* temporary: the name to be renamed, where it has one */
	bool named_last;	/* it gets one at outfile_commit() */
};

int outfile_open(struct outfile *f, const char *path, struct err *err);
int outfile_commit(struct outfile *f, struct err *err);
void outfile_close(struct outfile *f); /* always, committed or not; twice is fine */

/* All of that: n bytes become the file at path. */
int file_write(const char *path, const void *p, size_t n, struct err *err);

/* fsync of the folder that holds path, so that a rename there lasts. */
int file_sync_folder(const char *path, struct err *err);

/* The folder that holds path: "a" of "a/b" and "a/b/", "." of "b", "/" of "/b". For free(); NULL with err set. */
char *path_parent(const char *path, struct err *err);

/* "a/b": for free(); NULL with err set. */
char *path_join(const char *folder, const char *name, struct err *err);

#endif
