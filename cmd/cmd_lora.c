#include "cmd/cmd_lora.h"

#include "io/modelout.h"

void cmd_lora_settle(struct cmd_lora *l, const char *apply)
{
	if (l->merge)
		cmd_refuse_others("with --merge", "merge", "model", "apply", "output", NULL);
	if (!l->adapter.rank)
		cmd_refuse("without --lora", "lora-alpha", "lora-targets", "lora-dropout", "rslora", "dora", NULL);
	if (l->quantize && !l->adapter.rank && !apply)
		cmd_usage("--quantize needs an adapter, since what is rounded cannot be trained: --lora R");
	if (l->adapter.dora && l->adapter.dropout > 0)
		cmd_usage("--dora and --lora-dropout are not supported together");
	if (!cmd_given("lora-alpha"))
		l->adapter.alpha = (double)l->adapter.rank;
}

int cmd_merge(const char *folder, const char *apply, const char *output, struct err *err)
{
	struct model m = {.weights = NULL};
	char sha256[65];
	int rc = modelout_check(output, err) || cmd_open_model(&m, folder, apply, MODEL_TRAIN, 0, NULL, sha256, err) ||
		(m.adapter && adapter_merge(&m, err)) || model_save(&m, output, folder, err);

	model_release(&m);
	return rc ? -1 : 0;
}
