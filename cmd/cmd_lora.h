/* Options of low-rank adapters, and a model made of base and update. */
#ifndef CMD_LORA_H
#define CMD_LORA_H

#include "cmd/cmd.h"
#include "cmd/cmd_model.h"
#include "model/adapter.h"

struct cmd_lora {
	struct adapter_options adapter;
	int quantize;
	bool merge;
};

#define CMD_LORA_INIT {.adapter = {.rank = 0}}

#define CMD_LORA_OPTIONS(l) \
	{0, "lora", "R", CMD_INT, &(l).adapter.rank, 1, 65536, .help = "train an adapter of rank R, and write that"}, \
	{0, "lora-alpha", "X", CMD_REAL, &(l).adapter.alpha, 1e-6, 1e6, .help = "its changes are scaled by X / R (default R)"}, \
	{0, "lora-targets", "LIST", CMD_STRING, &(l).adapter.targets, \
		.help = "names of modules, with commas between (default: all matrices of layers)"}, \
	{0, "lora-dropout", "P", CMD_REAL, &(l).adapter.dropout, 0, 0.99, \
		.help = "share of its inputs that is left out (default 0)"}, \
	{0, "rslora", 0, CMD_FLAG, &(l).adapter.rslora, .help = "scale by X / sqrt(R)"}, \
	{0, "dora", 0, CMD_FLAG, &(l).adapter.dora, .help = "train magnitudes and directions apart"}, \
	{0, "quantize", "TYPE", CMD_CHOICE, &(l).quantize, .choices = cmd_quantize_names, \
		.help = "round the layers' matrices under an adapter: none (default), int8, nf4"}, \
	{0, "merge", 0, CMD_FLAG, &(l).merge, .help = "no training: write MODEL with UPDATE as a model"}

/* The usage's part. */
#define CMD_LORA_SYNOPSIS \
	"[--lora R] [--lora-alpha X] [--lora-targets LIST] [--lora-dropout P] [--rslora] [--dora] " \
	"[--quantize none|int8|nf4] "

/* Exits with a usage error where options have no effect or contradict each other. apply: --apply, or NULL. */
void cmd_lora_settle(struct cmd_lora *l, const char *apply);

/* Writes the model of a folder with an update on top as a folder. 0 or -1. */
int cmd_merge(const char *folder, const char *apply, const char *output, struct err *err);

#endif
