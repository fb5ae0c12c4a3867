/* Reading tensor streams: pipes, several files, what is not whole, and readers that give up. */
#include "tests/unit/support/folder.h"
#include "tests/unit/support/forge.h"
#include "tests/unit/support/memfile.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/tscheck.h"
#include "io/tsreader.h"

static const struct tsreader_options alone = {.threads = 0};
static char path[200]; /* of a file besides the one in memory */

static int setup(void **state)
{
	if (memfile_open(state) || folder_open(state))
		return -1;
	snprintf(path, sizeof path, "%s", folder_path("a.tsz"));
	return 0;
}

static int teardown(void **state)
{
	memfile_close(state);
	folder_remove("a.tsz");
	return folder_close(state);
}

static void failure_is_for_good(void **state)
{
	struct forge f = forge_whole();
	char *paths[] = {memfile_path};
	struct err err = ERR_INIT;
	struct tsreader *r;
	struct tsblock *b;

	(void)state;
	memfile_set(f.out.data, f.at[4]); /* no END */
	for (int threads = 0; threads <= 3; threads++) {
		struct tsreader_options options = {.threads = threads};

		r = tsreader_open(paths, 1, &options, &err);
		assert_non_null(r);
		for (int i = 0; i < 3; i++)
			assert_int_equal(tsreader_next(r, &b, &err), 1);
		for (int i = 0; i < 3; i++) {
			err.code = 0;
			assert_int_equal(tsreader_next(r, &b, &err), -1);
			assert_int_equal(err.code, ERR_CORRUPT);
			assert_non_null(strstr(err.text, "no END"));
		}
		tsreader_close(r);
	}
	buf_release(&f.out);
}

/* ---- pipes, and readers that give up */

struct dripping {
	int fd;
	const struct buf *bytes;
};

static void *drip(void *arg)
{
	struct dripping *d = arg;

	for (size_t i = 0; i < d->bytes->len; i++)
		if (write(d->fd, d->bytes->data + i, 1) != 1)
			break;
	close(d->fd);
	return NULL;
}

static void pipe_path(char text[40], int fd)
{
	snprintf(text, 40, "/proc/self/fd/%d", fd);
}

static void pipes_are_read_byte_by_byte(void **state)
{
	struct forge f = forge_whole();
	struct tscheck c;
	struct err err = ERR_INIT;
	char name[40];

	(void)state;
	for (int full = 0; full <= 1; full++) {
		struct dripping d = {.bytes = &f.out};
		pthread_t thread;
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		pipe_path(name, fds[0]);
		d.fd = fds[1];
		assert_int_equal(pthread_create(&thread, NULL, drip, &d), 0);
		assert_int_equal((full ? tscheck_full : tscheck_quick)(&c, name, &alone, &err), 0);
		assert_int_equal(c.totals.records, 7);
		assert_int_equal(c.bytes, f.out.len);
		pthread_join(thread, NULL);
		close(fds[0]);
	}
	buf_release(&f.out);
}

/* A writer that neither writes nor closes must not keep the reader from closing. */
static void closing_does_not_wait_for_input(void **state)
{
	struct forge f = forge_whole();
	char name[40], fifo[200];
	char *paths[2] = {name, fifo};
	struct err err = ERR_INIT;
	struct tsreader *r;
	struct tsblock *b;
	int fds[2];

	(void)state;
	alarm(60);
	snprintf(fifo, sizeof fifo, "%s", folder_path("fifo"));
	for (int threads = 0; threads <= 2; threads++) {
		struct tsreader_options options = {.threads = threads};

		for (size_t n = f.at[1]; n < f.out.len; n += 97) {
			assert_int_equal(pipe(fds), 0);
			pipe_path(name, fds[0]);
			assert_int_equal(write(fds[1], f.out.data, n), (ssize_t)n);
			r = tsreader_open(paths, 1, &options, &err);
			assert_non_null(r);
			if (n > f.at[2])
				assert_int_equal(tsreader_next(r, &b, &err), 1);
			tsreader_close(r);
			close(fds[0]);
			close(fds[1]);
		}
		/* Nor a FIFO that nobody opened for writing. */
		assert_int_equal(mkfifo(fifo, 0600), 0);
		memfile_set(f.out.data, f.out.len);
		strcpy(name, memfile_path);
		r = tsreader_open(paths, 2, &options, &err);
		assert_non_null(r);
		assert_int_equal(tsreader_next(r, &b, &err), 1);
		usleep(10000);
		tsreader_close(r);
		unlink(fifo);
	}
	alarm(0);
	buf_release(&f.out);
}

/* Also among others: a file is whole, or there is no END. */
static void each_file_must_be_whole(void **state)
{
	struct forge f = forge_whole();
	char *paths[3] = {memfile_path, path, memfile_path};
	size_t sizes[] = {0, f.at[0] + 64, f.at[1], f.at[4]};
	struct err err = ERR_INIT;

	(void)state;
	memfile_set(f.out.data, f.out.len);
	for (int i = 0; i < 4; i++)
		for (int n = 2; n <= 3; n++) {
			FILE *out = fopen(path, "w");
			struct tsreader *r;
			struct tsblock *b;
			int rc;

			assert_int_equal(fwrite(f.out.data, 1, sizes[i], out), sizes[i]);
			fclose(out);
			r = tsreader_open(paths, n, &alone, &err);
			assert_non_null(r);
			while ((rc = tsreader_next(r, &b, &err)) == 1)
				;
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, ERR_CORRUPT);
			assert_non_null(strstr(err.text, path));
			tsreader_close(r);
		}
	buf_release(&f.out);
}

static void files_are_read_one_after_the_other(void **state)
{
	struct forge f = forge_whole();
	char *paths[3] = {memfile_path, memfile_path, memfile_path},
	     *missing[2] = {memfile_path, path};
	struct err err = ERR_INIT;
	struct tsreader *r;
	struct tsblock *b;
	int rc, blocks = 0;

	(void)state;
	memfile_set(f.out.data, f.out.len);
	r = tsreader_open(paths, 3, &alone, &err);
	assert_non_null(r);
	while ((rc = tsreader_next(r, &b, &err)) == 1)
		blocks++;
	assert_int_equal(rc, 0);
	assert_int_equal(blocks, 9);
	assert_int_equal(tsreader_totals(r)->records, 21);
	tsreader_close(r);

	unlink(path);
	r = tsreader_open(missing, 2, &alone, &err);
	assert_non_null(r);
	while ((rc = tsreader_next(r, &b, &err)) == 1)
		;
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_FAILED);
	tsreader_close(r);
	assert_null(tsreader_open(missing + 1, 1, &alone, &err));
	buf_release(&f.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure_is_for_good),
		cmocka_unit_test(pipes_are_read_byte_by_byte),
		cmocka_unit_test(closing_does_not_wait_for_input),
		cmocka_unit_test(each_file_must_be_whole),
		cmocka_unit_test(files_are_read_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
