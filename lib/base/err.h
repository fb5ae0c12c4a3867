/*
 * Errors are handed back, not printed: a library function returns 0 or -1 (an iterator 1, 0 or -1;
 * a constructor NULL) and takes a struct err last. The message is built where the facts are: lower
 * case, the subject in quotes, with numbers. Whoever knows more of the place puts it in front with
 * err_at(). Only cmd/ prints it, once.
 *
 *	if (size > file_size)
 *		return err_set(err, ERR_CORRUPT, "tensor '%s': data ends at byte %zu, file has %zu",
 *		               name, size, file_size);
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* What went wrong, and what a program exits with. */
enum err_code {
	ERR_FAILED = 1,   /* anything without a code of its own: system calls, bad values in data */
	ERR_USAGE = 2,    /* options and arguments */
	ERR_CORRUPT = 3,  /* damaged, truncated or malformed input */
	ERR_MISMATCH = 4, /* digests, schemas or settings that do not belong together */
	ERR_LIMIT = 5,    /* a limit refused it: memory, lengths, sizes */
	ERR_STOPPED = 75, /* stopped on purpose, with a checkpoint */
};

struct err {
	int code; /* an err_code, 0 while nothing failed */
	char text[1024];
};

#define ERR_INIT {.code = 0}

/* Sets code and text. Returns -1. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_FAILED and ": " and errno's text at the end. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts a place and ": " in front of what err already says; the code stays. Returns -1. */
int err_at(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
