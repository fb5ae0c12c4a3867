# The DPO paper's figure 2: what a policy earns for how far it goes from the reference, over losses and betas; and how
# often it beats the better completion of the pair, over temperatures. As tables and as charts, by evalwin.
#
#	make -f figures.mk BIN=../../build/release/bin
#
# Unlike the Makefile's report, these judge what the policies write: samples, scored by the grammar.

.DEFAULT_GOAL := figures
include Makefile

# Policies: LOSS/BETA, or LOSS alone. The unlikelihood baseline makes chosen completions likelier and ALPHA times as
# much rejected ones unlikelier, without end: it is slic with a margin that nothing reaches.
FRONTIER = DPO/0.05 DPO/0.1 DPO/0.5 DPO/1 DPO/5 IPO/0.05 IPO/0.2 IPO/1 unlikelihood/0.05 unlikelihood/0.5 \
	unlikelihood/0.7 unlikelihood/0.9 SFT reference
RACE     = DPO/0.1 DPO/0.5 SFT reference
HEAT     = 0.1 0.25 0.5 0.75 1

F = $(OUT)/figures
S = $(OUT)/scored
loss_DPO          = --loss sigmoid --beta $(1)
loss_IPO          = --loss ipo_sum --beta $(1)
loss_SFT          = --loss sft
loss_unlikelihood = --loss slic --beta 1000000 --nll $(shell awk 'BEGIN { print 1 / $(1) - 1 }')
SETTINGS_frontier = $(FRONTIER)
SETTINGS_race     = $(RACE) $(HEAT)
part = $(word $(1),$(subst /, ,$(2)))

figures: $(F)/frontier.txt $(F)/race.txt
	@cat $^
	@echo "charts: $(F)/frontier.svg and $(F)/race.svg; make took $$(($$(date +%s) - $(START))) seconds"

# ---- policies, all from the same start and with the same steps

$(F)/%/model.safetensors: $(OUT)/train.ref.tsz $(OUT)/sft/model.safetensors $(OUT)/policy.settings
	@mkdir -p $(dir $(@D))
	dpo-step -q -m $(OUT)/sft $(call loss_$(call part,1,$*),$(call part,2,$*)) $(DPO) --seed $(SEED) \
		$(THREADS_OPTION) -o $(@D) $<

$(F)/reference/model.safetensors: $(OUT)/sft/model.safetensors
	@mkdir -p $(F)
	rm -rf $(@D) && cp -r $(OUT)/sft $(@D)

# ---- what they write: one completion for each prompt of the test, at a temperature; and its score, one a line

.SECONDEXPANSION:
$(F)/%.tsz: $$(@D)/model.safetensors $(OUT)/test.tokens.tsz
	lm-sample -q -m $(@D) --temperature $(notdir $*) --max-new 100 --seed $(SEED) $(THREADS_OPTION) $(OUT)/test.tokens.tsz | \
		ref-logp -q -m $(OUT)/sft $(THREADS_OPTION) -o $@

$(F)/%.text: $(F)/%.tsz
	tokenize -q --decode -m model $< | tstream export >$@

$(F)/%.scores: score.awk grammar.txt $(F)/%.text
	awk -f $^ >$@

# ---- the frontier: samples with their scores in a field

$(F)/%.scored: $(F)/%.scores $(F)/%.jsonl
	awk 'NR == FNR { score[NR] = $$1; next } { sub(/"meta":{/, "&\"score\":" score[FNR] ","); print }' $^ >$@

$(S)/%.tsz: $(F)/%/1.scored $(F)/%/1.tsz
	@mkdir -p $(@D)
	tstream head --json $(F)/$*/1.tsz >$(@:.tsz=.head)
	tstream import -q --head $(@:.tsz=.head) -o $@ $<

# Names of files become those of points and curves.
$(F)/frontier.txt: $(FRONTIER:%=$(S)/%.tsz) $(OUT)/frontier.settings
	cd $(S) && evalwin -q --each --policy sample --score score --plot $(abspath $(F))/frontier.svg $(FRONTIER:%=%.tsz) \
		>$(abspath $@)

# ---- the race: a verdict for each prompt, of the better completion against the sample

$(F)/%.verdicts: $(F)/%.scores $(OUT)/pairs.jsonl
	tail -n $(TESTS) $(OUT)/pairs.jsonl | sed 's/.*"scores":\[\([-0-9]*\).*/\1/' | paste - $< | \
		awk -v model='$(subst /, ,$(patsubst %/,%,$(dir $*)))' -v temperature=$(notdir $*) -v OFS='\t' \
		'{ print "chosen", model, ($$2 > $$1 ? "b" : $$2 < $$1 ? "a" : "tie"), NR, temperature }' >$@

$(F)/race.tsv: $(foreach p,$(RACE),$(foreach t,$(HEAT),$(F)/$(p)/$(t).verdicts)) $(OUT)/race.settings
	printf 'model_a\tmodel_b\twinner\titem\ttemperature\n' | cat - $(filter %.verdicts,$^) >$@

$(F)/race.txt: $(F)/race.tsv
	evalwin -q --by temperature --plot $(F)/race.svg $< >$@

.PHONY: figures
.PRECIOUS: $(F)/%.tsz $(F)/%/model.safetensors
