#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int open_input(const char *path, int flags, struct err *err)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | flags)
				   : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? err_sys(err, "%s", strcmp(path, "-") ? path : "stdin") : fd;
}

int file_open(const char *path, struct err *err)
{
	return open_input(path, 0, err);
}

int file_open_poll(const char *path, struct err *err)
{
	return open_input(path, O_NONBLOCK, err);
}

int fd_read(int fd, void *p, size_t n, size_t *got, struct err *err)
{
	ssize_t r;

	for (*got = 0; *got < n; *got += (size_t)r) {
		r = read(fd, (char *)p + *got, n - *got);
		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			r = 0;
		else if (r < 0)
			return err_sys(err, "cannot read");
	}
	return 0;
}

int fd_write(int fd, const void *p, size_t n, struct err *err)
{
	ssize_t r;

	for (size_t done = 0; done < n; done += (size_t)r) {
		r = write(fd, (const char *)p + done, n - done);
		if (r < 0 && errno == EINTR)
			r = 0;
		else if (r < 0)
			return err_sys(err, "cannot write");
	}
	return 0;
}

int file_read(const char *path, size_t limit, struct buf *out, struct err *err)
{
	size_t got = 1, start = out->len, room;
	int fd = file_open(path, err), rc = fd < 0 ? -1 : 0;
	char *p;

	while (rc == 0 && got) {
		room = out->len - start < 65536 ? 65536 : out->len - start;
		p = buf_extend(out, room);
		rc = p ? fd_read(fd, p, room, &got, err) : buf_check(out, err);
		if (rc == 0)
			out->len -= room - got;
		if (rc == 0 && out->len - start > limit)
			rc = err_set(err, ERR_LIMIT, "more than %zu bytes", limit);
		if (rc)
			err_at(err, "%s", path);
	}
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		out->data[out->len] = '\0';
	return rc;
}

int mapping_open(struct mapping *m, const char *path, struct err *err)
{
	struct stat st;
	void *p = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*m = (struct mapping){NULL, 0};
	if (fd < 0)
		return err_sys(err, "%s", path);
	if (fstat(fd, &st)) {
		err_sys(err, "%s", path);
		close(fd);
		return -1;
	}
	if (st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return err_sys(err, "%s: cannot map %lld bytes", path, (long long)st.st_size);
	*m = (struct mapping){p, (size_t)st.st_size};
	return 0;
}

void mapping_close(struct mapping *m)
{
	if (m->data)
		munmap((void *)(uintptr_t)m->data, m->size);
	*m = (struct mapping){NULL, 0};
}

char *path_parent(const char *path, struct err *err)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	return mem_copy(n ? path : ".", n ? n : 1, err);
}

/*
 * A file without a name in path's folder, which vanishes with the process; -1 where the file system has
 * no such thing, or no way to give it a name later.
 */
static int open_unnamed(const char *path, struct err *err)
{
	char *folder = path_parent(path, err), link[40];
	int fd = folder ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;

	free(folder);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (fd >= 0 && access(link, F_OK)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Names the file, or creates it where there is none yet, beside its path. */
static int name_temporary(struct outfile *f, struct err *err)
{
	size_t room = strlen(f->path) + 48;
	char *name = mem_new(room, 1, err), link[40];
	int rc = -1;

	if (!name)
		return -1;
	snprintf(link, sizeof link, "/proc/self/fd/%d", f->fd);
	for (int i = 0; rc && i < 1000; i++) {
		snprintf(name, room, "%s.tmp.%ld.%d", f->path, (long)getpid(), i);
		if (f->fd >= 0)
			rc = linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
		else
			rc = (f->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) <
			     0;
		if (rc && errno != EEXIST)
			break;
	}
	if (rc) {
		err_sys(err, "%s: cannot create a file beside it", f->path);
		free(name);
		return -1;
	}
	f->temporary = name;
	return 0;
}

int outfile_open(struct outfile *f, const char *path, struct err *err)
{
	struct stat st;
	bool there = strcmp(path, "-") && stat(path, &st) == 0;
	char *real = there && S_ISREG(st.st_mode) ? realpath(path, NULL) : NULL;

	*f = (struct outfile){.fd = -1, .path = real ? real : mem_copy(path, strlen(path), err)};
	if (!f->path)
		return -1;
	if (!strcmp(path, "-")) {
		f->fd = STDOUT_FILENO;
		return 0;
	}
	if (there && !S_ISREG(st.st_mode)) {
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
		if (f->fd < 0)
			err_sys(err, "%s", path);
	} else {
		f->named_last = (f->fd = open_unnamed(f->path, err)) >= 0;
		if (f->fd < 0)
			name_temporary(f, err);
	}
	if (f->fd < 0)
		outfile_close(f);
	return f->fd < 0 ? -1 : 0;
}

/* Some file systems cannot sync a folder and say EINVAL. */
static int sync_folder(const char *folder, struct err *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		rc = err_sys(err, "%s: cannot sync the folder", folder);
	if (fd >= 0)
		close(fd);
	return rc;
}

int file_write(const char *path, const void *p, size_t n, struct err *err)
{
	struct outfile f;
	int rc;

	if (outfile_open(&f, path, err))
		return -1;
	rc = fd_write(f.fd, p, n, err) || outfile_commit(&f, err) ? -1 : 0;
	outfile_close(&f);
	return rc;
}

int file_sync_folder(const char *path, struct err *err)
{
	char *folder = path_parent(path, err);
	int rc = folder ? sync_folder(folder, err) : -1;

	free(folder);
	return rc;
}

/* After the rename nothing must fail that could have failed before. */
static int commit(struct outfile *f, const char *folder, struct err *err)
{
	if (fsync(f->fd))
		return err_sys(err, "%s", f->path);
	if (!f->temporary && name_temporary(f, err))
		return -1;
	if (rename(f->temporary, f->path))
		return err_sys(err, "%s", f->path);
	free(f->temporary);
	f->temporary = NULL;
	f->named_last = false;
	return sync_folder(folder, err);
}

int outfile_commit(struct outfile *f, struct err *err)
{
	char *folder;
	int rc;

	if (!f->temporary && !f->named_last)
		return 0;
	folder = path_parent(f->path, err);
	rc = folder ? commit(f, folder, err) : -1;
	free(folder);
	return rc;
}

void outfile_close(struct outfile *f)
{
	if (f->temporary)
		unlink(f->temporary);
	if (f->fd > STDERR_FILENO)
		close(f->fd);
	free(f->temporary);
	free(f->path);
	*f = (struct outfile){.fd = -1};
}

char *path_join(const char *folder, const char *name, struct err *err)
{
	size_t a = strlen(folder), b = strlen(name);
	char *p = mem_new(a + b + 2, 1, err);

	if (p)
		snprintf(
			p, a + b + 2, "%s%s%s", folder, a && folder[a - 1] != '/' ? "/" : "", name);
	return p;
}
