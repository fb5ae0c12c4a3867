#include "io/journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/zip.h"

#define MEMBER (256 << 10) /* bytes of text */

static int open_from(struct journal *j, int64_t from, struct err *err)
{
	struct stat st;

	j->fd = open(j->path, O_WRONLY | O_CREAT | O_CLOEXEC | (from ? 0 : O_TRUNC), 0666);
	if (j->fd < 0 || fstat(j->fd, &st))
		return err_sys(err, "%s", j->path);
	if (!S_ISREG(st.st_mode) || !from)
		return 0;
	if (st.st_size < from)
		return err_set(err, ERR_MISMATCH, "%s: %lld bytes, where the run left %lld",
			j->path, (long long)st.st_size, (long long)from);
	if (ftruncate(j->fd, from) || lseek(j->fd, 0, SEEK_END) < 0)
		return err_sys(err, "%s", j->path);
	return 0;
}

int journal_open(struct journal *j, const char *path, int64_t from, struct err *err)
{
	size_t n = path ? strlen(path) : 0;

	*j = (struct journal)JOURNAL_INIT;
	j->path = path;
	if (!path)
		return 0;
	j->gzip = n > 3 && !strcmp(path + n - 3, ".gz");
	if (strcmp(path, "-"))
		return open_from(j, from, err);
	j->path = "stdout";
	j->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	return j->fd < 0 ? err_sys(err, "stdout") : 0;
}

static int write_member(struct journal *j, struct err *err)
{
	struct buf member = BUF_INIT;
	int rc = 0;

	if (!j->text.len)
		return 0;
	rc = zip_member(j->text.data, j->text.len, 6, &member, err) ||
			     fd_write(j->fd, member.data, member.len, err)
		     ? -1
		     : 0;
	buf_release(&member);
	buf_clear(&j->text);
	return rc ? err_at(err, "%s", j->path) : 0;
}

int journal_add(struct journal *j, const char *text, size_t n, struct err *err)
{
	if (j->fd < 0)
		return 0;
	if (!j->gzip)
		return fd_write(j->fd, text, n, err) ? err_at(err, "%s", j->path) : 0;
	buf_add(&j->text, text, n);
	if (buf_check(&j->text, err))
		return -1;
	return j->text.len < MEMBER ? 0 : write_member(j, err);
}

int journal_sync(struct journal *j, int64_t *bytes, struct err *err)
{
	struct stat st;

	*bytes = 0;
	if (j->fd < 0)
		return 0;
	if (write_member(j, err))
		return -1;
	if (fstat(j->fd, &st))
		return err_sys(err, "%s", j->path);
	if (!S_ISREG(st.st_mode))
		return 0;
	*bytes = st.st_size;
	return fsync(j->fd) ? err_sys(err, "%s", j->path) : 0;
}

int journal_close(struct journal *j, struct err *err)
{
	int rc = j->fd < 0 ? 0 : write_member(j, err);

	if (j->fd >= 0 && close(j->fd) && rc == 0)
		rc = err_sys(err, "%s", j->path);
	j->fd = -1;
	buf_release(&j->text);
	return rc;
}
