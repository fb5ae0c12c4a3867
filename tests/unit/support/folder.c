#include "tests/unit/support/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/file.h"

static char top[80];

int folder_open(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/%.60s.XXXXXX", program_invocation_short_name);
	return mkdtemp(top) ? 0 : -1;
}

int folder_close(void **state)
{
	(void)state;
	return rmdir(top);
}

int folder_clear(void **state)
{
	struct dirent *e;
	DIR *d = opendir(top);

	(void)state;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			folder_remove(e->d_name);
	if (d)
		closedir(d);
	return 0;
}

const char *folder_path(const char *name)
{
	static char paths[8][200];
	static int next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof *paths, "%s/%s", top, name);
	return p;
}

void folder_put_bytes(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(folder_path(name), "w");

	assert_non_null(f);
	assert_true(fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

void folder_put(const char *name, const char *text)
{
	folder_put_bytes(name, text, strlen(text));
}

char *folder_get(const char *name, size_t *n)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	if (file_read(folder_path(name), 1 << 24, &b, &err))
		fail_msg("%s", err.text);
	if (n)
		*n = b.len;
	return b.data;
}

void folder_remove(const char *name)
{
	char path[500];
	struct dirent *e;
	DIR *d;

	if (unlink(folder_path(name)) == 0 || !(d = opendir(folder_path(name))))
		return;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
			snprintf(path, sizeof path, "%.100s/%.100s", name, e->d_name);
			folder_remove(path);
		}
	closedir(d);
	assert_int_equal(rmdir(folder_path(name)), 0);
}

const char *folder_list(const char *name)
{
	static char text[2000];
	struct dirent **entries;
	int n = scandir(folder_path(name), &entries, NULL, alphasort);

	text[0] = '\0';
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, ".."))
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
				*text ? " " : "", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return text;
}
