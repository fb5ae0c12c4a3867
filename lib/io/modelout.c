#include "io/modelout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/file.h"

#define SETTINGS_LIMIT ((size_t)1 << 30)

static const char *const settings[] = {"generation_config.json", "tokenizer.json", "tokenizer_config.json",
	"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
	"chat_template.jinja", "chat_template.json"};

int modelout_check(const char *path, struct err *err)
{
	char *config = path_join(path, "config.json", err), *adapter = path_join(path, "adapter_config.json", err);
	char *parent = path_parent(path, err);
	struct stat st;
	int rc = config && adapter && parent ? 0 : -1;

	if (rc == 0 && stat(path, &st) == 0 &&
		(!S_ISDIR(st.st_mode) || (access(config, F_OK) != 0 && access(adapter, F_OK) != 0)))
		rc = err_set(err, ERR_FAILED, "%s: exists and is not a model folder; it is left alone", path);
	else if (rc == 0 && access(parent, W_OK) != 0)
		rc = err_sys(err, "%s: nothing can be made in '%s'", path, parent);
	free(config);
	free(adapter);
	free(parent);
	return rc;
}

int modelout_open(struct modelout *m, const char *path, struct err *err)
{
	static const char suffix[] = ".tmp.XXXXXX";
	size_t n = strlen(path);

	*m = (struct modelout){NULL, NULL};
	if (modelout_check(path, err))
		return -1;
	m->path = realpath(path, NULL); /* a link stays, what it names is replaced */
	if (!m->path) {
		while (n > 1 && path[n - 1] == '/')
			n--;
		m->path = mem_copy(path, n, err);
	}
	n = m->path ? strlen(m->path) : 0;
	m->temporary = m->path ? mem_new(n + sizeof suffix, 1, err) : NULL;
	if (!m->temporary)
		return -1;
	memcpy(m->temporary, m->path, n);
	strcpy(m->temporary + n, suffix);
	if (!mkdtemp(m->temporary)) {
		err_sys(err, "%s: cannot make a folder beside it", path);
		free(m->temporary);
		m->temporary = NULL;
		return -1;
	}
	chmod(m->temporary, 0755);
	return 0;
}

int modelout_text(struct modelout *m, const char *name, const char *text, size_t n, struct err *err)
{
	char *to = path_join(m->temporary, name, err);
	struct outfile f;
	int rc = !to || outfile_open(&f, to, err) ? -1 : 0;

	if (rc == 0) {
		rc = fd_write(f.fd, text, n, err) ? err_at(err, "%s", to) : outfile_commit(&f, err);
		outfile_close(&f);
	}
	free(to);
	return rc;
}

int modelout_copy(struct modelout *m, const char *from, const char *name, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc = file_read(from, SETTINGS_LIMIT, &text, err) || modelout_text(m, name, text.data, text.len, err) ? -1 : 0;

	buf_release(&text);
	return rc;
}

int modelout_copy_settings(struct modelout *m, const char *folder, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof settings / sizeof *settings; i++) {
		char *from = path_join(folder, settings[i], err);

		rc = !from || (access(from, F_OK) == 0 && modelout_copy(m, from, settings[i], err)) ? -1 : 0;
		free(from);
	}
	return rc;
}

int modelout_tensors(struct modelout *m, const char *name, struct safetensors *doc,
	const void *(*get)(void *arg, const struct safetensor *t, struct err *err), void *arg, struct err *err)
{
	char *to = path_join(m->temporary, name, err);
	struct buf head = BUF_INIT;
	struct outfile f;
	const void *data;
	int rc = to ? 0 : -1;

	if (rc == 0)
		rc = safetensors_encode(doc, &head, err) || outfile_open(&f, to, err) ? -1 : 0;
	if (rc == 0) {
		rc = fd_write(f.fd, head.data, head.len, err);
		for (size_t i = 0; rc == 0 && i < doc->n; i++) {
			data = get(arg, &doc->tensors[i], err);
			rc = data ? fd_write(f.fd, data, doc->tensors[i].end - doc->tensors[i].begin, err) : -1;
		}
		rc = rc ? err_at(err, "%s", to) : outfile_commit(&f, err);
		outfile_close(&f);
	}
	buf_release(&head);
	free(to);
	return rc;
}

/* Removes a folder of files; folders in it stay, and then so does it. */
static void remove_folder(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

/* The old folder steps aside first, and back if the new one cannot take its place. */
static int replace_in_two(struct modelout *m, struct err *err)
{
	static const char suffix[] = ".old";
	size_t n = strlen(m->temporary);
	char *aside = mem_new(n + sizeof suffix, 1, err);

	if (!aside)
		return -1;
	memcpy(aside, m->temporary, n);
	strcpy(aside + n, suffix);
	if (rename(m->path, aside)) {
		err_sys(err, "%s", m->path);
		free(aside);
		return -1;
	}
	if (rename(m->temporary, m->path)) {
		err_sys(err, "%s", m->path);
		if (rename(aside, m->path))
			err_at(err, "what it was is now %s", aside);
		free(aside);
		return -1;
	}
	free(m->temporary);
	m->temporary = aside;
	return 0;
}

/* The path gets the new folder, m->temporary becomes the old one. At a stroke, but on file systems that cannot. */
static int replace(struct modelout *m, struct err *err)
{
	if (renameat2(AT_FDCWD, m->temporary, AT_FDCWD, m->path, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return err_sys(err, "%s", m->path);
	return replace_in_two(m, err);
}

int modelout_commit(struct modelout *m, struct err *err)
{
	bool old = access(m->path, F_OK) == 0;

	if (old ? replace(m, err) : rename(m->temporary, m->path) ? err_sys(err, "%s", m->path) : 0)
		return -1;
	if (old)
		remove_folder(m->temporary);
	free(m->temporary);
	m->temporary = NULL;
	return file_sync_folder(m->path, err);
}

void modelout_close(struct modelout *m)
{
	if (m->temporary)
		remove_folder(m->temporary);
	free(m->temporary);
	free(m->path);
	*m = (struct modelout){NULL, NULL};
}
