/*
 * A model folder as Hugging Face lays it out: config.json, and the tensors in model.safetensors or in the
 * shards that model.safetensors.index.json names. Files are mapped, not read.
 */
#ifndef IO_MODELDIR_H
#define IO_MODELDIR_H

#include <stdbool.h>

#include "base/dtype.h"
#include "base/err.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"

struct modeldir_file {
	char *name; /* within the folder */
	struct mapping map;
	struct safetensors doc;
};

struct modeldir_tensor {
	const struct safetensor *info;
	const struct modeldir_file *file;
	const void *data; /* in the mapping; not aligned beyond what the file does */
};

struct modeldir {
	char *path;
	struct json *config; /* an object */
	bool sharded;
	struct modeldir_file *files;
	size_t nfiles;
	struct modeldir_tensor *tensors; /* in the order of their names */
	size_t ntensors;
};

/* Opens and checks; a shard index must agree with its files. Release m in any case. */
int modeldir_open(struct modeldir *m, const char *path, struct err *err);

/* The same of a folder whose config and tensors (one file) have other names. */
int modeldir_open_as(struct modeldir *m, const char *path, const char *config, const char *tensors, struct err *err);
void modeldir_release(struct modeldir *m);

const struct modeldir_tensor *modeldir_find(const struct modeldir *m, const char *name);

/*
 * The model's identity, whatever its sharding and file names: SHA-256 over one line a tensor in name
 * order, "NAME\tDTYPE\tD0,D1\tHEX\n", where HEX is the SHA-256 of its data. Reads all the data, tensors
 * in parallel, and gives back the memory of each; keep: does not, for a caller who will read them where they are.
 */
int modeldir_digest(const struct modeldir *m, bool keep, char hex[65], struct err *err);

/* Gives back the memory that a tensor's part of the mapped files takes; it can still be read. */
void modeldir_forget_tensor(const struct modeldir_tensor *t);

/*
 * SHA-256 of the folder's tokenizer: of tokenizer.json; or of vocab.json with merges.txt behind it; or of
 * tokenizer.model. The empty string where there is none.
 */
int modeldir_tokenizer_sha256(const char *path, char hex[65], struct err *err);

#endif
