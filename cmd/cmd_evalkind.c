#include "cmd/cmd_evalkind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/file.h"
#include "io/json.h"
#include "io/lines.h"

#define ENOUGH 14   /* bytes of a member's head that are its own: gzip's and the subfield's name */
#define UNSEEN 1    /* as if of a device's bytes one had been seen that tells nothing */
#define PATIENCE 10 /* milliseconds between looks at a pipe that holds fewer */

/* What a pipe holds, copied by the kernel; it stays there. Bytes, at most ENOUGH, 0 at the end; -1. */
static ssize_t look_into_pipe(int fd, uint8_t *p)
{
	int copy[2];
	ssize_t n;

	if (pipe2(copy, O_CLOEXEC))
		return -1;
	do
		n = tee(fd, copy[1], ENOUGH, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		n = read(copy[0], p, (size_t)n);
	close(copy[0]);
	close(copy[1]);
	return n;
}

/* Has the writer gone? Then what the pipe holds is all. */
static bool ended(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static ssize_t wait_for_pipe(int fd, uint8_t *p)
{
	const struct timespec patience = {.tv_nsec = PATIENCE * 1000000L};
	bool last = false;
	ssize_t n;

	for (;;) {
		n = look_into_pipe(fd, p);
		/* Only what may still become a stream is worth waiting for. */
		if (n <= 0 || n >= ENOUGH || last || p[0] != 0x1f)
			return n;
		last = ended(fd);
		nanosleep(&patience, NULL);
	}
}

static ssize_t peek(int fd, uint8_t *p, bool *pipe)
{
	struct stat s;

	if (fstat(fd, &s))
		return -1;
	*pipe = S_ISFIFO(s.st_mode);
	if (*pipe)
		return wait_for_pipe(fd, p);
	if (S_ISSOCK(s.st_mode))
		return recv(fd, p, ENOUGH, MSG_PEEK);
	return S_ISREG(s.st_mode) ? pread(fd, p, ENOUGH, lseek(fd, 0, SEEK_CUR)) : UNSEEN;
}

/* By the first record; whatever is wrong with it is for the reader to say. */
static bool is_log(const char *path)
{
	struct err ignored = ERR_INIT;
	struct lines *in = lines_open(path, LINES_MAX_RECORD, NULL, &ignored);
	struct lines_record r;
	struct json *row = NULL;
	double step;
	bool log;

	if (in && lines_next(in, &r, &ignored) == 1)
		row = json_parse(r.text, r.len, &ignored);
	log = json_number(json_get(row, "step"), &step) && !json_get(row, "preference") &&
	      !json_get(row, "winner");
	json_free(row);
	lines_close(in);
	return log;
}

int eval_kind(const char *path, struct err *err)
{
	static const uint8_t gzip[4] = {0x1f, 0x8b, 0x08, 0x04};
	const char *name = strcmp(path, "-") ? path : "stdin";
	bool pipe = false;
	uint8_t p[ENOUGH] = {0};
	int fd = file_open(path, err);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = peek(fd, p, &pipe);
	if (n < 0)
		err_sys(err, "%s", name);
	if (n == 0)
		n = err_set(err, ERR_CORRUPT,
			"%s: empty: expected a tensor stream, JSON or a table", name);
	/* A pipe without a reader would be broken: it stays open for whoever reads it next. */
	if (!pipe)
		close(fd);
	if (n < 0)
		return -1;
	if (n == ENOUGH && !memcmp(p, gzip, sizeof gzip) && p[12] == 'T' && p[13] == 'S')
		return EVAL_STREAM;
	return !pipe && strcmp(path, "-") && is_log(path) ? EVAL_LOG : EVAL_RECORDS;
}
