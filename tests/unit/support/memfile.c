#include "tests/unit/support/memfile.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/tscheck.h"

static const struct tsreader_options alone = {.threads = 0};
static int fd;

char memfile_path[40];

int memfile_open(void **state)
{
	(void)state;
	fd = memfd_create("stream", MFD_CLOEXEC);
	snprintf(memfile_path, sizeof memfile_path, "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : 0;
}

int memfile_close(void **state)
{
	(void)state;
	return close(fd);
}

void memfile_set(const void *bytes, size_t n)
{
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	assert_int_equal(pwrite(fd, bytes, n, 0), (ssize_t)n);
}

int memfile_check_full(const void *bytes, size_t n)
{
	struct tscheck c;
	struct err err = ERR_INIT;

	memfile_set(bytes, n);
	return tscheck_full(&c, memfile_path, &alone, &err) ? err.code : 0;
}

int memfile_check_quick(const void *bytes, size_t n)
{
	struct tscheck c;
	struct err err = ERR_INIT;

	memfile_set(bytes, n);
	return tscheck_quick(&c, memfile_path, &alone, &err) ? err.code : 0;
}

void memfile_assert_refused(const struct buf *b, int code)
{
	assert_int_equal(memfile_check_full(b->data, b->len), code);
	assert_int_equal(memfile_check_quick(b->data, b->len), code);
}

void memfile_assert_accepted(const struct buf *b)
{
	assert_int_equal(memfile_check_full(b->data, b->len), 0);
	assert_int_equal(memfile_check_quick(b->data, b->len), 0);
}
