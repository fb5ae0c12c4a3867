/*
 * Writing the folder of a model or an adapter. It is filled under a temporary name beside its path and gets the path, after
 * all of it was synced, at modelout_commit(): whoever looks sees the old folder or the new one.
 */
#ifndef IO_MODELOUT_H
#define IO_MODELOUT_H

#include "base/err.h"
#include "io/safetensors.h"

struct modelout {
	char *path, *temporary;
};

/*
 * Could a model be written to that path? ERR_FAILED if it exists and is not a model's or adapter's folder (no
 * config.json or adapter_config.json in it), so that nothing else is ever replaced, or if nothing can be made
 * beside it.
 */
int modelout_check(const char *path, struct err *err);

/* Checks the path and makes the temporary folder. */
int modelout_open(struct modelout *m, const char *path, struct err *err);

/* Copies what a folder has beside config and tensors: generation settings, tokenizer, chat template. */
int modelout_copy_settings(struct modelout *m, const char *folder, struct err *err);

/* Writes a file of n bytes. */
int modelout_text(struct modelout *m, const char *name, const char *text, size_t n, struct err *err);

/* Copies the file from under a name. */
int modelout_copy(struct modelout *m, const char *from, const char *name, struct err *err);

/*
 * Writes a safetensors file. doc names tensors and metadata; get() returns the data of a tensor of doc,
 * which is used before get() is called again, or NULL with err set.
 */
int modelout_tensors(struct modelout *m, const char *name, struct safetensors *doc,
	const void *(*get)(void *arg, const struct safetensor *t, struct err *err), void *arg,
	struct err *err);

/*
 * On failure the path is as it was. File systems that cannot exchange two names (NFS is one) have a moment in which an
 * old folder is beside its path, as PATH.tmp.XXXXXX.old, and the path names nothing.
 */
int modelout_commit(struct modelout *m, struct err *err);
void modelout_close(struct modelout *m); /* removes what was not committed */

#endif
