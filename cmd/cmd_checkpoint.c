#include "cmd/cmd_checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd_run.h"
#include "io/file.h"
#include "io/update.h"
#include "model/adapter.h"
#include "model/apply.h"

#define BEST "best.tsz"

/* ---- the folder */

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Calls each() for the folder's files whose names begin with prefix, in the order of their names. */
static int walk(const struct checkpoints *c, const char *prefix,
	int (*each)(const struct checkpoints *c, const char *name, void *arg, struct err *err), void *arg, struct err *err)
{
	struct dirent **list;
	int n = scandir(c->folder, &list, NULL, alphasort), rc = 0;

	if (n < 0)
		return err_sys(err, "%s", c->folder);
	for (int i = 0; i < n; i++) {
		if (rc == 0 && has_prefix(list[i]->d_name, prefix) && list[i]->d_name[0] != '.')
			rc = each(c, list[i]->d_name, arg, err);
		free(list[i]);
	}
	free(list);
	return rc;
}

static int remove_one(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	(void)arg;
	return unlinkat(c->lock, name, 0) && errno != ENOENT ? err_sys(err, "%s/%s", c->folder, name) : 0;
}

static int remove_temporary(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	return strstr(name, ".tmp.") ? remove_one(c, name, arg, err) : 0;
}

static int refuse_old(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_FAILED, "%s holds a run that was left (%s): --resume goes on with it, or remove it",
		c->folder, name);
}

static char *folder_of(const char *output, struct err *err)
{
	struct buf b = BUF_INIT;
	size_t n = strlen(output);

	while (n > 1 && output[n - 1] == '/')
		n--;
	buf_add(&b, output, n);
	buf_add_str(&b, ".ckpt");
	if (buf_check(&b, err) == 0)
		return b.data;
	buf_release(&b);
	return NULL;
}

int checkpoints_open(struct checkpoints *c, const struct run_options *o, struct err *err)
{
	c->folder = folder_of(o->io.output, err);
	if (!c->folder)
		return -1;
	if (mkdir(c->folder, 0777) && errno != EEXIST)
		return err_sys(err, "%s", c->folder);
	c->lock = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->lock < 0)
		return err_sys(err, "%s", c->folder);
	if (flock(c->lock, LOCK_EX | LOCK_NB))
		return err_set(err, ERR_FAILED, "%s: another run is at work in it", c->folder);
	if (walk(c, "", remove_temporary, NULL, err))
		return -1;
	if (o->resume)
		return 0;
	return walk(c, "step-", refuse_old, NULL, err) || walk(c, "", remove_one, NULL, err) ? -1 : 0;
}

void checkpoints_close(struct checkpoints *c)
{
	if (c->folder && c->lock >= 0)
		close(c->lock);
	free(c->folder);
	*c = (struct checkpoints){.lock = -1};
}

/* Names of steps sort as steps do. */
static char *path_of(const struct checkpoints *c, const char *what, int64_t number, struct err *err)
{
	char name[64];

	snprintf(name, sizeof name, "%s-%012lld.tsz", what, (long long)number);
	return path_join(c->folder, name, err);
}

/* ---- pipes */

static bool is_file(const char *path)
{
	struct stat st;

	return strcmp(path, "-") ? stat(path, &st) != 0 || S_ISREG(st.st_mode)
				 : fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

static int copy_file(const char *from, struct outfile *out, struct err *err)
{
	char buffer[1 << 16];
	int fd = file_open(from, err), rc = fd < 0 ? -1 : 0;
	size_t got = 1;

	while (rc == 0 && got)
		rc = fd_read(fd, buffer, sizeof buffer, &got, err) || fd_write(out->fd, buffer, got, err) ? -1 : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int spool(const char *from, const char *to, struct err *err)
{
	struct outfile out;
	int rc;

	if (access(to, F_OK) == 0) {
		cmd_say("%s is not read: %s has what it gave", strcmp(from, "-") ? from : "stdin", to);
		return 0;
	}
	if (outfile_open(&out, to, err))
		return -1;
	rc = copy_file(from, &out, err) || outfile_commit(&out, err) ? err_at(err, "%s", to) : 0;
	outfile_close(&out);
	return rc;
}

int checkpoints_spool(struct checkpoints *c, char *const *paths, int n, char ***spooled, struct err *err)
{
	static char dash[] = "-", *only[] = {dash};
	bool files = true;
	int rc = 0;

	if (!n) {
		paths = only;
		n = 1;
	}
	for (int i = 0; i < n; i++)
		files = files && is_file(paths[i]);
	*spooled = files ? NULL : mem_new((size_t)n, sizeof **spooled, err);
	if (files || !*spooled)
		return files ? 0 : -1;
	for (int i = 0; i < n && rc == 0; i++) {
		bool keep = !is_file(paths[i]);

		(*spooled)[i] = keep ? path_of(c, "data", i, err) : mem_copy(paths[i], strlen(paths[i]), err);
		rc = !(*spooled)[i] || (keep && spool(paths[i], (*spooled)[i], err)) ? -1 : 0;
	}
	return rc;
}

/* ---- what a checkpoint holds */

/* Its tensors, and the memory of their names. */
struct contents {
	struct update_tensor *tensors;
	size_t n, cap;
	struct arena names;
};

static void contents_release(struct contents *c)
{
	free(c->tensors);
	arena_release(&c->names);
}

/* A memory named after a parameter. */
static int add_memory(struct contents *c, const struct param *p, const char *suffix, enum dtype type, int rank,
	int64_t rows, int64_t columns, void *data, struct err *err)
{
	size_t n = strlen(p->name) + strlen(suffix) + 2;
	char *name = arena_new(&c->names, n, 1, err);

	if (!name || mem_grow(&c->tensors, &c->cap, c->n + 1, sizeof *c->tensors, err))
		return -1;
	snprintf(name, n, "%s#%s", p->name, suffix);
	c->tensors[c->n++] = (struct update_tensor){name, type, rank, {rows, columns}, data};
	return 0;
}

static int add_memories(struct contents *c, struct run *r, size_t i, struct err *err)
{
	const struct param *p = &model_trained(&r->model)->param[i];
	struct optimizer_memory_part parts[OPTIMIZER_PARTS];
	int n = optimizer_parts(trainer_optimizer(r->trainer), i, parts);
	float *average = trainer_average(r->trainer);

	for (int k = 0; k < n; k++)
		if (add_memory(c, p, parts[k].name, parts[k].type, 1, (int64_t)parts[k].count, 0, parts[k].data, err))
			return -1;
	if (average && add_memory(c, p, "average", F32, p->rank, p->shape[0], p->shape[1], average + p->offset, err))
		return -1;
	if (r->follower && add_memory(c, p, "reference", F32, p->rank, p->shape[0], p->shape[1],
				   follower_weights(r->follower) + p->offset, err))
		return -1;
	return 0;
}

static int list_contents(struct contents *c, struct run *r, bool memories, struct err *err)
{
	size_t n = model_trained(&r->model)->n;

	*c = (struct contents){.names = ARENA_INIT};
	if (model_tensors(&r->model, &c->tensors, err))
		return -1;
	c->n = c->cap = n;
	for (size_t i = 0; memories && i < n; i++)
		if (add_memories(c, r, i, err))
			return -1;
	if (!memories)
		return 0;
	if (mem_grow(&c->tensors, &c->cap, c->n + 1, sizeof *c->tensors, err))
		return -1;
	c->tensors[c->n++] = (struct update_tensor){"run#state", U8, 1, {sizeof r->state}, &r->state};
	return 0;
}

/* ---- what it must agree in */

static int put_digest(struct meta *m, const char *key, const struct prefstore *s, struct err *err)
{
	const char *whole = prefstore_totals(s)->payload_sha256;

	return meta_set(m, key, *whole ? whole : prefstore_head_sha256(s), err);
}

static int describe(const struct run *r, struct meta *m, struct err *err)
{
	struct buf settings = BUF_INIT;
	int rc;

	cmd_settings(&settings);
	rc = buf_check(&settings, err) || meta_set(m, "run.settings", settings.data, err) ||
		meta_set(m, "run.version", PREFTOOLS_VERSION, err) || put_digest(m, "run.data.sha256", r->data, err) ||
		(r->eval && put_digest(m, "run.eval.sha256", r->eval, err)) ||
		meta_set(m, "run.model.sha256", r->model_sha256, err) || meta_set_int(m, "run.step", r->state.step, err) ||
		meta_set_int(m, "run.steps", r->steps, err);
	buf_release(&settings);
	return rc ? -1 : 0;
}

/* The first line of a that is another in b, both of "NAME=VALUE\n" in the same order. */
static int compare_settings(const char *a, const char *b, struct err *err)
{
	while (*a || *b) {
		size_t n = strcspn(a, "\n"), k = strcspn(b, "\n");

		if (n != k || memcmp(a, b, n))
			return err_set(err, ERR_MISMATCH, "made with --%.*s, now it is --%.*s", n < 200 ? (int)n : 200, a,
				k < 200 ? (int)k : 200, b);
		a += n + (a[n] != 0);
		b += k + (b[k] != 0);
	}
	return 0;
}

static int check_agrees(const struct run *r, const struct meta *was, struct err *err)
{
	static const struct {
		const char *key, *what;
	} same[] = {{"run.version", "version of preftools"}, {"run.model.sha256", "model"}, {"run.data.sha256", "data"},
		{"run.eval.sha256", "data in --eval"}};
	struct meta now = META_INIT;
	int rc = describe(r, &now, err);

	for (size_t i = 0; rc == 0 && i < sizeof same / sizeof *same; i++) {
		const char *a = meta_get(was, same[i].key), *b = meta_get(&now, same[i].key);

		if (!a != !b || (a && strcmp(a, b)))
			rc = err_set(err, ERR_MISMATCH, "made with another %s: %.12s, now it is %.12s", same[i].what,
				a ? a : "none", b ? b : "none");
	}
	if (rc == 0 && !meta_get(was, "run.settings"))
		rc = err_set(err, ERR_MISMATCH, "it does not carry a run");
	if (rc == 0)
		rc = compare_settings(meta_get(was, "run.settings"), meta_get(&now, "run.settings"), err);
	meta_release(&now);
	return rc;
}

/* ---- to disk and back */

/* What --apply needs to make the adapter before it reads it. */
static int put_adapter(const struct run *r, struct meta *m, struct err *err)
{
	struct buf config = BUF_INIT;
	int rc = 0;

	if (r->model.adapter)
		rc = adapter_describe(&r->model, r->o->folder, &config, err) ||
			meta_set(m, APPLY_ADAPTER, config.data, err);
	buf_release(&config);
	return rc ? -1 : 0;
}

int checkpoint_write(struct run *r, const char *path, bool memories, struct err *err)
{
	static const struct tswriter_options stored = {.level = 0}; /* floats do not get smaller */
	const char *inputs[] = {prefstore_head_sha256(r->data), r->model_sha256, NULL};
	struct contents c;
	struct meta meta = META_INIT;
	struct loss_state *loss = trainer_loss_state(r->trainer);
	int rc;

	r->state.loss_mean = loss->mean;
	r->state.loss_count = loss->count;
	r->state.moved = r->follower && follower_moved(r->follower);
	rc = list_contents(&c, r, memories, err);
	if (rc == 0 && r->base_sha256[0])
		rc = meta_set(&meta, "model.sha256", r->base_sha256, err);
	if (rc == 0 && memories)
		rc = describe(r, &meta, err);
	rc = rc || put_adapter(r, &meta, err) || cmd_add_prov(&r->o->io, &meta, inputs, err) ||
		update_write(path, &meta, c.tensors, c.n, &stored, err);
	contents_release(&c);
	meta_release(&meta);
	return rc ? -1 : 0;
}

static int take_state(struct run *r, const struct run_state *s, struct err *err)
{
	struct loss_state *loss = trainer_loss_state(r->trainer);

	if (s->step < 0 || s->step > r->steps || s->logged < 0 || s->logged > s->step)
		return err_set(err, ERR_CORRUPT, "a state of %lld steps of %lld", (long long)s->step, (long long)r->steps);
	r->state = *s;
	loss->mean = s->loss_mean;
	loss->count = s->loss_count;
	optimizer_set_steps(trainer_optimizer(r->trainer), s->step);
	if (r->follower)
		follower_restore(r->follower, s->moved);
	if (s->displaced && r->o->on_displacement == DISPLACEMENT_ADD)
		trainer_add_term(r->trainer, &r->o->antidote);
	return 0;
}

static int restore(struct run *r, const char *path, struct err *err)
{
	struct update *u = update_open(path, (uint64_t)r->o->io.max_block << 20, err);
	struct contents c = {.names = ARENA_INIT};
	struct run_state state;
	int rc = u ? 0 : -1;

	if (rc == 0 && check_agrees(r, update_meta(u), err))
		rc = err_at(err, "%s", path);
	if (rc == 0)
		rc = list_contents(&c, r, true, err);
	if (rc == 0) {
		c.tensors[c.n - 1].data = &state;
		rc = update_read(u, c.tensors, c.n, err);
	}
	if (rc == 0 && take_state(r, &state, err))
		rc = err_at(err, "%s", path);
	contents_release(&c);
	update_close(u);
	return rc;
}

/* Keeps the last name; the walk is in order. */
static int note_last(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	char **last = arg;

	free(*last);
	*last = path_join(c->folder, name, err);
	return *last ? 0 : -1;
}

static int remove_later(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	const int64_t *step = arg;

	return strtoll(name + strlen("emit-"), NULL, 10) >= *step ? remove_one(c, name, NULL, err) : 0;
}

int checkpoint_resume(struct run *r, struct err *err)
{
	char *last = NULL;
	int rc = walk(&r->kept, "step-", note_last, &last, err);

	if (rc == 0 && last)
		rc = restore(r, last, err) ? -1 : 1;
	if (rc >= 0)
		rc = walk(&r->kept, "emit-", remove_later, &r->state.step, err) ? -1 : rc;
	free(last);
	return rc;
}

int checkpoint_continue(struct run *r, const char *path, struct err *err)
{
	return restore(r, path, err);
}

int checkpoint_start(struct run *r, const char *path, struct err *err)
{
	struct update *u = update_open(path, (uint64_t)r->o->io.max_block << 20, err);
	const char *start = u ? meta_get(update_meta(u), "run.model.sha256") : NULL;
	int rc = !u || model_check_base(u, path, r->base_sha256, err) ? -1 : 0;

	if (rc == 0 && (!start || strlen(start) >= sizeof r->model_sha256))
		rc = err_set(err, ERR_MISMATCH, "%s: it does not carry a run; without --steps a new one begins with it", path);
	if (rc == 0)
		strcpy(r->model_sha256, start);
	update_close(u);
	return rc;
}

/* ---- as the run goes */

static int count_one(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	int64_t *n = arg;

	(void)c;
	(void)name;
	(void)err;
	++*n;
	return 0;
}

static int remove_first(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	int64_t *n = arg;

	return (*n)-- > 0 ? remove_one(c, name, NULL, err) : 0;
}

static int prune(const struct checkpoints *c, int64_t keep, struct err *err)
{
	int64_t n = -keep;

	return walk(c, "step-", count_one, &n, err) || walk(c, "step-", remove_first, &n, err) ? -1 : 0;
}

/* What was emitted since the last checkpoint becomes a file of its own. */
static int close_emitted(struct run *r, struct err *err)
{
	int rc = r->emit ? prefwriter_finish(r->emit, NULL, 0, 0, NULL, err) : 0;

	prefwriter_close(r->emit);
	r->emit = NULL;
	return rc;
}

int checkpoint_save(struct run *r, struct err *err)
{
	char *path = path_of(&r->kept, "step", r->state.step, err);
	int rc = !path || close_emitted(r, err) || journal_sync(&r->metrics.log, &r->state.log_bytes, err) ||
				 journal_sync(&r->metrics.records, &r->state.record_bytes, err) ||
				 checkpoint_write(r, path, true, err) ||
				 prune(&r->kept, r->o->keep ? r->o->keep : 1, err)
			 ? -1
			 : 0;

	free(path);
	return rc;
}

int checkpoint_open_emitted(struct run *r, struct err *err)
{
	char *path = path_of(&r->kept, "emit", r->state.step, err);
	int rc = path ? run_open_emit(r, path, err) : -1;

	free(path);
	return rc;
}

static int append_one(const struct checkpoints *c, const char *name, void *arg, struct err *err)
{
	char *path = path_join(c->folder, name, err);
	int rc = path ? copy_file(path, arg, err) : -1;

	free(path);
	return rc;
}

int checkpoints_join_emitted(struct run *r, struct err *err)
{
	struct outfile out;
	int rc = close_emitted(r, err) || outfile_open(&out, r->o->emit, err) ? -1 : 0;

	if (rc)
		return -1;
	rc = walk(&r->kept, "emit-", append_one, &out, err) || outfile_commit(&out, err) ? -1 : 0;
	outfile_close(&out);
	return rc;
}

int checkpoint_save_best(struct run *r, struct err *err)
{
	char *path = path_join(r->kept.folder, BEST, err);
	int rc = path ? checkpoint_write(r, path, false, err) : -1;

	free(path);
	return rc;
}

int checkpoint_load_best(struct run *r, struct err *err)
{
	char *path = path_join(r->kept.folder, BEST, err);
	struct update *u = path ? update_open(path, (uint64_t)r->o->io.max_block << 20, err) : NULL;
	struct contents c;
	int rc = !u || list_contents(&c, r, false, err) ? -1 : 0;

	if (rc == 0) {
		rc = update_read(u, c.tensors, c.n, err);
		contents_release(&c);
	}
	update_close(u);
	free(path);
	return rc;
}

/* Checkpoints first, so that one that is still there finds what it needs. */
int checkpoints_finish(struct run *r, struct err *err)
{
	const struct checkpoints *c = &r->kept;

	if (r->o->keep)
		return prune(c, r->o->keep, err);
	if (walk(c, "step-", remove_one, NULL, err) || walk(c, "", remove_one, NULL, err))
		return -1;
	return rmdir(c->folder) ? err_sys(err, "%s", c->folder) : 0;
}
