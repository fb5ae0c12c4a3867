/* What there is: each loss with what it takes, each of their options with its range. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "learn/loss_impl.h"

/* Modifiers of every loss on pairs with a reference; with a score by divergence too. */
#define ON_REFERENCE (LOSS_LD_ALPHA | LOSS_WPO | LOSS_REFERENCE_FREE)
#define ON_SCORES (ON_REFERENCE | LOSS_DIVERGENCE | LOSS_DIVERGENCE_ALPHA)
#define ON_POLICY (LOSS_LD_ALPHA | LOSS_WPO)

/* clang-format off */
const struct loss_kind loss_kinds[LOSS_IDS] = {
	[LOSS_SIGMOID] = {"sigmoid", "DPO, arXiv 2305.18290; smoothed as cDPO", LOSS_BETA | LOSS_SMOOTHING | ON_SCORES,
		{.beta = 0.1}, LOSS_PAIRS, true, false},
	[LOSS_HINGE] = {"hinge", "RSO, arXiv 2309.06657", LOSS_BETA | ON_SCORES, {.beta = 0.1}, LOSS_PAIRS, true, false},
	[LOSS_IPO] = {"ipo", "IPO on averages, arXiv 2310.12036", LOSS_BETA | ON_SCORES, {.beta = 0.1}, LOSS_PAIRS, true,
		false},
	[LOSS_IPO_SUM] = {"ipo_sum", "IPO on sums, as in the paper", LOSS_BETA | ON_SCORES, {.beta = 0.1}, LOSS_PAIRS, true,
		false},
	[LOSS_EXO_PAIR] = {"exo_pair", "EXO, arXiv 2402.00856", LOSS_BETA | LOSS_SMOOTHING | ON_SCORES,
		{.beta = 0.1, .smoothing = 1e-3}, LOSS_PAIRS, true, false},
	[LOSS_NCA_PAIR] = {"nca_pair", "NCA, arXiv 2402.05369", LOSS_BETA | ON_REFERENCE, {.beta = 0.1}, LOSS_PAIRS, true,
		false},
	[LOSS_ROBUST] = {"robust", "rDPO, arXiv 2403.00409", LOSS_BETA | LOSS_SMOOTHING | ON_SCORES, {.beta = 0.1},
		LOSS_PAIRS, true, false},
	[LOSS_BCO_PAIR] = {"bco_pair", "BCO without its shift, arXiv 2404.04656", LOSS_BETA | ON_REFERENCE, {.beta = 0.1},
		LOSS_PAIRS, true, false},
	[LOSS_SPPO_HARD] = {"sppo_hard", "SPPO, arXiv 2405.00675", LOSS_BETA | ON_REFERENCE, {.beta = 0.1}, LOSS_PAIRS,
		true, false},
	[LOSS_AOT] = {"aot", "AOT, arXiv 2406.05882", LOSS_BETA | LOSS_SMOOTHING | ON_REFERENCE, {.beta = 0.1}, LOSS_PAIRS,
		true, true},
	[LOSS_AOT_UNPAIRED] = {"aot_unpaired", "AOT, each side sorted alone", LOSS_BETA | LOSS_SMOOTHING | ON_REFERENCE,
		{.beta = 0.1}, LOSS_PAIRS, true, true},
	[LOSS_APO_ZERO] = {"apo_zero", "APO, arXiv 2408.06266", LOSS_BETA | ON_REFERENCE, {.beta = 0.1}, LOSS_EITHER, true,
		false},
	[LOSS_APO_DOWN] = {"apo_down", "APO for models better than the data", LOSS_BETA | ON_REFERENCE, {.beta = 0.1},
		LOSS_PAIRS, true, false},
	[LOSS_DISCOPOP] = {"discopop", "DiscoPOP, arXiv 2406.08414", LOSS_BETA | LOSS_TAU | ON_SCORES,
		{.beta = 0.1, .tau = 0.05}, LOSS_PAIRS, true, false},
	[LOSS_SFT] = {"sft", "cross-entropy of the first completion, mean over tokens", 0, {0}, LOSS_FIRST, false, false},
	[LOSS_SIGMOID_NORM] = {"sigmoid_norm", "DPO on averages, arXiv 2411.15124", LOSS_BETA | ON_SCORES, {.beta = 5},
		LOSS_PAIRS, true, false},
	[LOSS_SIMPO] = {"simpo", "SimPO, arXiv 2405.14734", LOSS_BETA | LOSS_GAMMA | LOSS_SMOOTHING | ON_POLICY,
		{.beta = 2, .gamma = 0.5}, LOSS_PAIRS, false, false},
	[LOSS_CPO] = {"cpo", "CPO, arXiv 2401.08417", LOSS_BETA | LOSS_SMOOTHING | LOSS_NLL | ON_POLICY,
		{.beta = 0.1, .nll = 1}, LOSS_PAIRS, false, false},
	[LOSS_ORPO] = {"orpo", "ORPO, arXiv 2403.07691", LOSS_BETA | LOSS_NLL | ON_POLICY, {.beta = 0.1, .nll = 1},
		LOSS_PAIRS, false, false},
	[LOSS_ALPHAPO] = {"alphapo", "AlphaPO, arXiv 2501.03884",
		LOSS_BETA | LOSS_GAMMA | LOSS_ALPHA | LOSS_SMOOTHING | ON_POLICY, {.beta = 2, .gamma = 0.5, .alpha = 0.25},
		LOSS_PAIRS, false, false},
	[LOSS_SLIC] = {"slic", "SLiC-HF, arXiv 2305.10425", LOSS_BETA | LOSS_NLL | ON_POLICY, {.beta = 1, .nll = 0.1},
		LOSS_PAIRS, false, false},
	[LOSS_DPOP] = {"dpop", "DPO-Positive, arXiv 2402.13228", LOSS_BETA | LOSS_PENALTY | ON_REFERENCE,
		{.beta = 0.1, .penalty = 50}, LOSS_PAIRS, true, false},
	[LOSS_FLOOR] = {"floor", "its penalty alone, for lists", ON_REFERENCE, {0}, LOSS_PAIRS, true, false},
	[LOSS_KTO] = {"kto", "KTO, arXiv 2402.01306", LOSS_BETA | LOSS_DESIRABLE | LOSS_UNDESIRABLE,
		{.beta = 0.1, .desirable = 1, .undesirable = 1}, LOSS_LABELLED, true, true},
	[LOSS_BCO] = {"bco", "BCO with the running mean, arXiv 2404.04656", LOSS_BETA | ON_REFERENCE, {.beta = 0.1},
		LOSS_EITHER, true, true},
	[LOSS_PLACKETT_LUCE] = {"plackett_luce", "DPO's for rankings, arXiv 2305.18290, eq. 20",
		LOSS_BETA | LOSS_REFERENCE_FREE, {.beta = 0.1}, LOSS_RANKINGS, true, false},
};
/* clang-format on */

const char *const loss_divergence_names[] = {
	"reverse_kl", "forward_kl", "js_divergence", "alpha_divergence", NULL};

const struct loss_option loss_options[LOSS_OPTIONS] = {
#define PARAM(option, field, ...) {option, offsetof(struct loss_params, field), __VA_ARGS__}
	PARAM("beta", beta, 0, 1e6, true),
	PARAM("label-smoothing", smoothing, 0, 0.4999, false),
	PARAM("gamma", gamma, -1e6, 1e6, false),
	PARAM("tau", tau, 0, 1, true),
	PARAM("alpha", alpha, 0, 100, true),
	PARAM("penalty", penalty, 0, 1e6, false),
	PARAM("nll", nll, 0, 1e6, false),
	PARAM("desirable", desirable, 0, 1e6, false),
	PARAM("undesirable", undesirable, 0, 1e6, false),
#undef PARAM
	{.name = "f-divergence"},
	{.name = "f-alpha"},
	{.name = "ld-alpha"},
	{.name = "wpo"},
	{.name = "reference-free"},
};

double *loss_param(struct loss_params *p, int i)
{
	return (double *)(void *)((char *)p + loss_options[i].offset);
}

/* Appends to a text of cap bytes, of which at are taken; what does not fit is left out. */
static size_t append(char *text, size_t cap, size_t at, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + at, cap - at, format, args);
	va_end(args);
	return n < 0 || at + (size_t)n >= cap ? cap - 1 : at + (size_t)n;
}

void loss_describe(enum loss_id id, char *text, size_t cap)
{
	static const char *const takes[] = {[LOSS_PAIRS] = "pairs",
		[LOSS_FIRST] = "first completions",
		[LOSS_LABELLED] = "completions with a label and a probe",
		[LOSS_EITHER] = "pairs, completions with a label",
		[LOSS_RANKINGS] = "rankings"};
	const struct loss_kind *kind = &loss_kinds[id];
	struct loss_params defaults = kind->defaults;
	size_t at = append(text, cap, 0, "%s", takes[kind->takes]);

	for (int i = 0, n = 0; i < LOSS_OPTIONS; i++) {
		if (i == LOSS_PARAMS)
			n = 0;
		if (!(kind->uses & 1u << i))
			continue;
		at = append(text, cap, at, "%s%s", n++ ? ", " : "; ", loss_options[i].name);
		if (i < LOSS_PARAMS)
			at = append(text, cap, at, " %g", *loss_param(&defaults, i));
	}
}
