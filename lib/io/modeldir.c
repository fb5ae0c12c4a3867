#include "io/modeldir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"

#define CONFIG_LIMIT ((size_t)16 << 20)
#define INDEX_LIMIT ((size_t)256 << 20)

static int open_file(struct modeldir *m, const char *name, struct err *err)
{
	struct modeldir_file *f = &m->files[m->nfiles];
	char *path = path_join(m->path, name, err);
	int rc = path ? 0 : -1;

	*f = (struct modeldir_file){.doc = SAFETENSORS_INIT};
	m->nfiles++;
	if (rc == 0)
		rc = mapping_open(&f->map, path, err);
	if (rc == 0 && safetensors_parse(&f->doc, f->map.data, f->map.size, SAFETENSORS_LENIENT, err))
		rc = err_at(err, "%s", path);
	if (rc == 0 && !(f->name = mem_copy(name, strlen(name), err)))
		rc = -1;
	free(path);
	return rc;
}

/* Opens each file that the index's weight_map names, once. */
static int open_shards(struct modeldir *m, const struct json *index, struct err *err)
{
	const struct json *map = json_get(index, "weight_map");
	size_t tensors = json_count(map), f;

	if (json_kind(map) != JSON_OBJECT)
		return err_set(err, ERR_CORRUPT, "'weight_map' is missing");
	m->files = mem_new(tensors, sizeof *m->files, err);
	if (!m->files)
		return -1;
	for (map = json_first(map); map; map = json_next(map)) {
		const char *name = json_text(map);

		if (!name || strchr(name, '/') || !strcmp(name, ".."))
			return err_set(err, ERR_CORRUPT, "tensor '%s' is in no file of this folder", json_key(map));
		for (f = 0; f < m->nfiles && strcmp(m->files[f].name, name);)
			f++;
		if (f == m->nfiles && open_file(m, name, err))
			return -1;
		if (!safetensors_find(&m->files[f].doc, json_key(map)))
			return err_set(err, ERR_CORRUPT, "tensor '%s' is not in '%s'", json_key(map), name);
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct modeldir_tensor *x = a, *y = b;

	return strcmp(x->info->name, y->info->name);
}

static int list_tensors(struct modeldir *m, struct err *err)
{
	size_t n = 0;

	for (size_t f = 0; f < m->nfiles; f++)
		n += m->files[f].doc.n;
	m->tensors = mem_new(n, sizeof *m->tensors, err);
	if (!m->tensors)
		return -1;
	for (size_t f = 0; f < m->nfiles; f++)
		for (size_t i = 0; i < m->files[f].doc.n; i++) {
			const struct safetensors *doc = &m->files[f].doc;

			m->tensors[m->ntensors++] = (struct modeldir_tensor){
				&doc->tensors[i],
				&m->files[f],
				m->files[f].map.data + doc->data + doc->tensors[i].begin,
			};
		}
	qsort(m->tensors, n, sizeof *m->tensors, by_name);
	for (size_t i = 1; i < n; i++)
		if (!by_name(&m->tensors[i - 1], &m->tensors[i]))
			return err_set(err, ERR_CORRUPT, "%s: tensor '%s' is in two shards", m->path,
				m->tensors[i].info->name);
	return 0;
}

static int open_config(struct modeldir *m, const char *path, const char *name, struct err *err)
{
	char *config = path_join(path, name, err);
	int rc = -1;

	*m = (struct modeldir){.path = mem_copy(path, strlen(path), err)};
	if (config && m->path && (m->config = json_load(config, CONFIG_LIMIT, err)))
		rc = json_kind(m->config) == JSON_OBJECT ? 0 : err_set(err, ERR_CORRUPT, "%s: not an object", config);
	free(config);
	return rc;
}

static int open_only(struct modeldir *m, const char *tensors, struct err *err)
{
	m->files = mem_new(1, sizeof *m->files, err);
	return m->files && open_file(m, tensors, err) == 0 ? list_tensors(m, err) : -1;
}

int modeldir_open_as(struct modeldir *m, const char *path, const char *config, const char *tensors, struct err *err)
{
	return open_config(m, path, config, err) || open_only(m, tensors, err) ? -1 : 0;
}

int modeldir_open(struct modeldir *m, const char *path, struct err *err)
{
	int rc = open_config(m, path, "config.json", err);
	char *index = path_join(path, "model.safetensors.index.json", err);
	struct json *map;

	if (rc || !index) {
		rc = -1;
	} else if (access(index, F_OK) == 0) {
		m->sharded = true;
		map = json_load(index, INDEX_LIMIT, err);
		rc = !map ? -1 : open_shards(m, map, err) ? err_at(err, "%s", index) : list_tensors(m, err);
		json_free(map);
	} else {
		rc = open_only(m, "model.safetensors", err);
	}
	free(index);
	return rc;
}

void modeldir_release(struct modeldir *m)
{
	for (size_t f = 0; f < m->nfiles; f++) {
		free(m->files[f].name);
		safetensors_release(&m->files[f].doc);
		mapping_close(&m->files[f].map);
	}
	free(m->files);
	free(m->tensors);
	json_free(m->config);
	free(m->path);
	*m = (struct modeldir){.path = NULL};
}

const struct modeldir_tensor *modeldir_find(const struct modeldir *m, const char *name)
{
	size_t from = 0, to = m->ntensors, mid;
	int order;

	while (from < to) {
		mid = from + (to - from) / 2;
		order = strcmp(name, m->tensors[mid].info->name);
		if (order == 0)
			return &m->tensors[mid];
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}

void modeldir_forget_tensor(const struct modeldir_tensor *t)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)t->data + page - 1) / page * page,
		  to = ((uintptr_t)t->data + (t->info->end - t->info->begin)) / page * page;

	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* A tensor on its way through SHA-256; NULL: none. */
struct lane {
	const struct modeldir_tensor *t;
	size_t left;
	struct sha256 h;
};

/* What the threads that digest share. */
struct digesting {
	const struct modeldir *m;
	const struct modeldir_tensor **order; /* the largest first, so that none is left for the end */
	size_t next;			      /* atomic: in order */
	char (*hex)[65];		      /* of each tensor */
	bool keep;
};

static size_t size_of(const struct modeldir_tensor *t)
{
	return t->info->end - t->info->begin;
}

static int by_size(const void *a, const void *b)
{
	const struct modeldir_tensor *const *x = a, *const *y = b;

	return size_of(*x) < size_of(*y) ? 1 : size_of(*x) > size_of(*y) ? -1 : 0;
}

static const uint8_t *lane_at(const struct lane *l)
{
	return (const uint8_t *)l->t->data + (size_of(l->t) - l->left);
}

static void lane_begin(struct lane *l, struct digesting *d)
{
	size_t i = __atomic_fetch_add(&d->next, 1, __ATOMIC_RELAXED);

	l->t = i < d->m->ntensors ? d->order[i] : NULL;
	l->left = l->t ? size_of(l->t) : 0;
	sha256_init(&l->h);
}

/* The rest of its tensor. */
static void lane_end(struct lane *l, struct digesting *d)
{
	uint8_t digest[32];

	sha256_add(&l->h, lane_at(l), l->left);
	sha256_finish(&l->h, digest);
	sha256_hex(digest, d->hex[l->t - d->m->tensors]);
	if (!d->keep)
		modeldir_forget_tensor(l->t);
}

/* One thread's share: two tensors at a time, each for itself. */
static void digest_some(struct digesting *d)
{
	struct lane a, b;

	lane_begin(&a, d);
	lane_begin(&b, d);
	while (a.t && b.t) {
		size_t n = (a.left < b.left ? a.left : b.left) / 64 * 64;

		sha256_add_both(&a.h, lane_at(&a), &b.h, lane_at(&b), n);
		a.left -= n;
		b.left -= n;
		if (b.left < 64) {
			lane_end(&b, d);
			lane_begin(&b, d);
		}
		if (a.left < 64) {
			lane_end(&a, d);
			lane_begin(&a, d);
		}
	}
	if (a.t)
		lane_end(&a, d);
	if (b.t)
		lane_end(&b, d);
}

/* The digest of the lines that say what each tensor is. */
static int digest_lines(const struct digesting *d, char hex[65], struct err *err)
{
	struct buf text = BUF_INIT;
	struct sha256 all;
	uint8_t digest[32];
	int rc;

	for (size_t i = 0; i < d->m->ntensors; i++) {
		const struct safetensor *t = d->m->tensors[i].info;

		buf_add_fmt(&text, "%s\t%s\t", t->name, dtype_name(t->dtype));
		for (int r = 0; r < t->rank; r++)
			buf_add_fmt(&text, "%s%lld", r ? "," : "", (long long)t->shape[r]);
		buf_add_fmt(&text, "\t%s\n", d->hex[i]);
	}
	rc = buf_check(&text, err);
	if (rc == 0) {
		sha256_init(&all);
		sha256_add(&all, text.data, text.len);
		sha256_finish(&all, digest);
		sha256_hex(digest, hex);
	}
	buf_release(&text);
	return rc;
}

int modeldir_digest(const struct modeldir *m, bool keep, char hex[65], struct err *err)
{
	struct digesting d = {.m = m, .keep = keep};
	int rc = -1;

	d.order = mem_new(m->ntensors, sizeof *d.order, err);
	d.hex = d.order ? mem_new(m->ntensors, sizeof *d.hex, err) : NULL;
	if (d.hex) {
		for (size_t i = 0; i < m->ntensors; i++)
			d.order[i] = &m->tensors[i];
		qsort(d.order, m->ntensors, sizeof *d.order, by_size);
#pragma omp parallel
		digest_some(&d);
		rc = digest_lines(&d, hex, err);
	}
	free(d.order);
	free(d.hex);
	return rc;
}

/* Adds the file where it is there: 1, 0, or -1. */
static int add_file(struct sha256 *h, const char *folder, const char *name, struct err *err)
{
	char *file = path_join(folder, name, err);
	struct mapping map;
	int rc = file ? 0 : -1;

	if (file && access(file, F_OK) == 0 && (rc = mapping_open(&map, file, err)) == 0) {
		sha256_add(h, map.data, map.size);
		mapping_close(&map);
		rc = 1;
	}
	free(file);
	return rc;
}

int modeldir_tokenizer_sha256(const char *path, char hex[65], struct err *err)
{
	static const char *const names[][2] = {
		{"tokenizer.json", NULL}, {"vocab.json", "merges.txt"}, {"tokenizer.model", NULL}};
	struct sha256 h;
	uint8_t digest[32];
	int rc = 0;

	hex[0] = '\0';
	for (size_t i = 0; i < sizeof names / sizeof *names && rc == 0; i++) {
		sha256_init(&h);
		rc = add_file(&h, path, names[i][0], err);
		if (rc == 1 && names[i][1])
			rc = add_file(&h, path, names[i][1], err);
	}
	if (rc < 0)
		return -1;
	if (rc == 1) {
		sha256_finish(&h, digest);
		sha256_hex(digest, hex);
	}
	return 0;
}
